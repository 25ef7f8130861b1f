/*
 * names.h - what an instance has in its run directory, for people and scripts; put back when it goes away.
 *
 * Rules:   nothing here is needed to run: stages start from descriptors. A logout or a cleaner may take the directory
 *          away, a log rotation the log; both are there again within a second, and said once.
 *          Files: supervisor.pid, active.conf (the configuration in force), launched (how), log; and control
 *          (control.h).
 *          The log is cut when it is too long, so that no plugin fills a file system that is memory.
 *          A directory of another user in that place is left alone.
 * Errors:  a directory that cannot be written to is said once, and tried again each second.
 */
#ifndef ONTIME_SUPERVISE_NAMES_H
#define ONTIME_SUPERVISE_NAMES_H

#include <stddef.h>

#include "config/config.h"

#define N_NAMES 3

enum name { NAME_PID, NAME_CONFIG, NAME_LAUNCHED };

struct names {
	char directory[PATH_BYTES];
	char *text[N_NAMES]; /* of each file; NULL: none yet */
	size_t text_bytes[N_NAMES];
	int is_stale[N_NAMES]; /* what is there is older: it could not be written */
	int has_told;
};

void names_init(struct names *n, const char *directory);

/*
 * names_set - what the file says from now on; written at once if it is something else. 0, or -errno when it could not
 * be.
 */
int names_set(struct names *n, enum name which, const char *text, size_t bytes);

/*
 * names_open_directory - a descriptor, or -errno. The directory may have been taken away, and made again by another
 * user: no link is followed, and only this user's own is opened.
 */
int names_open_directory(const struct names *n);

/* names_keep - once a second: put back what is gone, shorten the log. Returns 1 when stderr is another file now. */
int names_keep(struct names *n);

/* names_forget_pid - of a supervisor that ends. names_remove - of an instance that does: all but the log. */
void names_forget_pid(const struct names *n);
void names_remove(const struct names *n);

#endif
