/* file.c - where the blocks go. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "version.h"

#define BUFFER_BYTES (1024 * KIB)
#define POLL_MS 50
#define STATISTICS_BYTES 64 /* of block_statistics() */
#define PATIENCE_NS NS_PER_S /* with a pipe, once the end was asked for */

/* Whatever else is there, such as a pipe with a name or a device, is written to as it is. */
static int open_there(const char *path)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);

	if (fd < 0)
		return -errno;
	return fd;
}

/* One of one's own, new, that nobody else can read. */
static int create(const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) == 0) {
		if (!S_ISREG(st.st_mode))
			return open_there(path);
		if (unlink(path) < 0)
			return -errno;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	return fd;
}

static int open_one(struct tape_file *f)
{
	struct stat st;

	f->fd = strcmp(f->path, "-") == 0 ? STDOUT_FILENO : create(f->path);
	if (f->fd < 0)
		return f->fd;
	f->is_regular = fstat(f->fd, &st) == 0 && S_ISREG(st.st_mode);
	return 0;
}

int file_open(struct tape_file *f)
{
	f->buffer = malloc(BUFFER_BYTES);
	if (!f->buffer)
		return -ENOMEM;
	f->head_bytes = block_section(f->head, "ontime tape " ONTIME_VERSION);
	memcpy(f->buffer, f->head, f->head_bytes);
	f->used = f->written_bytes = f->head_bytes;
	return open_one(f);
}

/* The end of the last block that lies before `done` as a whole; what comes behind it was not written. */
static size_t note_unwritten(struct tape_file *f, size_t done)
{
	size_t kept = 0;

	for (size_t at = 0; at < f->used;) {
		uint32_t type, interface;
		size_t bytes = block_read(f->buffer + at, &type, &interface);

		at += bytes;
		if (at <= done)
			kept = at;
		else if (type == BLOCK_PACKET)
			f->unwritten(f->arg, interface);
	}
	return kept;
}

/* To what may keep this program waiting: no more at a time than fits when the kernel says that something does. */
static ssize_t write_some(struct tape_file *f, const uint8_t *from, size_t n, uint64_t *asked_at_ns)
{
	struct pollfd p = { .fd = f->fd, .events = POLLOUT };

	if (f->is_regular)
		return write(f->fd, from, n);
	while (poll(&p, 1, POLL_MS) <= 0) {
		if (!f->must_end(f->arg))
			continue;
		if (*asked_at_ns == 0)
			*asked_at_ns = now_ns();
		if (now_ns() - *asked_at_ns > PATIENCE_NS) {
			errno = ETIMEDOUT;
			return -1;
		}
	}
	return write(f->fd, from, n < PIPE_BUF ? n : PIPE_BUF);
}

int file_flush(struct tape_file *f)
{
	uint64_t asked_at_ns = 0;
	size_t done = 0, kept;
	int err = 0;

	while (done < f->used && !err) {
		ssize_t n = write_some(f, f->buffer + done, f->used - done, &asked_at_ns);

		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR && errno != EAGAIN)
			err = -errno;
	}
	if (err) {
		kept = note_unwritten(f, done);
		if (f->is_regular && ftruncate(f->fd, (off_t)(f->written_bytes - f->used + kept)) < 0)
			err = -errno;
	}
	f->used = 0;
	return err;
}

static int close_one(struct tape_file *f)
{
	int err = file_flush(f);

	if (close(f->fd) < 0 && !err)
		err = -errno;
	f->fd = -1;
	return err;
}

/* FILE becomes FILE.1, FILE.1 becomes FILE.2, and the oldest is no more. */
static int move_along(const struct tape_file *f)
{
	char from[PATH_MAX], to[PATH_MAX];

	for (uint32_t i = f->n_files - 1; i > 0; i--) {
		int n = snprintf(to, sizeof(to), "%s.%u", f->path, i);

		if (n < 0 || (size_t)n >= sizeof(to))
			return -ENAMETOOLONG;
		if (i > 1)
			snprintf(from, sizeof(from), "%s.%u", f->path, i - 1);
		else
			snprintf(from, sizeof(from), "%s", f->path);
		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

static int begin_next(struct tape_file *f)
{
	int err = close_one(f);

	if (!err)
		err = move_along(f);
	if (!err)
		err = open_one(f);
	if (err)
		return err;
	memcpy(f->buffer, f->head, f->head_bytes);
	f->used = f->written_bytes = f->head_bytes;
	return 0;
}

int file_add(struct tape_file *f, const uint8_t *block, size_t bytes)
{
	int err = f->used + bytes > BUFFER_BYTES ? file_flush(f) : 0;

	if (err)
		return err;
	memcpy(f->buffer + f->used, block, bytes);
	f->used += bytes;
	f->written_bytes += bytes;
	return 0;
}

int file_declare(struct tape_file *f, const uint8_t *block, size_t bytes)
{
	if (f->head_bytes + bytes > sizeof(f->head))
		return -ENOSPC;
	memcpy(f->head + f->head_bytes, block, bytes);
	f->head_bytes += bytes;
	f->kept_free_bytes += STATISTICS_BYTES;
	return file_add(f, block, bytes);
}

static int has_room(const struct tape_file *f, size_t bytes)
{
	return !f->most_bytes || f->written_bytes + f->kept_free_bytes + bytes <= f->most_bytes;
}

int file_put(struct tape_file *f, const uint8_t *block, size_t bytes)
{
	int err;

	if (!has_room(f, bytes)) {
		if (f->n_files == 1)
			return FILE_FULL;
		err = begin_next(f);
		if (err)
			return err;
		if (!has_room(f, bytes))
			return FILE_FULL;
	}
	return file_add(f, block, bytes);
}

int file_close(struct tape_file *f)
{
	int err = f->fd >= 0 ? close_one(f) : 0;

	free(f->buffer);
	f->buffer = NULL;
	return err;
}
