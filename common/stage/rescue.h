/*
 * rescue.h - supervisor and holder were killed in the same moment, and no service manager starts another: a stand-by,
 * which has all that they had, does.
 *
 * Rules:   the supervisor asks for it by ONTIME_RESCUE, where nobody else would do it. The value is the number of a
 *          descriptor of the supervisor's own binary, which all that it starts inherit: files may have been replaced
 *          by those of a build that refuses this instance. A stand-by whose supervisor is gone waits until the holder
 *          has had the time to start another. If then there is neither, it starts a holder, and that starts the
 *          supervisor. One stage's stand-by comes after the other's; the holder's lock keeps out a second one.
 * Crash:   were the stand-bys killed too, the stages run on, and run/launch.sh starts what supervises them.
 */
#ifndef ONTIME_STAGE_RESCUE_H
#define ONTIME_STAGE_RESCUE_H

#include "shm/segment.h"

#define RESCUE_VARIABLE "ONTIME_RESCUE"
#define RESCUE_AFTER_NS (300 * NS_PER_MS)
#define RESCUE_SHARD_NS (10 * NS_PER_MS) /* a stage of one shard after that of the shard before */

/* rescue_ask - as the supervisor, of the stand-bys that it starts from now on. */
void rescue_ask(void);

/* rescue_binary - the descriptor that rescue_ask() has left, closed in what this process starts; -1: none. */
int rescue_binary(void);

/* rescue_wait - as a stand-by whose supervisor is gone. Returns 1 if nobody has taken its place. */
int rescue_wait(const struct segment *seg, enum stage_id id);

/* rescue_start - the holder. supervisor: the pid of the one that is gone. argv: the overrides from argv[1] on. */
void rescue_start(const char *stage, pid_t supervisor, int argc, char **argv);

#endif
