/*
 * spawn.h - start a program, with signals as after a login, whatever this process has blocked.
 *
 * Errors:  an errno value; a process that cannot be watched is not left behind.
 */
#ifndef ONTIME_HOLD_SPAWN_H
#define ONTIME_HOLD_SPAWN_H

#include <sys/types.h>

/*
 * spawn - 0, the pid and a pidfd. held_back: a signal that waits until the new process can take it, or 0.
 * handed_fd: a descriptor that is closed at an exec, but not at this one; or -1.
 */
int spawn(const char *binary, char *const *argv, int held_back, int handed_fd, pid_t *pid, int *pidfd);

#endif
