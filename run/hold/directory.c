/* directory.c - a directory that only this user can change. */
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define MOST_LINKS 40

/* A walk from the root down, one name at a time. */
struct walk {
	int at; /* the directory reached; -1: none */
	char path[PATH_BYTES]; /* of it, without links; "" is the root */
	char rest[PATH_MAX]; /* still to go */
	int n_links;
	const char *wrong; /* why not, when the reason is not an errno */
};

static const char *judge_directory(const struct stat *st, int is_last)
{
	if (st->st_uid != geteuid() && (is_last || st->st_uid != 0))
		return "it belongs to another user";
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) && (is_last || !(st->st_mode & S_ISVTX)))
		return "others may put things into it";
	return NULL;
}

/* What a link says is taken from root and from this user only: in /tmp anybody can make one. */
static int follow_link(struct walk *w, const char *part, const struct stat *st)
{
	char target[PATH_MAX], rest[2 * PATH_MAX];
	ssize_t n;

	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		w->wrong = "it is a link of another user";
		return -EPERM;
	}
	if (++w->n_links > MOST_LINKS)
		return -ELOOP;
	n = readlinkat(w->at, part, target, sizeof(target) - 1);
	if (n <= 0)
		return n < 0 ? -errno : -ENOENT;
	target[n] = 0;
	if (snprintf(rest, sizeof(rest), "%s/%s", target, w->rest) >= (int)sizeof(w->rest))
		return -ENAMETOOLONG;
	memcpy(w->rest, rest, strlen(rest) + 1);
	if (target[0] != '/')
		return 0;
	w->path[0] = 0;
	close(w->at);
	w->at = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return w->at < 0 ? -errno : 0;
}

static int enter(struct walk *w, const char *part)
{
	int fd = openat(w->at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	size_t len = strlen(w->path);

	if (fd < 0)
		return -errno;
	close(w->at);
	w->at = fd;
	if (strcmp(part, "..") == 0) {
		char *slash = strrchr(w->path, '/');

		if (slash)
			*slash = 0;
		return 0;
	}
	return snprintf(w->path + len, PATH_BYTES - len, "/%s", part) >= (int)(PATH_BYTES - len) ? -ENAMETOOLONG : 0;
}

/* One name further: made if it is not there, followed if it is a link. */
static int step(struct walk *w, const char *part)
{
	struct stat st;
	int err, is_last;

	if (mkdirat(w->at, part, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (fstatat(w->at, part, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return follow_link(w, part, &st);
	err = enter(w, part);
	if (!err && fstat(w->at, &st) < 0)
		err = -errno;
	is_last = strspn(w->rest, "/.") == strlen(w->rest);
	w->wrong = err ? NULL : judge_directory(&st, is_last);
	return w->wrong ? -EPERM : err;
}

static int walk_down(struct walk *w, char part[NAME_MAX + 1])
{
	int err = w->at < 0 ? -errno : 0;

	for (;;) {
		size_t skip = strspn(w->rest, "/"), len = strcspn(w->rest + skip, "/");

		if (err || len == 0)
			return err;
		if (len > NAME_MAX)
			return -ENAMETOOLONG;
		memcpy(part, w->rest + skip, len);
		part[len] = 0;
		memmove(w->rest, w->rest + skip + len, strlen(w->rest + skip + len) + 1);
		if (strcmp(part, ".") != 0)
			err = step(w, part);
	}
}

/* The directory, open; its true path is in w->path. */
static int open_directory(struct walk *w, const char *name, char why[WHY_BYTES])
{
	char part[NAME_MAX + 1] = "";
	int err = name[0] == '/' && strlen(name) < sizeof(w->rest) ? 0 : -ENAMETOOLONG;

	memset(w, 0, sizeof(*w));
	w->at = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (!err) {
		snprintf(w->rest, sizeof(w->rest), "%s", name);
		err = walk_down(w, part);
	}
	if (!err && w->path[0] == 0)
		err = -EISDIR; /* the root itself */
	if (!err)
		return 0;
	snprintf(why, WHY_BYTES, "run directory %s: %.64s%s%s: name another place with ONTIME_RUN_DIR", name, part,
		 *part ? ": " : "", w->wrong ? w->wrong : log_text_of(-err));
	if (w->at >= 0)
		close(w->at);
	return err;
}

int directory_make(const char *name, char path[PATH_BYTES], char why[WHY_BYTES])
{
	static struct walk w;
	int err = open_directory(&w, name, why);

	if (err)
		return err;
	close(w.at);
	memcpy(path, w.path, PATH_BYTES);
	return 0;
}

/* A file that nobody else can open cannot be locked by anybody else either. */
static int make_lock(int at)
{
	struct stat st;
	int fd;

	if (fstatat(at, DIRECTORY_LOCK, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1 || (st.st_mode & 0077)) &&
	    unlinkat(at, DIRECTORY_LOCK, 0) < 0)
		return -errno;
	fd = openat(at, DIRECTORY_LOCK, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int directory_make_lock(const char *name, char path[PATH_BYTES], char why[WHY_BYTES])
{
	static struct walk w;
	int err = open_directory(&w, name, why);

	if (err)
		return err;
	err = make_lock(w.at);
	if (err)
		snprintf(why, WHY_BYTES, "make %s/%s: %s: name another place with ONTIME_RUN_DIR", w.path,
			 DIRECTORY_LOCK, log_text_of(-err));
	close(w.at);
	memcpy(path, w.path, PATH_BYTES);
	return err;
}
