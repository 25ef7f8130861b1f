/*
 * answer.h - questions of the scripts about an instance, or a config; the answers go to standard output.
 */
#ifndef ONTIME_HOLD_ANSWER_H
#define ONTIME_HOLD_ANSWER_H

#include "options.h"
#include "shm/segment.h"

/*
 * answer_stages - NAME PID STATE STARTS AGE_S BEAT_AGE_MS HAS_WORK ALIVE, a line per stage of each shard. The exit
 * status.
 */
int answer_stages(const struct segment *seg);

/* answer_held - packets in all lanes. */
void answer_held(const struct segment *seg);

/* answer_supervisor - its pid, or - if it cannot be seen from here. 0, or the exit status: nobody supervises. */
int answer_supervisor(const struct segment *seg);

/* answer_holder - likewise. */
int answer_holder(const struct segment *seg);

/* answer_scout - its pid. */
int answer_scout(const struct segment *seg);

/*
 * answer_standbys - the pids of those that wait for a stage's end, and of what one of them has just started. 0, or the
 * exit status: there are none.
 */
int answer_standbys(const struct config *c, const struct segment *seg);

/* answer_instances - the names of those that run here. 0, or 1: there is none. */
int answer_instances(void);

/* answer_layout - of the segments that this build makes. Returns 0. */
int answer_layout(void);

/* answer_stopping - 0: a stop has begun, and has not ended. */
int answer_stopping(const struct segment *seg);

/* answer_classes - a line per class: its addresses and its budget, for people. */
void answer_classes(const struct config *c);

/*
 * answer_user - USER OBSERVERS, as the config has them, and `low` if it has a port below 1024, or one that is not known
 * yet, else `-`: for a launch by root.
 */
void answer_user(const struct config *c, const struct hosts *hosts);

/* answer_check - may an instance be launched with the config, or go over to it from o->against? The exit status. */
int answer_check(const struct hold_options *o, const struct config *c);

#endif
