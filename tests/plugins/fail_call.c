/*
 * fail_call.c - preloaded into a stage: while the file $FAIL_FILE is there, the call $FAIL_CALL fails each time with
 * $FAIL_ERRNO.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static long (*real_syscall)(long number, ...);

static void *next_of(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

static int fails(const char *name)
{
	const char *call = getenv("FAIL_CALL"), *file = getenv("FAIL_FILE"), *err = getenv("FAIL_ERRNO");

	if (!call || !file || !err || strcmp(call, name) != 0 || access(file, F_OK) < 0)
		return 0;
	errno = atoi(err);
	return 1;
}

__attribute__((no_sanitize("address"))) /* it reads six arguments, however many there are */
long syscall(long number, ...)
{
	va_list args;
	long a[6];

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_futex && (int)a[1] == FUTEX_WAIT && fails("futex"))
		return -1;
	if (!real_syscall)
		real_syscall = (long (*)(long, ...))(uintptr_t)next_of("syscall");
	return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

int recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags, struct timespec *timeout)
{
	return fails("recvmmsg") ? -1 : (int)syscall(SYS_recvmmsg, fd, msgs, n, flags, timeout);
}

int sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	return fails("sendmmsg") ? -1 : (int)syscall(SYS_sendmmsg, fd, msgs, n, flags);
}

int epoll_create1(int flags)
{
	return fails("epoll_create1") ? -1 : (int)syscall(SYS_epoll_create1, flags);
}

int epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
	return fails("epoll_ctl") ? -1 : (int)syscall(SYS_epoll_ctl, epoll_fd, op, fd, event);
}

int epoll_wait(int epoll_fd, struct epoll_event *events, int most, int timeout_ms)
{
	const sigset_t *as_it_is = NULL;

	return fails("epoll_wait") ? -1
				   : (int)syscall(SYS_epoll_pwait, epoll_fd, events, most, timeout_ms, as_it_is, 8);
}

int getsockopt(int fd, int level, int option, void *restrict value, socklen_t *restrict len)
{
	return fails("getsockopt") ? -1 : (int)syscall(SYS_getsockopt, fd, level, option, value, len);
}

ssize_t read(int fd, void *to, size_t bytes) /* of an eventfd */
{
	return bytes == 8 && fails("read") ? -1 : (ssize_t)syscall(SYS_read, fd, to, bytes);
}
