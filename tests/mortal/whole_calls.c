/*
 * whole_calls.c - recvmmsg and sendmmsg, wrapped at link time: they write to the segment as a whole, as the kernel does
 * when SIGKILL waits.
 */
#include <sys/socket.h>

#include "trap.h"

/* clang-format off */
int __real_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags, struct timespec *timeout);
int __wrap_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags, struct timespec *timeout);
int __real_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags);
/* clang-format on */

int __wrap_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags, struct timespec *timeout)
{
	int got;

	trap_begin_call();
	got = __real_recvmmsg(fd, msgs, n, flags, timeout);
	trap_end_call();
	return got;
}

int __wrap_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	int sent;

	trap_begin_call();
	sent = __real_sendmmsg(fd, msgs, n, flags);
	trap_end_call();
	return sent;
}
