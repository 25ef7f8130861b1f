/*
 * files.h - no file system from now on, but for what is named: Landlock.
 *
 * Rules:   what is open stays open. A name in a memory file system of the kernel's own (memfd) is not of any that this
 *          is about. It holds for the calling thread and all that it makes, also through execve(2), and for good.
 *          Where the kernel can, a process that is shut in also makes and takes no TCP connection, and sends no signal
 *          to a process outside.
 * Source:  landlock(7); its numbers are here, for headers older than the kernel.
 */
#ifndef ONTIME_CAGE_FILES_H
#define ONTIME_CAGE_FILES_H

#include <stdint.h>

#define FILES_READ (1ULL << 2 | 1ULL << 3) /* read a file, list a directory */
#define FILES_RUN (1ULL << 0) /* execve */
#define FILES_WRITE (1ULL << 1 | 1ULL << 8) /* write to a file, make one */
#define FILES_MOST_PLACES 2
#define FILES_FIRST_CALL 444 /* landlock_create_ruleset, on each machine */

struct files {
	uint64_t anywhere; /* FILES_..., in all the file system */
	uint32_t connects; /* it makes TCP connections */
	uint32_t has_children; /* that may be older than their cage: it ends them, and they end with it */
	struct files_place {
		const char *below; /* a directory that is there, or a file */
		uint64_t may;
	} places[FILES_MOST_PLACES];
	uint32_t n_places;
};

/* files_may - one place more; a path that cannot be opened when the process is shut in is left out. */
void files_may(struct files *f, const char *below, uint64_t may);

/*
 * files_prepare - open what files_shut() needs. A descriptor, or -errno. -ENOSYS: the kernel has no Landlock,
 * or -EOPNOTSUPP: it is not in use (lsm= of the command line).
 */
int files_prepare(const struct files *f);

/* files_shut - by that descriptor, which is closed. 0, or -errno. no_new_privs must be set. */
int files_shut(int fd);

#endif
