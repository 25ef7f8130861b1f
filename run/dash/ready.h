/*
 * ready.h - is the instance to be given traffic? What a load balancer asks, and what `run/drain.sh` answers for it.
 *
 * Rules:   yes, while packets get through and nobody drains it. A stage that is away for as long as a restart takes is
 *          away for nobody: its packets wait in the sockets. One that has never been ready, or is away for
 *          NOT_READY_NS, is in their way, and so are a stage that hangs and a class that is stuck. What is in no
 *          packet's way, such as a missing supervisor, or is the receiver's fault, does not count.
 *          An instance is drained while the mark is there: a file `drain` of this user's or root's in the run
 *          directory, or of the unit's user in that of a unit. It is looked for at each question, so that the answer
 *          is of this moment.
 */
#ifndef ONTIME_DASH_READY_H
#define ONTIME_DASH_READY_H

#include "feed.h"

#define READY_LAUNCHED "/run/ontime-" /* and the number of the user as whom root launches: run/supervise/user.sh */
#define READY_UNITS "/run/ontime-units" /* where units have their run directories */

/* ready_mark - the mark's path, as run/supervise/lib.sh has it. -ENAMETOOLONG: it has none. */
int ready_mark(const char *instance, char path[PATH_BYTES]);

/* ready_print - 1: yes, and "ready"; 0: no, and each cause in a line of its own. */
int ready_print(const struct feed *f, FILE *out);

#endif
