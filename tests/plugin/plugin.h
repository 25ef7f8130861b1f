/* plugin.h - what the tests of a plugin's work share: one rig, and how it starts. */
#ifndef ONTIME_TESTS_PLUGIN_H
#define ONTIME_TESTS_PLUGIN_H

#include "harness/harness.h"

#define LOCAL "127.0.0.1"

extern struct rig rig; /* of the test that runs: each runs in a process of its own */

/* plugin_line - `work =` of a plugin below the build directory, and more lines. */
const char *plugin_line(const char *file, const char *more);

/* start - the sockets and the segment, as hold makes them, then the stages. */
void start(struct rig *r);

/* slices.c */
void slices_let_high_go_before_long_work_ends(void);
void kills_lose_nothing_while_work_is_interrupted(void);
void endless_interruptions_do_not_look_like_a_hang(void);

#endif
