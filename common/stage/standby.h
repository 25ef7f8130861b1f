/*
 * standby.h - a stage that is started before it is needed: executed, linked, configured and mapped, it waits for its
 * predecessor's end.
 *
 * Rules:   the supervisor starts it with a socket, whose number is in ONTIME_STAND_BY. The stand-by sends one byte when
 *          it is prepared, and waits for one message: how its predecessor ended. Until then it has no lock, stores
 *          nothing to the segment and reads nothing from the sockets, so any number of them may wait or die. The
 *          supervisor sends the message once the predecessor has been reaped; the stage's lock keeps out a second one
 *          whatever it does.
 *          It ends with its supervisor: the end of the socket says so. But before, see rescue.h.
 * Crash:   one that is killed is replaced; when its stage ends at the same moment, the successor is started cold.
 */
#ifndef ONTIME_STAGE_STANDBY_H
#define ONTIME_STAGE_STANDBY_H

#include "shm/segment.h"

#define STANDBY_VARIABLE "ONTIME_STAND_BY"
#define STANDBY_LAST_END "ONTIME_LAST_END" /* how the predecessor ended: "signal 9", "exited 1", "hung" */
#define STANDBY_END_BYTES 32

/* standby_is_one - was this process started as a stand-by? */
int standby_is_one(void);

/*
 * standby_prepare - map all pages of the segment, and read what the first line of the log needs: a millisecond of CPU
 * time, so before real time is taken.
 */
void standby_prepare(const struct segment *seg);

/*
 * standby_wait - say that it is prepared, and wait. Returns 1 when this process is to be the stage from now on, with
 * STANDBY_LAST_END in its environment; 0: it is not needed any more.
 */
int standby_wait(const char *stage);

#endif
