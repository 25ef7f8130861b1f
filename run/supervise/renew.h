/*
 * renew.h - the supervisor, and with it the holder, goes over to the binary that is there now.
 *
 * Memory:  the same process before and after (execve(2)), so a service manager sees no death, and the stages are its
 *          children still. Sockets, segment and configuration are open all the while, here and in holder and stages.
 * Rules:   not during a reload that waits for names, nor during a stop, and not before the stages are ready, as long as
 *          RENEW_PATIENCE_NS allows. The stand-bys and the dashboard end before it, and are started again after it.
 *          A binary of another layout than the instance's goes back to the one before it, which it has by descriptor.
 *          The new supervisor has the holder go over likewise (SIGUSR2, hold/keep.h).
 * Errors:  a binary that cannot be executed is said, and this process goes on.
 */
#ifndef ONTIME_SUPERVISE_RENEW_H
#define ONTIME_SUPERVISE_RENEW_H

#include "supervisor.h"

#define RENEW_PATIENCE_NS (5 * NS_PER_S)

/* renew_is_due - are the files of supervisor and holder others than those that run? */
int renew_is_due(const struct supervisor *s);

/* renew_ask - as soon as it may be. renew_is_time - it may be now. */
void renew_ask(struct supervisor *s, uint64_t now);
int renew_is_time(const struct supervisor *s, uint64_t now);

/* renew - returns only if it cannot be done. argv: of this process. */
void renew(struct supervisor *s, char **argv);

/* renew_arrive - first of all in a process: 1 if a supervisor has gone over to this binary. */
int renew_arrive(char **argv);

#endif
