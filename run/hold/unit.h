/*
 * unit.h - a service manager starts an instance, for the first time or once more.
 *
 * Rules:   what an earlier start of the same unit has left is gone on with: stages that are alive are adopted, and the
 *          supervisor that their holder has started meanwhile gives way. Are all dead, the segment and the sockets that
 *          the service manager has kept are gone on with. Are those gone too, the segment is removed.
 *          One of another build, whose supervisor was killed, is ended, because nobody can go on with it.
 *          An instance that somebody else supervises is left alone, in one line: an instance has one supervisor.
 *          The configuration must name the instance that the unit is of, so that -c FILE and -i NAME are never about
 *          two.
 *          A failure that may pass ends only after a pause, because what restarts this does not know how often to.
 */
#ifndef ONTIME_HOLD_UNIT_H
#define ONTIME_HOLD_UNIT_H

#include "options.h"

/* unit_start - the exit status; or this process goes on as o->command. */
int unit_start(struct hold_options *o);

#endif
