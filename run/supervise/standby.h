/*
 * standby.h - the supervisor's end of a stage's stand-by (stage/standby.h): start it, know when it is prepared, give it
 * its turn.
 *
 * Memory:  private to the supervisor. A stand-by ends with its supervisor; the next one starts others.
 * Rules:   at most one per stage. It is started while the stage runs, some time after the stage was, and not while a
 *          row of deaths (row.h) makes the starts of the stage itself wait. One of another binary than the one that is
 *          there now is replaced.
 *          Whatever fails here costs only speed: the successor is then started cold.
 */
#ifndef ONTIME_SUPERVISE_STANDBY_H
#define ONTIME_SUPERVISE_STANDBY_H

#include <sys/stat.h>
#include <sys/types.h>

#include <stdint.h>

#include "units.h"

#define STANDBY_AFTER_NS (50 * NS_PER_MS) /* after the start of its stage: that has much to catch up with */

struct standby {
	pid_t pid; /* 0: there is none */
	int pidfd, channel_fd; /* -1: none */
	int is_prepared;
	ino_t inode; /* of its binary */
	uint64_t due_ns; /* none is started before */
	uint32_t n_unprepared; /* those in a row that ended before they were prepared */
};

void standby_init(struct standby *b);

/* standby_start - 0, or an errno value: there is none then. */
int standby_start(struct standby *b, const char *binary, char *const *argv, ino_t inode);

/*
 * standby_listen - its channel is readable. Returns -1 while it is there; else it has ended: its exit status, or 128
 * and its signal. Then the next one is due soon, or, after one that could not prepare itself, after pauses that double
 * from a second to a minute.
 */
int standby_listen(struct standby *b, uint64_t now);

/*
 * standby_turn - the stage has ended that way: the stand-by is the stage now, if it is prepared. Returns its pid and,
 * in *pidfd, a descriptor that belongs to the caller; or 0.
 */
pid_t standby_turn(struct standby *b, const char *last_end, int *pidfd);

/* standby_end - it is not needed: of an old binary, or the stage is to be down. */
void standby_end(struct standby *b);

#endif
