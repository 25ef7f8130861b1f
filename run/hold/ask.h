/*
 * ask.h - a request to the supervisor of an instance, through its control socket (control.h), for the scripts.
 *
 * Rules:   the supervisor is found by the kernel's word (process.h), and its run directory by what it was started with,
 *          whatever ONTIME_RUN_DIR says here; `at` counts only where that cannot be seen. Nobody is believed but a
 *          process of the user who has the instance.
 *          A supervisor that is replaced meanwhile is asked again, and so is one whose socket has vanished. A frozen
 *          one is woken. Nothing waits without a bound.
 */
#ifndef ONTIME_HOLD_ASK_H
#define ONTIME_HOLD_ASK_H

#include "shm/segment.h"

#define EXIT_NOBODY 4 /* nobody supervises the instance: nobody can be asked */

/* ask - print the answer: to standard output, or to standard error if it is no good one. Returns the exit status. */
int ask(const char *request, const char *at, const struct config *c, const struct segment *seg);

#endif
