/* hold_directory.c - a directory that only this user can change. */
#include "hold_directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The longest part of the path that is there, without links; the rest as given. */
static int true_path(const char *name, char path[PATH_BYTES])
{
	char there[PATH_MAX], found[PATH_MAX];
	size_t len = strlen(name);

	if (len == 0 || name[0] != '/' || len >= PATH_BYTES - 1)
		return -ENAMETOOLONG;
	memcpy(there, name, len + 1);
	while (!realpath(there, found)) {
		char *slash = strrchr(there, '/');
		struct stat st;

		if (errno != ENOENT || lstat(there, &st) == 0) /* a link to nowhere: nothing is made where it points */
			return errno == ENOENT ? -ELOOP : -errno;
		if (slash == there)
			slash++;
		*slash = 0;
	}
	if (strstr(name + strlen(there), "/..") ||
	    snprintf(path, PATH_BYTES, "%s%s", strcmp(found, "/") == 0 ? "" : found, name + strlen(there)) >=
		    PATH_BYTES)
		return -ENAMETOOLONG;
	return 0;
}

static const char *judge_directory(const struct stat *st, int is_last)
{
	if (st->st_uid != geteuid() && (is_last || st->st_uid != 0))
		return "it belongs to another user";
	if (!is_last && (st->st_mode & (S_IWGRP | S_IWOTH)) && !(st->st_mode & S_ISVTX))
		return "others may put things into it";
	return NULL;
}

/* One step down, and made if it is not there. The new descriptor, or -errno; *wrong: why not. */
static int step_down(int at, const char *part, int is_last, const char **wrong)
{
	struct stat st;
	int fd, err;

	if (mkdirat(at, part, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = fstat(fd, &st) < 0 ? -errno : 0;
	*wrong = err ? NULL : judge_directory(&st, is_last);
	if (!err && !*wrong && is_last && (st.st_mode & 0077) && fchmod(fd, 0700) < 0)
		err = -errno;
	if (!err && !*wrong)
		return fd;
	close(fd);
	return err ? err : -EPERM;
}

int directory_make(const char *name, char path[PATH_BYTES], char why[WHY_BYTES])
{
	int at = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = true_path(name, path);
	char rest[PATH_BYTES], *save = NULL, *part;
	const char *wrong = NULL;

	snprintf(rest, sizeof(rest), "%s", err ? "" : path);
	part = strtok_r(rest, "/", &save);
	while (!err && part) {
		char *next = strtok_r(NULL, "/", &save);
		int fd = step_down(at, part, next == NULL, &wrong);

		close(at);
		at = fd;
		err = fd < 0 ? fd : 0;
		if (!err)
			part = next;
	}
	if (at >= 0)
		close(at);
	if (err)
		snprintf(why, WHY_BYTES, "run directory %s: %s%s%s: name another place with ONTIME_RUN_DIR", name,
			 part ? part : "", part ? ": " : "", wrong ? wrong : strerror(-err));
	return err;
}
