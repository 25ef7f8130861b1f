/*
 * find.h - find an instance by the processes that have its segment open, whatever became of the segment's name.
 *
 * Rules:   looks at processes that this user may look into, through /proc/PID/fd: thousands of small system calls, so
 *          only for what is not there by name, and for a stop that must miss nobody. Only this user's segments count,
 *          and only those in the /dev/shm that is seen from here: anybody can have a descriptor whose link reads like
 *          one, and so has a container.
 * Source:  proc(5): the link of a descriptor keeps the name of a removed file, with " (deleted)" behind it.
 */
#ifndef ONTIME_SEGMENT_FIND_H
#define ONTIME_SEGMENT_FIND_H

#include <sys/types.h>

/*
 * segment_find - open the instance's segment of this layout although its name is gone; but not one that only observers
 * have open still, for that is of an instance that is no more. A descriptor; or -ENOENT; or the shortage for which a
 * process could not be asked.
 */
int segment_find(const char *instance, int flags);

/*
 * find_is_shortage - does this -errno say that a descriptor or memory was missing, so that nothing is known of what was
 * asked for?
 */
int find_is_shortage(int err);

/*
 * segment_each_user - call found() once for each process that has a segment of the instance, of whatever layout, open
 * for writing: stages, the supervisor, and what they started. Not for the caller itself. Returns how many there were.
 */
int segment_each_user(const char *instance, void (*found)(void *arg, pid_t pid), void *arg);

/* segment_has_user - does that process have such a segment open for writing now? */
int segment_has_user(const char *instance, pid_t pid);

#endif
