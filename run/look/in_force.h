/*
 * in_force.h - the configuration an instance runs with: what its segment does not hold, such as the policy, and what a
 * reload changed.
 *
 * Memory:  struct in_force is static: three configurations, and the lines of the last reload.
 * Rules:   read-only, and without the supervisor's help: a stage is started as `-c /proc/self/fd/N`, and that file in
 *          memory is the copy the stages go by, with the keys on their command lines; a reload rewrites it. So it is
 *          found through /proc/PID of a stage, if this user may look there. A stage that was started by hand, from a
 *          file, may go by what it said before: then nothing is known.
 */
#ifndef ONTIME_LOOK_IN_FORCE_H
#define ONTIME_LOOK_IN_FORCE_H

#include <sys/types.h>

#include "config/config.h"
#include "view.h"

#define CHANGES_BYTES 4096 /* of one reload; what is longer is cut at a line */

struct in_force {
	int is_known; /* config is what the instance runs with */
	struct config config;
	char changes[CHANGES_BYTES]; /* what changed since the look before, a line each; "": nothing */
	uint64_t created_at_ns; /* of the launch it is about */
	ino_t inode; /* of the copy, and when it was written: one that has not changed is not read */
	struct timespec written_at;
};

/*
 * in_force_find - one look at an instance, for that alone. 0; -1: it does not run, or its configuration is not known.
 */
int in_force_find(struct in_force *f, const char *instance);

#define IN_FORCE_CANNOT 1
#define IN_FORCE_WRONG 2

/*
 * in_force_load - the configuration of an instance, and the keys argv[1..] on top of it. 0, or an exit status after a
 * line: IN_FORCE_CANNOT, or IN_FORCE_WRONG for what the keys say.
 */
int in_force_load(struct config *c, const char *instance, int argc, char *const *argv);

/* in_force_look - as of this look; NULL: the instance does not run. */
void in_force_look(struct in_force *f, const struct view *now);

/* in_force_marks - which classes of the look mark ECN, or have: a bit each. */
uint32_t in_force_marks(const struct in_force *f, const struct view *now);

#endif
