/* reload.c - a new configuration for a running instance. */
#include "reload.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "shm/segment.h"

#define MOST_BYTES (1 << 20)

static struct hosts hosts; /* of the configuration that is judged */

void reload_init(struct reload *r, const char *file, int config_fd, int argc, char *const *argv)
{
	*r = (struct reload){
		.file = file, .config_fd = config_fd, .argc = argc, .argv = argv, .asked_fd = -1, .lines_fd = -1
	};
}

/* What is logged from now on is kept too. */
static void listen_to(struct reload *r)
{
	r->said.text = r->lines;
	r->said.bytes = sizeof(r->lines);
	log_copy(&r->said);
}

/* All of a descriptor from its beginning; the caller frees it. NULL: errno says why. */
static char *read_all(int fd, size_t *bytes)
{
	char *text = malloc(MOST_BYTES);
	size_t len = 0;
	ssize_t n = 1;

	while (text && len < MOST_BYTES && (n = pread(fd, text + len, MOST_BYTES - len, (off_t)len)) > 0)
		len += (size_t)n;
	if (text && n >= 0 && len < MOST_BYTES) {
		*bytes = len;
		return text;
	}
	if (n >= 0)
		errno = EFBIG;
	free(text);
	return NULL;
}

/* One write, with blank lines over what was longer: whoever is killed in here leaves a whole configuration. */
static int put_locked(int fd, const char *text, size_t bytes)
{
	struct stat st;
	size_t whole;
	char *padded;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	whole = (size_t)st.st_size > bytes ? (size_t)st.st_size : bytes;
	padded = malloc(whole + 1);
	if (!padded)
		return -ENOMEM;
	memset(padded, '\n', whole + 1);
	memcpy(padded, text, bytes);
	n = pwrite(fd, padded, whole, 0);
	free(padded);
	if (n != (ssize_t)whole)
		return n < 0 ? -errno : -EIO;
	return ftruncate(fd, (off_t)bytes) < 0 ? -errno : 0;
}

static int put(int fd, const char *text, size_t bytes)
{
	char path[32];
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct timespec pause = { .tv_nsec = 5000000 };
	int own, err;

	/* A description of its own: the lock would outlive this process on one that the stages have too. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_RDWR | O_CLOEXEC);
	if (own < 0)
		return -errno;
	for (int i = 0; (err = fcntl(own, F_OFD_SETLK, &lock) < 0 ? -errno : 0) && i < 100; i++)
		nanosleep(
			&pause,
			/* a reader has it for a millisecond, unless it is stopped: nobody is waited for without end */
			NULL);
	if (!err)
		err = put_locked(own, text, bytes);
	close(own);
	return err;
}

/* What was read, in a place where nobody changes it: a descriptor, or -errno after a line in the log. */
static int keep(const struct reload *r, const char *text, size_t bytes)
{
	int fd = memfd_create("ontime-reload", MFD_CLOEXEC), err = fd < 0 ? -errno : put(fd, text, bytes);

	if (!err)
		return fd;
	log_error("reload %s: %s: nothing was changed", r->reads, log_text_of(-err));
	if (fd >= 0)
		close(fd);
	return err;
}

/* What was read, by the names that [hosts] has or that the resolver knows. `top`: look at this machine too. */
static int judge(const struct reload *r, int fd, host_ask *ask, const char *top, struct config *fresh)
{
	static char path[32], why[CONFIG_WHY_BYTES];
	struct config_source source = { path, r->argc, r->argv, &hosts, top, 0 };
	int err;

	setenv("ONTIME_CONFIG_NAME", r->reads, 1);
	hosts.ask = ask;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = config_load_as(fresh, &source, why, sizeof(why));
	setenv("ONTIME_CONFIG_NAME", r->file, 1); /* for stages that are started meanwhile */
	if (err)
		config_log_refusals(why, ": nothing was changed");
	return err;
}

static void end_answer(const struct reload *r, int status)
{
	if (write(r->lines_fd, r->lines, r->said.len) != (ssize_t)r->said.len)
		status = 1;
	_exit(status);
}

/* The process that asks: what it finds out is written behind what was read. */
static void answer(struct reload *r, int fd, pid_t parent)
{
	static struct config fresh;
	FILE *out;
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* it has the supervisor's lock too */
	r->said.len = 0;
	listen_to(r);
	if (getppid() != parent)
		_exit(1);
	err = judge(r, fd, hosts_ask_resolver, NULL, &fresh);
	if (err)
		end_answer(r, config_may_pass(err) ? RELOAD_FAILED : RELOAD_REFUSED);
	config_log_hosts(&fresh, &hosts);
	out = lseek(fd, 0, SEEK_END) < 0 ? NULL : fdopen(fd, "w");
	if (out)
		hosts_write(&hosts, out);
	err = !out || fclose(out);
	if (err)
		log_error("reload %s: %s: nothing was changed", r->reads, log_text_of(errno));
	end_answer(r, err ? RELOAD_FAILED : RELOAD_IN_FORCE);
}

static void close_lines(struct reload *r)
{
	if (r->lines_fd >= 0)
		close(r->lines_fd);
	r->lines_fd = -1;
}

