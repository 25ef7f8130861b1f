/*
 * shut.h - a dashboard is shut in before its first client.
 *
 * Rules:   it makes the calls of its table (calls.c): it opens files to read them and makes none, runs nothing, and
 *          makes no socket. No Landlock: whoever is in one may not look into a process outside (landlock(7), ptrace
 *          restrictions), and the configuration in force is found in a stage.
 */
#ifndef ONTIME_DASH_SHUT_H
#define ONTIME_DASH_SHUT_H

#include "cage/cage.h"

extern const struct calls dash_calls;

/* shut_in - the calling process. What the kernel cannot do is said in one line. */
void shut_in(void);

#endif
