/* fail_start.c - preloaded into a stage: FAIL_START="fopen EMFILE" in the environment lets each such call fail so. */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>

/* fails - whether this call is the one; errno is set then. */
static int fails(const char *call)
{
	static const struct {
		const char *name;
		int number;
	} errors[] = { { "EMFILE", EMFILE }, { "ENFILE", ENFILE }, { "ENOMEM", ENOMEM }, { "EIO", EIO },
		       { "EACCES", EACCES }, { "ENOSPC", ENOSPC }, { "ENOENT", ENOENT }, { "ENOBUFS", ENOBUFS },
		       { "EAGAIN", EAGAIN }, { "EINVAL", EINVAL } };
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

FILE *fopen(const char *file, const char *mode)
{
	FILE *(*real)(const char *, const char *) = (FILE * (*)(const char *, const char *)) next("fopen");

	return fails("fopen") ? NULL : real(file, mode);
}

int epoll_create1(int flags)
{
	int (*real)(int) = (int (*)(int))next("epoll_create1");

	return fails("epoll_create1") ? -1 : real(flags);
}

int epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
	int (*real)(int, int, int, struct epoll_event *) =
		(int (*)(int, int, int, struct epoll_event *))next("epoll_ctl");

	return fails("epoll_ctl") ? -1 : real(epoll, what, fd, event);
}

int getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	int (*real)(int, int, int, void *, socklen_t *) =
		(int (*)(int, int, int, void *, socklen_t *))next("getsockopt");

	return fails("getsockopt") ? -1 : real(fd, level, option, value, len);
}

int shm_open(const char *name, int flags, mode_t mode)
{
	int (*real)(const char *, int, mode_t) = (int (*)(const char *, int, mode_t))next("shm_open");

	return fails("shm_open") ? -1 : real(name, flags, mode);
}

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	void *(*real)(void *, size_t, int, int, int, off_t) =
		(void *(*)(void *, size_t, int, int, int, off_t))next("mmap");

	/* Of the segment only: the C library maps memory of its own. */
	return fd >= 0 && (flags & MAP_SHARED) && fails("mmap") ? MAP_FAILED
								: real(at, bytes, protection, flags, fd, offset);
}
