/* find.c - find an instance by the processes that have its segment open. */
#include "find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "decimal.h"
#include "segment.h"

#define DELETED " (deleted)"
#define PATH_ROOM 64

struct search {
	char want[SEGMENT_NAME_BYTES + 16]; /* the link's text up to the layout's version */
	size_t want_len;
	int (*look)(struct search *s, pid_t pid, int fd, const char *link); /* 1: enough of this process */
	int flags, fd; /* of segment_find() */
	int err; /* a process could not be asked for want of something that may be there the next time; else 0 */
	int n_found;
	void (*found)(void *arg, pid_t pid);
	void *arg;
};

int find_is_shortage(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -ENOBUFS || err == -EAGAIN;
}

static void note_shortage(struct search *s, int has_worked)
{
	if (!has_worked && find_is_shortage(-errno))
		s->err = -errno;
}

static pid_t number(const char *text)
{
	const char *end;
	uint64_t n;

	return decimal_whole(text, INT32_MAX, &n, &end) == 0 && *end == 0 ? (pid_t)n : 0;
}

static int link_matches(const struct search *s, const char *link)
{
	size_t digits = strncmp(link, s->want, s->want_len) == 0 ? strspn(link + s->want_len, "0123456789") : 0;
	const char *rest = link + s->want_len + digits;

	return digits > 0 && (*rest == 0 || strcmp(rest, DELETED) == 0);
}

static void look_into(struct search *s, pid_t pid)
{
	char path[PATH_ROOM], link[256];
	DIR *dir;
	struct dirent *e;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	note_shortage(s, dir != NULL);
	while (dir && (e = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = 0;
		if (link_matches(s, link) && s->look(s, pid, atoi(e->d_name), link))
			break;
	}
	if (dir)
		closedir(dir);
}

static void want(struct search *s, const char *instance)
{
	s->want_len = (size_t)snprintf(s->want, sizeof(s->want), "/dev/shm/ontime.%s.v", instance);
}

static void search_all(struct search *s, const char *instance)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;

	note_shortage(s, dir != NULL);
	want(s, instance);
	while (dir && (e = readdir(dir))) {
		pid_t pid = number(e->d_name);

		if (pid && pid != getpid() && s->fd < 0)
			look_into(s, pid);
	}
	if (dir)
		closedir(dir);
}

/* An observer has it open for reading only: it keeps no instance alive. */
static int is_writer(pid_t pid, int fd)
{
	char path[PATH_ROOM], line[64];
	unsigned int flags = 0;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	info = fopen(path, "re");
	while (info && fgets(line, sizeof(line), info))
		if (sscanf(line, "flags: %o", &flags) == 1)
			break;
	if (info)
		fclose(info);
	return (flags & O_ACCMODE) == O_RDWR;
}

/* This user's, and in the /dev/shm that is seen from here: a container's root has the same names elsewhere. */
static int is_ours(const char *path)
{
	struct stat st, shm;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && stat("/dev/shm", &shm) == 0 &&
	       st.st_dev == shm.st_dev;
}

static int open_it(struct search *s, pid_t pid, int fd, const char *link)
{
	char path[PATH_ROOM], version[16];
	size_t n = (size_t)snprintf(version, sizeof(version), "%d", LAYOUT_VERSION);

	/* One that has its name still is found by its name. */
	if (strncmp(link + s->want_len, version, n) != 0 || strcmp(link + s->want_len + n, DELETED) != 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	if (!is_ours(path) || !is_writer(pid, fd)) /* what it is now is looked at once more when it is open */
		return 0;
	s->fd = open(path, s->flags | O_NONBLOCK);
	note_shortage(s, s->fd >= 0);
	return s->fd >= 0;
}

int segment_find(const char *instance, int flags)
{
	struct search s = { .look = open_it, .flags = flags, .fd = -1 };

	search_all(&s, instance);
	return s.fd >= 0 ? s.fd : s.err ? s.err : -ENOENT;
}

static int report_writer(struct search *s, pid_t pid, int fd, const char *link)
{
	char path[PATH_ROOM];

	(void)link;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	if (!is_ours(path) || !is_writer(pid, fd))
		return 0;
	s->n_found++;
	if (s->found)
		s->found(s->arg, pid);
	return 1;
}

int segment_each_user(const char *instance, void (*found)(void *arg, pid_t pid), void *arg)
{
	struct search s = { .look = report_writer, .fd = -1, .found = found, .arg = arg };

	search_all(&s, instance);
	return s.n_found;
}

int segment_has_user(const char *instance, pid_t pid)
{
	struct search s = { .look = report_writer, .fd = -1 };

	want(&s, instance);
	look_into(&s, pid);
	return s.n_found > 0;
}
