/* standby.c - the supervisor's end of a stage's stand-by. */
#include "standby.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "hold/process.h"
#include "hold/spawn.h"
#include "stage/standby.h"

#define MOST_DOUBLINGS 6 /* of a second, for one that could not prepare itself */

void standby_init(struct standby *b)
{
	*b = (struct standby){ .pidfd = -1, .channel_fd = -1 };
}

static void forget(struct standby *b)
{
	uint64_t due_ns = b->due_ns;
	uint32_t n_unprepared = b->n_unprepared;

	if (b->channel_fd >= 0)
		close(b->channel_fd);
	if (b->pidfd >= 0)
		close(b->pidfd);
	standby_init(b);
	b->due_ns = due_ns;
	b->n_unprepared = n_unprepared;
}

int standby_start(struct standby *b, const char *binary, char *const *argv, ino_t inode)
{
	int ends[2], err;
	char number[16];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return errno;
	snprintf(number, sizeof(number), "%d", ends[1]);
	setenv(STANDBY_VARIABLE, number, 1);
	err = spawn(binary, argv, SIGHUP, ends[1], &b->pid, &b->pidfd);
	unsetenv(STANDBY_VARIABLE);
	close(ends[1]);
	b->channel_fd = ends[0];
	b->inode = inode;
	if (err) {
		b->pid = 0;
		b->pidfd = -1;
		forget(b);
	}
	return err;
}

/* It has ended, or is made to. How: see standby_listen(). */
static int reap(struct standby *b)
{
	siginfo_t info = { 0 };
	int status = 0;

	process_signal(b->pidfd, SIGKILL);
	if (waitid(P_PIDFD, (id_t)b->pidfd, &info, WEXITED) == 0)
		status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	forget(b);
	return status;
}

/* One that could not prepare itself will not do better soon, and has said why. */
static uint64_t pause_ns(struct standby *b, int was_prepared, int status)
{
	uint32_t doublings = b->n_unprepared < MOST_DOUBLINGS ? b->n_unprepared : MOST_DOUBLINGS;

	b->n_unprepared = was_prepared ? 0 : b->n_unprepared + 1;
	if (was_prepared)
		return status < 128 ? NS_PER_S : STANDBY_AFTER_NS;
	return NS_PER_S << doublings;
}

int standby_listen(struct standby *b, uint64_t now)
{
	int was_prepared = b->is_prepared, status;
	char byte;
	ssize_t n = recv(b->channel_fd, &byte, sizeof(byte), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -1;
	if (n > 0) {
		b->is_prepared = 1;
		return -1;
	}
	process_wait(b->pidfd, 100); /* it has closed its end: a moment later it is gone, with its own exit status */
	status = reap(b);
	b->due_ns = now + pause_ns(b, was_prepared, status);
	return status;
}

pid_t standby_turn(struct standby *b, const char *last_end, int *pidfd)
{
	pid_t pid = b->pid;

	if (!b->is_prepared)
		return 0;
	if (send(b->channel_fd, last_end, strlen(last_end) + 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		reap(b);
		return 0;
	}
	process_signal(b->pidfd, SIGCONT); /* as a stage it would have a minute to go on by itself */
	*pidfd = b->pidfd;
	b->pidfd = -1;
	forget(b);
	return pid;
}

void standby_end(struct standby *b)
{
	if (b->pid)
		reap(b);
}
