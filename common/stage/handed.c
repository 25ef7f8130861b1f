/* handed.c - the descriptors that a program was started with, by name. */
#include "handed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

uint32_t handed_entry(const char *names, size_t *n)
{
	size_t end = strcspn(names, ":");

	*n = strcspn(names, ":*");
	return *n < end ? (uint32_t)strtoul(names + *n + 1, NULL, 10) : 1;
}

static int find(const char *name, uint32_t *of)
{
	const char *names = getenv("LISTEN_FDNAMES");
	size_t len = strlen(name), n;
	uint32_t fd = LISTEN_FIRST_FD;

	for (; names && *names; fd += *of) {
		*of = handed_entry(names, &n);
		if (n == len && strncmp(names, name, n) == 0)
			return (int)fd;
		names += strcspn(names, ":");
		names += *names == ':';
	}
	*of = 0;
	return -1;
}

int handed_shard(void)
{
	const char *number = getenv(SHARD_VARIABLE);
	long shard = number ? strtol(number, NULL, 10) : -1;

	return shard >= 0 && shard < MOST_SHARDS ? (int)shard : -1;
}

int handed_fd(const char *name)
{
	uint32_t of;
	int fd = find(name, &of), shard = handed_shard();

	return shard > 0 && shard < (int)of ? fd + shard : fd;
}

int handed_range(const char *class, const char *direction, uint32_t *n)
{
	char name[64];

	snprintf(name, sizeof(name), "%s.%s.0", class, direction);
	return find(name, n);
}

int handed_socket(const char *class, const char *direction, uint32_t i)
{
	char name[64];

	snprintf(name, sizeof(name), "%s.%s.%u", class, direction, i);
	return handed_fd(name);
}

void handed_close_others(int but_fd)
{
	const char *names = getenv("LISTEN_FDNAMES");
	unsigned int fd = LISTEN_FIRST_FD;
	size_t n;

	while (names && *names) {
		fd += handed_entry(names, &n);
		names += strcspn(names, ":");
		names += *names == ':';
	}
	if (but_fd > (int)fd)
		close_range(fd, (unsigned int)but_fd - 1, 0);
	close_range(but_fd >= (int)fd ? (unsigned int)but_fd + 1 : fd, ~0U, 0);
}

/* 0, or after one line why the descriptor is not the socket that the segment names. */
static int check_one(const struct segment *seg, int fd, uint64_t wanted)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	/* Of no socket, and where sockets have no cookies, it is 0. */
	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0 && errno != EBADF && errno != ENOTSOCK &&
	    errno != EINVAL && errno != ENOPROTOOPT) {
		int err = -errno;

		log_error("ask fd %d which socket it is: %s", fd, strerror(-err));
		return err;
	}
	if (cookie == wanted)
		return 0;
	log_error("fd %d is not the socket that segment %s was made for: run/stop.sh, then run/launch.sh", fd,
		  seg->name);
	return -EBADF;
}

/* A stage that needs none of them may have none. */
static int check_sessions(const struct segment *seg, uint32_t class)
{
	const struct class_entry *e = &seg->header.classes[class];
	uint32_t n = 0;
	int first = e->n_session_sockets ? handed_range(e->name, "via", &n) : -1, err = 0;

	for (uint32_t k = 0; !err && first >= 0 && k < n && k < e->n_session_sockets; k++)
		err = check_one(seg, first + (int)k, seg->views[class].sessions[k].cookie);
	return err;
}

int handed_check(const struct segment *seg)
{
	const struct header *h = &seg->header;
	const char *count = getenv("LISTEN_FDS");
	uint32_t handed = count ? (uint32_t)strtoul(count, NULL, 10) : 0;
	int err = 0;

	for (uint32_t i = 0; !err && i < h->n_sockets && i * seg->n_shards + seg->shard < handed; i++)
		err = check_one(seg, LISTEN_FIRST_FD + (int)(i * seg->n_shards + seg->shard), h->socket_cookies[i]);
	for (uint32_t class = 0; !err && handed && class < seg->n_classes; class++)
		err = check_sessions(seg, class);
	return err;
}
