/*
 * act.h - what the scripts ask to be done to an instance.
 *
 * Rules:   a signal goes only to a process that is shown to be the instance's own (process.h). Each returns an exit
 *          status, and says in one line why it is not 0.
 */
#ifndef ONTIME_HOLD_ACT_H
#define ONTIME_HOLD_ACT_H

#include "options.h"
#include "shm/segment.h"

/* act_signal - o->signal to o->who; KILL, TERM and USR1 also wait until it is gone. */
int act_signal(const struct hold_options *o, const struct config *c, const struct segment *seg);

/*
 * act_stop_other - of an instance of another layout: its supervisor, which stops it in order, and is waited for.
 * EXIT_NOBODY: there is none.
 */
int act_stop_other(const struct config *c);

/* act_replace - the supervisor and the holder end, and the stages go on: another supervisor is to adopt them. */
int act_replace(const struct config *c, const struct segment *seg);

/* act_remove - the segment's name, unless a stage is alive; with o->force all that have it open are ended first. */
int act_remove(const struct hold_options *o, const struct config *c, const struct segment *seg);

#endif
