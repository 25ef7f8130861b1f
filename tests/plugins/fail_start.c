/*
 * fail_start.c - preloaded into a stage: FAIL_START="fopen EMFILE" in the environment lets each such call fail so. A
 * stage that gets ready all the same is asked to stop then, so that a test need not wait.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LARGE_BYTES 4096 /* what the C library asks for on its own account is less */

/* fails - whether this call is the one; errno is set then. */
static int fails(const char *call)
{
	static const struct {
		const char *name;
		int number;
	} errors[] = { { "EMFILE", EMFILE }, { "ENFILE", ENFILE }, { "ENOMEM", ENOMEM }, { "EIO", EIO },
		       { "EACCES", EACCES }, { "ENOSPC", ENOSPC }, { "ENOENT", ENOENT }, { "ENOBUFS", ENOBUFS },
		       { "EAGAIN", EAGAIN }, { "EINVAL", EINVAL }, { "ENOLCK", ENOLCK } };
	const char *wanted = getenv("FAIL_START");
	size_t len = strlen(call);

	if (!wanted || strncmp(wanted, call, len) != 0 || wanted[len] != ' ')
		return 0;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(wanted + len + 1, errors[i].name) == 0) {
			errno = errors[i].number;
			return 1;
		}
	fprintf(stderr, "fail_start: %s: unknown error\n", wanted);
	abort();
}

/* next - the function of that name that would have been called. */
static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

/* STAND_IN - a function of the C library that fails when it is asked to, and then returns `failure`. */
#define STAND_IN(type, name, failure, parameters, arguments)                                                           \
	type name parameters                                                                                           \
	{                                                                                                              \
		type(*real) parameters = (type(*) parameters)(uintptr_t)next(#name);                                   \
                                                                                                                       \
		return fails(#name) ? failure : real arguments;                                                        \
	}

STAND_IN(FILE *, fopen, NULL, (const char *restrict file, const char *restrict mode), (file, mode))
STAND_IN(DIR *, opendir, NULL, (const char *name), (name))
STAND_IN(int, fstat, -1, (int fd, struct stat *st), (fd, st))
STAND_IN(int, stat, -1, (const char *restrict file, struct stat *restrict st), (file, st))
STAND_IN(int, shm_open, -1, (const char *name, int flags, mode_t mode), (name, flags, mode))
STAND_IN(int, mlock2, -1, (const void *at, size_t bytes, unsigned int flags), (at, bytes, flags))
STAND_IN(int, epoll_create1, -1, (int flags), (flags))
STAND_IN(int, epoll_ctl, -1, (int epoll, int what, int fd, struct epoll_event *event), (epoll, what, fd, event))
STAND_IN(int, socket, -1, (int domain, int type, int protocol), (domain, type, protocol))
STAND_IN(int, getsockopt, -1, (int fd, int level, int option, void *restrict value, socklen_t *restrict len),
	 (fd, level, option, value, len))
STAND_IN(int, setsockopt, -1, (int fd, int level, int option, const void *value, socklen_t len),
	 (fd, level, option, value, len))
STAND_IN(int, timer_create, -1, (clockid_t clock, struct sigevent *restrict event, timer_t *restrict timer),
	 (clock, event, timer))
STAND_IN(int, timer_settime, -1,
	 (timer_t timer, int flags, const struct itimerspec *restrict to, struct itimerspec *restrict was),
	 (timer, flags, to, was))
STAND_IN(int, sched_getaffinity, -1, (pid_t pid, size_t bytes, cpu_set_t *set), (pid, bytes, set))
STAND_IN(int, sched_setaffinity, -1, (pid_t pid, size_t bytes, const cpu_set_t *set), (pid, bytes, set))
STAND_IN(unsigned int, if_nametoindex, 0, (const char *name), (name))

int connect(int fd, const struct sockaddr *to, socklen_t len)
{
	return fails("connect") ? -1 : (int)syscall(SYS_connect, fd, to, len);
}

int getsockname(int fd, struct sockaddr *restrict at, socklen_t *restrict len)
{
	return fails("getsockname") ? -1 : (int)syscall(SYS_getsockname, fd, at, len);
}

int getpeername(int fd, struct sockaddr *restrict at, socklen_t *restrict len)
{
	return fails("getpeername") ? -1 : (int)syscall(SYS_getpeername, fd, at, len);
}

int getrlimit(__rlimit_resource_t which, struct rlimit *limit)
{
	const struct rlimit *as_it_is = NULL;

	return fails("getrlimit") ? -1 : (int)syscall(SYS_prlimit64, 0, which, as_it_is, limit);
}

int open(const char *file, int flags, ...)
{
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	return fails("open") ? -1 : (int)syscall(SYS_openat, AT_FDCWD, file, flags, mode);
}

int fcntl(int fd, int command, ...)
{
	va_list args;
	void *argument;

	va_start(args, command);
	argument = va_arg(args, void *);
	va_end(args);
	return fails("fcntl") ? -1 : (int)syscall(SYS_fcntl, fd, command, argument);
}

int prctl(int option, ...)
{
	va_list args;
	unsigned long argument;

	va_start(args, option);
	argument = va_arg(args, unsigned long);
	va_end(args);
	return fails("prctl") ? -1 : (int)syscall(SYS_prctl, option, argument, 0, 0, 0);
}

__attribute__((no_sanitize("address"))) /* it reads six arguments, however many there are */
long syscall(long number, ...)
{
	long (*real)(long, ...) = (long (*)(long, ...))(uintptr_t)next("syscall");
	int is_sched = number == SYS_sched_setattr || number == SYS_sched_getattr;
	va_list args;
	long a[6];

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	return is_sched && fails("sched_setattr") ? -1 : real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	void *(*real)(void *, size_t, int, int, int, off_t) =
		(void *(*)(void *, size_t, int, int, int, off_t))(uintptr_t)next("mmap");

	/* Of the segment only: the C library maps memory of its own. */
	return fd >= 0 && (flags & MAP_SHARED) && fails("mmap") ? MAP_FAILED
								: real(at, bytes, protection, flags, fd, offset);
}

void *__libc_calloc(size_t n, size_t bytes);

void *calloc(size_t n, size_t bytes)
{
	return n * bytes >= LARGE_BYTES && fails("calloc") ? NULL : __libc_calloc(n, bytes);
}

void *dlopen(const char *file, int flags)
{
	void *(*real)(const char *, int) = (void *(*)(const char *, int))(uintptr_t)next("dlopen");

	return fails("dlopen") ? real("/nonexistent: Cannot allocate memory", flags) : real(file, flags);
}

/* The log line of a stage that is ready. */
ssize_t write(int fd, const void *from, size_t bytes)
{
	ssize_t wrote = (ssize_t)syscall(SYS_write, fd, from, bytes);

	if (getenv("FAIL_START") && fd == STDERR_FILENO && memmem(from, bytes, ": ready (", 9))
		raise(SIGTERM);
	return wrote;
}
