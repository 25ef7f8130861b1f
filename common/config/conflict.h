/*
 * conflict.h - values that are fine alone but cannot work together, or not on this machine.
 *
 * Rules:   without `top` the config alone counts, and so the same is said everywhere and at any time: what is found
 *          could run nowhere. With it, files and addresses of this machine count too, which come and go: only for what
 *          an operator runs.
 */
#ifndef ONTIME_CONFIG_CONFLICT_H
#define ONTIME_CONFIG_CONFLICT_H

#include "config.h"

/*
 * What is called for each conflict: whose key it is (-1: of [pipeline]), and why its value cannot stay, and what to do.
 */
typedef void conflict_tell(void *arg, int class, const char *key, const char *reason);

/* conflict_find - all of them; top: the directory that a relative plugin counts from, or NULL. */
void conflict_find(const struct config *c, const char *top, conflict_tell *tell, void *arg);

#endif
