/*
 * reload.h - a new configuration for a running instance: all of a file, or nothing and a line for each reason.
 *
 * Memory:  the configuration in force is a file in memory that all stages have as a descriptor. It is rewritten in
 *          place, under a lock that readers wait for (config.c), so a stage that starts at any moment reads the old one
 *          or the new one.
 * Rules:   the file is read once, and what was read is what is judged and used, whatever becomes of the file meanwhile.
 *          Its name is resolved anew each time: it may lead through links that were swapped. So are the host names in
 *          it, by a process of its own; what they became is written into the copy, as section [hosts].
 */
#ifndef ONTIME_SUPERVISE_RELOAD_H
#define ONTIME_SUPERVISE_RELOAD_H

#include "config/config.h"
#include "log.h"
#include "names.h"

#define RELOAD_LINES_BYTES 10240 /* what is more is not kept, but logged */

enum reload_verdict { RELOAD_IN_FORCE, RELOAD_FAILED, RELOAD_REFUSED, RELOAD_RELAUNCH, RELOAD_ASKS };

struct reload {
	const char *file; /* as the user named it at the launch */
	char reads[PATH_BYTES]; /* the one that is read this time */
	int config_fd; /* what is in force */
	int argc;
	char *const *argv;
	int asked_fd; /* pidfd of the process that asks for host names, or -1 */
	pid_t asking;
	int answer_fd, lines_fd; /* what it finds out; what it has logged */
	uint64_t number; /* of this reload */
	char lines[RELOAD_LINES_BYTES];
	struct log_copy said; /* what was logged about it */
};

void reload_init(struct reload *r, const char *file, int config_fd, int argc, char *const *argv);

/*
 * reload_now - from `file`, or from the one that the instance was launched with (NULL). RELOAD_IN_FORCE: *config is the
 * new one, and so is what the stages will read. RELOAD_ASKS: it names hosts, which a process of its own asks for; when
 * asked_fd is readable, reload_answered() has the verdict. Else nothing has changed, and the log says why.
 */
enum reload_verdict reload_now(struct reload *r, const char *file, struct config *config);
enum reload_verdict reload_answered(struct reload *r, struct config *config);

/* reload_publish - what is in force, as a file in the run directory. */
void reload_publish(const struct reload *r, struct names *names);

#endif
