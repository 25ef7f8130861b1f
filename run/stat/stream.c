/* stream.c - looks at an instance as lines of JSON. */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "look/json.h"
#include "look/wait.h"

#define DONE 1 /* the reader is gone: nothing is wrong, and nothing is left to do */

static const char *name_of(const struct recorder *s)
{
	return s->file ? s->file : "standard output";
}

/* Part of a line is in the file: take it back, so that what is there stays readable, unless somebody wrote after it. */
static void take_back(int fd, off_t written)
{
	struct stat st;

	if (written > 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == lseek(fd, 0, SEEK_CUR) &&
	    ftruncate(fd, st.st_size - written) < 0)
		log_warn("the last line is incomplete: %s", strerror(errno));
}

/* 0, DONE, or -errno. */
static int write_line(int fd, const char *line, size_t bytes)
{
	size_t done = 0;

	while (done < bytes) {
		ssize_t n = write(fd, line + done, bytes - done);
		int err = n < 0 ? errno : 0;

		if (n >= 0) {
			done += (size_t)n;
		} else if (err == EPIPE) {
			return DONE;
		} else if (err != EINTR) {
			take_back(fd, (off_t)done);
			return -err;
		}
	}
	return 0;
}

static int write_look(const struct recorder *s, int fd, const struct stat_line *content)
{
	char *line = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&line, &bytes);
	int err;

	if (!out)
		return -ENOMEM;
	stat_json(out, content);
	err = fclose(out) ? -ENOMEM : write_line(fd, line, bytes);
	free(line);
	if (err < 0)
		log_error("write to %s: %s: it ends here%s", name_of(s), strerror(-err),
			  err == -ENOSPC ? "; make room and start it again" : "");
	return err;
}

/* One look. 0, DONE, or -errno of writing it. */
static int look_once(const struct recorder *s, struct viewer *viewer, int fd, int *is_waiting)
{
	static struct view now, before;
	static struct health health;
	const struct stat_line content = { s->instance, &now, &before, &health, s->buckets };
	char why[WHY_BYTES];
	int err;

	before = now;
	err = viewer_look(viewer, &now, why);
	if (err == -EAGAIN) /* counts that would not hold still: the next look is not far */
		return 0;
	if (err && !*is_waiting)
		log_warn("waiting: %s", why);
	else if (!err && *is_waiting)
		log_info("instance '%s' is running again", s->instance);
	*is_waiting = err != 0;
	if (err)
		return 0;
	health_note(&health, &now);
	return write_look(s, fd, &content);
}

int stat_stream(const struct recorder *s)
{
	int fd = STDOUT_FILENO, is_waiting = 0, status;
	uint64_t next_ns = now_ns();
	static struct viewer viewer;

	wait_begin();
	if (s->file) {
		fd = open(s->file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
		if (fd < 0) {
			log_error("open %s to append: %s", s->file, strerror(errno));
			return 1;
		}
	}
	viewer_open(&viewer, s->instance);
	viewer_shard(&viewer, s->shard);
	do {
		status = look_once(s, &viewer, fd, &is_waiting);
		next_ns += s->interval_ns;
		if (next_ns < now_ns()) /* we were stopped for a while */
			next_ns = now_ns() + s->interval_ns;
	} while (status == 0 && wait_until(next_ns, -1) != WAITED_END);
	viewer_close(&viewer);
	if (s->file && close(fd) < 0 && status == 0) {
		log_error("close %s: %s", s->file, strerror(errno));
		return 1;
	}
	return status < 0 ? 1 : 0;
}
