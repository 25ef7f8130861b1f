/* spawn.c - start a program, with signals as after a login. */
#include "spawn.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int make_process(const char *binary, char *const *argv, int held_back, int handed_fd, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t blocked, all;
	int err;

	sigemptyset(&blocked);
	if (held_back)
		sigaddset(&blocked, held_back);
	sigfillset(&all);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &blocked);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawn_file_actions_init(&actions);
	err = handed_fd < 0 ? 0 : posix_spawn_file_actions_adddup2(&actions, handed_fd, handed_fd); /* stays open so */
	if (!err)
		err = posix_spawn(pid, binary, &actions, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
	return err;
}

int spawn(const char *binary, char *const *argv, int held_back, int handed_fd, pid_t *pid, int *pidfd)
{
	int err = make_process(binary, argv, held_back, handed_fd, pid);

	if (err)
		return err;
	*pidfd = (int)syscall(SYS_pidfd_open, *pid, 0);
	err = *pidfd < 0 ? errno : 0;
	if (err) { /* no descriptor to watch it by: not this one */
		kill(*pid, SIGKILL); /* our own child, not waited for yet: nobody else can have its number */
		waitpid(*pid, NULL, 0);
	}
	return err;
}
