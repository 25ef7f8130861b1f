/* names.c - what an instance has in its run directory. */
#include "names.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hold/directory.h"
#include "log.h"

#define LOG_MOST_BYTES (4 << 20)
#define LOG_KEPT_BYTES (1 << 18)

static const char *const file_names[N_NAMES] = { "supervisor.pid", "active.conf", "launched" };

void names_init(struct names *n, const char *directory)
{
	memset(n, 0, sizeof(*n));
	snprintf(n->directory, sizeof(n->directory), "%s", directory);
}

static int write_all(int fd, const char *text, size_t bytes)
{
	while (bytes > 0) {
		ssize_t n = write(fd, text, bytes);

		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		text += n;
		bytes -= (size_t)n;
	}
	return 0;
}

/* As openat2(2) does with RESOLVE_NO_SYMLINKS. A unit that restricts setuid bits takes that call away. */
static int open_without_links(const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	int at = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)), err = at < 0 ? -errno : 0;
	char parts[PATH_BYTES], *rest = parts;

	if (err != -ENOSYS || path[0] != '/')
		return err ? err : at;
	snprintf(parts, sizeof(parts), "%s", path);
	at = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (char *part = strtok_r(parts, "/", &rest); part && at >= 0; part = strtok_r(NULL, "/", &rest)) {
		int next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		err = -errno;
		close(at);
		at = next;
	}
	return at < 0 ? err : at;
}

int names_open_directory(const struct names *n)
{
	int at = open_without_links(n->directory);
	struct stat st;

	if (at < 0)
		return at;
	if (fstat(at, &st) == 0 && st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return at;
	close(at);
	return -EPERM;
}

/* Whole or not at all, for who reads it meanwhile. */
static int write_file(struct names *n, enum name which)
{
	int at = names_open_directory(n), fd, err;
	char fresh[32];

	n->is_stale[which] = 1;
	if (at < 0)
		return at;
	snprintf(fresh, sizeof(fresh), "%s.new", file_names[which]);
	unlinkat(at, fresh, 0);
	fd = openat(at, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	err = fd < 0 ? -errno : write_all(fd, n->text[which], n->text_bytes[which]);
	if (fd >= 0 && close(fd) < 0 && !err)
		err = -errno;
	if (!err && renameat(at, fresh, at, file_names[which]) < 0)
		err = -errno;
	if (err)
		unlinkat(at, fresh, 0);
	close(at);
	n->is_stale[which] = err != 0;
	return err;
}

int names_set(struct names *n, enum name which, const char *text, size_t bytes)
{
	char *copy;

	if (n->text[which] && n->text_bytes[which] == bytes && memcmp(n->text[which], text, bytes) == 0)
		return 0;
	copy = malloc(bytes + 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, text, bytes);
	copy[bytes] = 0;
	free(n->text[which]);
	n->text[which] = copy;
	n->text_bytes[which] = bytes;
	return write_file(n, which);
}

static int is_missing(const struct names *n, const char *file)
{
	char path[PATH_BYTES + 32];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", n->directory, file);
	return lstat(path, &st) < 0 && errno == ENOENT;
}

/* All who write to it do so at its end, so it can be cut under them. */
static void shorten_log(const struct names *n)
{
	static char tail[LOG_KEPT_BYTES];
	char path[PATH_BYTES + 32];
	struct stat st;
	ssize_t len;
	int fd;

	if (fstat(STDERR_FILENO, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= LOG_MOST_BYTES)
		return;
	snprintf(path, sizeof(path), "%s/log", n->directory);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	len = fd < 0 ? 0 : pread(fd, tail, sizeof(tail), st.st_size - LOG_KEPT_BYTES);
	if (fd >= 0)
		close(fd);
	if (ftruncate(STDERR_FILENO, 0) < 0 || len <= 0)
		return;
	if (write_all(STDERR_FILENO, tail, (size_t)len) == 0)
		log_warn("the log was %lld bytes long: the older ones are gone", (long long)st.st_size);
}

int names_keep(struct names *n)
{
	char path[PATH_BYTES], why[WHY_BYTES] = "";
	int err = 0, reopened = 0, any = 0;

	if (is_missing(n, ".") && directory_make(n->directory, path, why))
		err = -EACCES;
	for (int i = 0; i < N_NAMES && !err; i++)
		if (n->text[i] && (n->is_stale[i] || is_missing(n, file_names[i]))) {
			err = write_file(n, (enum name)i);
			any = 1;
		}
	if (!err) /* moved away, and a stage may have begun another already */
		reopened = log_reopen();
	if (err && !n->has_told)
		log_error("put the files of %s back: %s: trying again each second; nothing that runs needs them",
			  n->directory, why[0] ? why : log_text_of(-err));
	else if (any && !err)
		log_warn("files were gone from %s, or out of date: put back", n->directory);
	n->has_told = err != 0;
	shorten_log(n);
	return reopened;
}

void names_forget_pid(const struct names *n)
{
	int at = names_open_directory(n);

	if (at < 0)
		return;
	unlinkat(at, file_names[NAME_PID], 0);
	close(at);
}

void names_remove(const struct names *n)
{
	int at = names_open_directory(n);

	if (at < 0)
		return;
	for (int i = 0; i < N_NAMES; i++)
		unlinkat(at, file_names[i], 0);
	close(at);
	rmdir(n->directory); /* unless the log is in it */
}