/* A resolver may take its time, and stages that die meanwhile are not to wait for it. */
static enum reload_verdict start_asking(struct reload *r, int fd)
{
	pid_t parent = getpid(), pid;

	r->lines_fd = memfd_create("ontime-lines", MFD_CLOEXEC);
	pid = r->lines_fd < 0 ? -1 : fork();
	if (pid == 0)
		answer(r, fd, parent);
	r->asked_fd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (r->asked_fd >= 0) {
		r->asking = pid;
		r->answer_fd = fd;
		return RELOAD_ASKS;
	}
	log_error("reload %s: ask for its host names: %s: nothing was changed", r->reads, log_text_of(errno));
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	close(fd);
	close_lines(r);
	return RELOAD_FAILED;
}

static void stop_asking(struct reload *r)
{
	if (r->asked_fd < 0)
		return;
	kill(r->asking, SIGKILL); /* our own child, not waited for yet: nobody else can have its number */
	waitpid(r->asking, NULL, 0);
	close(r->asked_fd);
	close(r->answer_fd);
	close_lines(r);
	r->asked_fd = -1;
}

/* All names are known: it is put in force, or not. Closes fd. */
static enum reload_verdict finish(struct reload *r, int fd, struct config *config)
{
	static struct config fresh;
	size_t bytes = 0;
	char *text = read_all(fd, &bytes);
	int err = text ? judge(r, fd, NULL, ".", &fresh) : -errno, needs_relaunch = 0;

	close(fd);
	if (!text) {
		log_error("reload %s: %s: nothing was changed", r->reads, log_text_of(-err));
	} else if (!err && config_log_changes(config, &fresh, true)) {
		log_error("reload %s: some changes need a relaunch: nothing was changed", r->reads);
		needs_relaunch = 1;
	} else if (!err) {
		err = put(r->config_fd, text, bytes);
		if (err)
			log_error("reload %s: keep it for the stages: %s: nothing was changed", r->reads,
				  log_text_of(-err));
	}
	free(text);
	if (err)
		return config_may_pass(err) ? RELOAD_FAILED : RELOAD_REFUSED;
	if (needs_relaunch)
		return RELOAD_RELAUNCH;
	*config = fresh;
	return RELOAD_IN_FORCE;
}

static enum reload_verdict read_and_judge(struct reload *r, struct config *config)
{
	static struct config fresh;
	int fd = open(r->reads, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err;
	size_t bytes = 0;
	char *text = fd < 0 ? NULL : read_all(fd, &bytes);

	err = errno;
	if (!text)
		log_error("reload %s: %s: nothing was changed", r->reads, log_text_of(err));
	if (fd >= 0)
		close(fd);
	if (!text)
		return err == EMFILE || err == ENFILE || err == ENOMEM ? RELOAD_FAILED : RELOAD_REFUSED;
	if (bytes == 0) { /* an editor on a full disk: it is not the defaults that are wanted */
		free(text);
		log_error("reload %s: it is empty: nothing was changed", r->reads);
		return RELOAD_REFUSED;
	}
	fd = keep(r, text, bytes);
	free(text);
	if (fd < 0)
		return RELOAD_FAILED;
	err = judge(r, fd, NULL, NULL, &fresh);
	if (!err)
		return hosts.n_unknown ? start_asking(r, fd) : finish(r, fd, config);
	close(fd);
	return config_may_pass(err) ? RELOAD_FAILED : RELOAD_REFUSED;
}

enum reload_verdict reload_now(struct reload *r, const char *file, struct config *config)
{
	enum reload_verdict verdict;

	stop_asking(r); /* what it reads has been replaced */
	snprintf(r->reads, sizeof(r->reads), "%s", file ? file : r->file);
	r->number++;
	r->said.len = 0;
	r->lines[0] = '\0';
	listen_to(r);
	verdict = read_and_judge(r, config);
	log_copy(NULL);
	return verdict;
}

/* What the process that asked has logged. */
static void take_lines(struct reload *r)
{
	ssize_t n = pread(r->lines_fd, r->lines + r->said.len, sizeof(r->lines) - 1 - r->said.len, 0);

	r->said.len += n > 0 ? (size_t)n : 0;
	r->lines[r->said.len] = '\0';
	close_lines(r);
}

enum reload_verdict reload_answered(struct reload *r, struct config *config)
{
	int status = 0, fd = r->answer_fd;
	enum reload_verdict verdict = RELOAD_FAILED;

	waitpid(r->asking, &status, 0);
	close(r->asked_fd);
	r->asked_fd = -1;
	take_lines(r);
	listen_to(r);
	if (WIFEXITED(status) && WEXITSTATUS(status) == RELOAD_IN_FORCE) {
		verdict = finish(r, fd, config);
	} else {
		if (WIFEXITED(status))
			verdict = WEXITSTATUS(status) == RELOAD_REFUSED ? RELOAD_REFUSED : RELOAD_FAILED;
		else
			log_error("reload %s: asking for its host names ended: nothing was changed", r->reads);
		close(fd);
	}
	log_copy(NULL);
	return verdict;
}

void reload_publish(const struct reload *r, struct names *names)
{
	size_t bytes = 0;
	char *text = read_all(r->config_fd, &bytes);

	if (text)
		names_set(names, NAME_CONFIG, text, bytes);
	free(text);
}
