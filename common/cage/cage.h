/*
 * cage.h - what a process may not do any more: a program that is not there, a file that it has not opened, a right that
 * it does not need.
 *
 * Memory:  cage_shut() keeps what its SIGSYS handler needs, one set for a process. What a process makes later has the
 *          same cage, through fork(2) and execve(2).
 * Rules:   a call that no table has is not made: one line names it, and the process ends by SIGABRT, as on a broken
 *          invariant. Whoever made the call decides nothing: a handler of SIGABRT may note what was at work.
 *          With a keeper of exits (cage_keep_exits()), exit_group(2) too is only made by the stage itself.
 *          What is built with a sanitizer, or to count what is covered, is not shut in but for no_new_privs (Makefile:
 *          ONTIME_INSTRUMENTED): these make calls of their own, threads and ptrace(2) at the end among them.
 * Crash:   nothing is left behind.
 * Source:  seccomp(2), landlock(7), the kernel's Documentation/userspace-api/no_new_privs.rst.
 */
#ifndef ONTIME_CAGE_H
#define ONTIME_CAGE_H

#include "files.h"
#include "filter.h"

#define CAGE_MOST_TABLES 6
#define CAGE_VARIABLE "ONTIME_FORBIDDEN" /* no filter is in force but that of cage_forbid() */
#define CAGE_MOST_FORBIDDEN 96
#define CAGE_MOST_NAMED 32 /* calls that a configuration asks for */

struct cage {
	const char *who; /* for the line: "egress" */
	const char *hint; /* what follows in the line; "": nothing */
	struct calls tables[CAGE_MOST_TABLES];
	uint32_t n_tables;
	struct call named[CAGE_MOST_NAMED];
	struct files files;
	int lacks; /* of cage_probe(): that is not tried */
	int files_fd; /* what cage_prepare() has opened for these; 0: nothing yet */
};

#ifdef ONTIME_INSTRUMENTED
#define CAGE_IS_OPEN 1
#else
#define CAGE_IS_OPEN 0
#endif

/* What the kernel could not do. */
#define CAGE_NO_FILTER 1
#define CAGE_NO_FILES 2

/* cage_allow - the calls of one table more, of at most CAGE_MOST_TABLES. It must stay where it is until cage_shut(). */
void cage_allow(struct cage *c, const struct calls *table);

/* cage_allow_named - those that a text names, with a blank between two; once for a cage. */
void cage_allow_named(struct cage *c, const char *names);

/* cage_names - does the text, as above, name the call? */
int cage_names(const char *names, const char *call);

/* cage_no_new_privileges - no file that is executed from now on gives this process a right that it has not. */
void cage_no_new_privileges(void);

/*
 * cage_keep_exits - from now on ask the keeper before an exit_group(2) that was made by exit() or by hand: 1: another
 * than this process's own code makes it, and then it ends as by a call that is not allowed.
 */
void cage_keep_exits(int (*is_others)(void));

/* cage_exit - end now; with a keeper of exits the only way that asks nobody. */
_Noreturn void cage_exit(int status);

/*
 * cage_forbid - the calls that `names` has, with a blank between two, and `but` has not, are refused (EPERM) to this
 * process and to all that it makes; each of these can be shut in further. 0, or -errno. CAGE_VARIABLE is in the
 * environment then, so that cage_probe() need not ask.
 */
int cage_forbid(const char *names, const char *but);

/* cage_is_foreign - 1: a filter is in force that is not of cage_forbid() alone, such as a unit's. */
int cage_is_foreign(void);

/*
 * cage_probe - which of the calls that shut a process in would end it, because somebody else's filter is there already
 * and does not have them: asked by a child, and only if there is such a filter. CAGE_NO_...; for cage.lacks.
 */
int cage_probe(void);

/*
 * cage_prepare - open what cage_shut() needs, for a process that has no time for it then. Returns the descriptor, or 0.
 */
int cage_prepare(const struct cage *c);

/*
 * cage_shut - once, when all is open. Of all threads where there are more; their files stay as they are. Returns 0, or
 * CAGE_NO_... of what the kernel could not do; *err: why, as -errno.
 */
int cage_shut(const struct cage *c, int *err);

#endif
