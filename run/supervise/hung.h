/*
 * hung.h - a stage that does not move is ended, unless others have its CPU (hang.h).
 *
 * Rules:   with SIGABRT first, so that a plugin's packet is noted as the culprit; then with SIGKILL.
 */
#ifndef ONTIME_SUPERVISE_HUNG_H
#define ONTIME_SUPERVISE_HUNG_H

#include "life.h"

/* hung_end - twice a second, of a stage that runs: end it if it has not moved for hung_ns. */
void hung_end(struct life *l, const struct segment *seg, uint64_t hung_ns, uint64_t now);

#endif
