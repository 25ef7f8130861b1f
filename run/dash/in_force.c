/* in_force.c - the configuration an instance runs with, through /proc. */
#include "in_force.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMAND_BYTES 256 /* of a command line: the program's path and its first arguments */
#define COPY "/proc/self/fd/"

/* "/proc/PID/fd/N", where the stage's `-c` names its own descriptor N. -1: it does not. */
static int find_copy(uint32_t pid, char path[64])
{
	char words[COMMAND_BYTES + 1] = "", command[32];
	const char *at = words, *end = words;
	int fd;
	ssize_t n;

	snprintf(command, sizeof(command), "/proc/%u/cmdline", pid);
	fd = open(command, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, words, COMMAND_BYTES);
	close(fd);
	end += n > 0 ? n : 0;
	while (at < end && strcmp(at, "-c") != 0)
		at += strlen(at) + 1;
	at += sizeof("-c");
	if (at >= end || strncmp(at, COPY, strlen(COPY)) != 0)
		return -1;
	snprintf(path, 64, "/proc/%u/fd/%.20s", pid, at + strlen(COPY));
	return 0;
}

/* Of whichever stage is alive: all of them have the same one. */
static int find_any_copy(const struct view *now, char path[64], struct stat *st)
{
	for (int i = 0; i < N_STAGES; i++)
		if (now->stages[i].pid && find_copy(now->stages[i].pid, path) == 0 && stat(path, st) == 0 &&
		    S_ISREG(st->st_mode))
			return 0;
	return -1;
}

/* It is opened anew and read by a descriptor of ours, since only such a file has its lock waited for (file.c). */
static int read_copy(const char *path, struct config *c)
{
	char own[32], why[WHY_BYTES];
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return -1;
	snprintf(own, sizeof(own), COPY "%d", fd);
	err = config_load(c, own, 0, NULL, why, sizeof(why));
	close(fd);
	return err;
}

/* The lines of config_explain_changes(), as many as fit. */
static void explain(struct in_force *f, const struct config *fresh)
{
	FILE *out = fmemopen(f->changes, sizeof(f->changes) - 1, "w");
	char *end;

	if (!out)
		return;
	config_explain_changes(&f->config, fresh, out);
	fclose(out);
	end = strrchr(f->changes, '\n');
	*(end ? end : f->changes) = '\0';
}

void in_force_look(struct in_force *f, const struct view *now)
{
	static struct config fresh;
	struct stat st;
	char path[64];

	memset(f->changes, 0, sizeof(f->changes));
	if (!now || now->created_at_ns != f->created_at_ns)
		f->is_known = 0;
	if (!now || find_any_copy(now, path, &st))
		return;
	if (f->is_known && st.st_ino == f->inode && st.st_mtim.tv_sec == f->written_at.tv_sec &&
	    st.st_mtim.tv_nsec == f->written_at.tv_nsec)
		return;
	if (read_copy(path, &fresh))
		return;
	if (f->is_known)
		explain(f, &fresh);
	f->config = fresh;
	f->is_known = 1;
	f->created_at_ns = now->created_at_ns;
	f->inode = st.st_ino;
	f->written_at = st.st_mtim;
}

int in_force_find(struct in_force *f, const char *instance)
{
	static struct viewer viewer;
	static struct view now;
	char why[WHY_BYTES];

	viewer_open(&viewer, instance);
	if (viewer_look(&viewer, &now, why) == 0)
		in_force_look(f, &now);
	viewer_close(&viewer);
	return f->is_known ? 0 : -1;
}
