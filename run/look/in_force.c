/* in_force.c - the configuration an instance runs with, through /proc. */
#include "in_force.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/instance.h"
#include "log.h"

#define COMMAND_BYTES 16384 /* of a command line */
#define MAX_WORDS 128 /* of one */
#define COPY "/proc/self/fd/"

/* What a stage was started with: the copy of the config, and the keys that were given beside it. */
struct copy {
	char path[64]; /* /proc/PID/fd/N */
	char words[COMMAND_BYTES + 1];
	char *argv[MAX_WORDS];
	int argc; /* argv[0] is the stage's name */
};

static int read_words(uint32_t pid, struct copy *copy)
{
	char command[32];
	int fd;
	ssize_t n;

	snprintf(command, sizeof(command), "/proc/%u/cmdline", pid);
	fd = open(command, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, copy->words, COMMAND_BYTES);
	close(fd);
	copy->words[n > 0 ? n : 0] = '\0';
	return n > 0 ? (int)n : -1;
}

/* The stage's `-c` names its own descriptor N. -1: it does not. */
static int find_copy(uint32_t pid, struct copy *copy)
{
	int bytes = read_words(pid, copy), is_file = 0;

	copy->path[0] = '\0';
	copy->argc = 0;
	for (char *at = copy->words; at < copy->words + bytes && copy->argc < MAX_WORDS; at += strlen(at) + 1) {
		if (is_file && strncmp(at, COPY, strlen(COPY)) == 0)
			snprintf(copy->path, sizeof(copy->path), "/proc/%u/fd/%.20s", pid, at + strlen(COPY));
		if (!is_file && strcmp(at, "-c") != 0)
			copy->argv[copy->argc++] = at;
		is_file = !is_file && strcmp(at, "-c") == 0;
	}
	return copy->path[0] ? 0 : -1;
}

/* Of whichever stage is alive: all of them have the same one. */
static int find_any_copy(const struct view *now, struct copy *copy, struct stat *st)
{
	for (uint32_t i = 0; i < N_STAGES * view_shards(now); i++) {
		uint32_t pid = view_stage(now, i / N_STAGES, i % N_STAGES)->pid;

		if (pid && find_copy(pid, copy) == 0 && stat(copy->path, st) == 0 && S_ISREG(st->st_mode))
			return 0;
	}
	return -1;
}

/* It is opened anew and read by a descriptor of ours, since only such a file has its lock waited for (file.c). */
static int read_copy(const struct copy *copy, struct config *c, char *why, size_t why_bytes)
{
	char own[32];
	int fd = open(copy->path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0) {
		snprintf(why, why_bytes, "%s: it is gone", copy->path);
		return -1;
	}
	snprintf(own, sizeof(own), COPY "%d", fd);
	err = config_load(c, own, copy->argc, copy->argv, why, why_bytes);
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
	static struct copy copy;
	struct stat st;
	char why[WHY_BYTES];

	memset(f->changes, 0, sizeof(f->changes));
	if (!now || now->created_at_ns != f->created_at_ns)
		f->is_known = 0;
	if (!now || find_any_copy(now, &copy, &st))
		return;
	if (f->is_known && st.st_ino == f->inode && st.st_mtim.tv_sec == f->written_at.tv_sec &&
	    st.st_mtim.tv_nsec == f->written_at.tv_nsec)
		return;
	if (read_copy(&copy, &fresh, why, sizeof(why)))
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

int in_force_load(struct config *c, const char *instance, int argc, char *const *argv)
{
	static struct viewer viewer;
	static struct view now;
	static struct copy copy;
	static char why[CONFIG_WHY_BYTES];
	char name[INSTANCE_NAME_BYTES];
	struct stat st;
	int err;

	if (instance_choose(name, instance, NULL))
		return IN_FORCE_WRONG;
	viewer_open(&viewer, name);
	err = viewer_look(&viewer, &now, why);
	viewer_close(&viewer);
	if (err) {
		log_error("%s", why);
		return IN_FORCE_CANNOT;
	}
	if (find_any_copy(&now, &copy, &st)) {
		log_error("instance '%s': from here it cannot be seen which config it runs with: give it with -c",
			  instance);
		return IN_FORCE_CANNOT;
	}
	for (int i = 1; i < argc && copy.argc < MAX_WORDS; i++)
		copy.argv[copy.argc++] = argv[i];
	if (read_copy(&copy, c, why, sizeof(why)) == 0)
		return 0;
	config_log_refusals(why, "");
	return IN_FORCE_WRONG;
}

uint32_t in_force_marks(const struct in_force *f, const struct view *now)
{
	int is_known = f->is_known && f->config.n_classes == now->n_classes;
	uint32_t marks = 0;

	for (uint32_t i = 0; i < now->n_classes; i++)
		if (now->classes[i].account.marked_pkts || (is_known && f->config.classes[i].ecn == ECN_MARK))
			marks |= 1u << i;
	return marks;
}
