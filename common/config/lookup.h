/*
 * lookup.h - the configuration that counts when nobody names one.
 *
 * Rules:   the place that says so. `-c FILE` counts first. Without it an installed program takes the file that make
 *          install put there (SYSCONFDIR/ontime/ontime.conf); one in a tree takes /etc/ontime/ontime.conf if there is
 *          one, else the tree's run/ontime.conf. The scripts do the same in run/supervise/lib.sh, and a test compares.
 */
#ifndef ONTIME_CONFIG_LOOKUP_H
#define ONTIME_CONFIG_LOOKUP_H

#include "ids.h"

/* lookup_top - the directory that run lies in, from which stages are started; "." if this program is elsewhere. */
void lookup_top(char top[PATH_BYTES]);

/*
 * lookup_config - `given` if there is one, else as above, in path; NULL: none is there, and the built-in classes count.
 */
const char *lookup_config(const char *given, char path[PATH_BYTES]);

#endif
