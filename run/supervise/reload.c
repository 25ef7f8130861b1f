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
	*r = (struct reload){ .file = file, .config_fd = config_fd, .argc = argc, .argv = argv, .asked_fd = -1 };
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
	log_error("reload %s: %s: nothing was changed", r->file, log_text_of(-err));
	if (fd >= 0)
		close(fd);
	return err;
}

/* What was read, by the names that [hosts] has or that the resolver knows. `top`: look at this machine too. */
static int judge(const struct reload *r, int fd, host_ask *ask, const char *top, struct config *fresh)
{
	static char path[32], why[CONFIG_WHY_BYTES];
	struct config_source source = { path, r->argc, r->argv, &hosts, top };
	int err;

	hosts.ask = ask;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = config_load_as(fresh, &source, why, sizeof(why));
	if (err)
		config_log_refusals(why, ": nothing was changed");
	return err;
}

/* The process that asks: what it finds out is written behind what was read. */
static void answer(const struct reload *r, int fd, pid_t parent)
{
	static struct config fresh;
	FILE *out;
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* it has the supervisor's lock too */
	if (getppid() != parent || judge(r, fd, hosts_ask_resolver, NULL, &fresh))
		_exit(1);
	config_log_hosts(&fresh, &hosts);
	out = lseek(fd, 0, SEEK_END) < 0 ? NULL : fdopen(fd, "w");
	if (out)
		hosts_write(&hosts, out);
	err = !out || fclose(out);
	if (err)
		log_error("reload %s: %s: nothing was changed", r->file, log_text_of(errno));
	_exit(err);
}

/* A resolver may take its time, and stages that die meanwhile are not to wait for it. */
static int start_asking(struct reload *r, int fd)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		answer(r, fd, parent);
	r->asked_fd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (r->asked_fd >= 0) {
		r->asking = pid;
		r->answer_fd = fd;
		return RELOAD_ASKS;
	}
	log_error("reload %s: ask for its host names: %s: nothing was changed", r->file, log_text_of(errno));
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	close(fd);
	return -1;
}

static void stop_asking(struct reload *r)
{
	if (r->asked_fd < 0)
		return;
	kill(r->asking, SIGKILL); /* our own child, not waited for yet: nobody else can have its number */
	waitpid(r->asking, NULL, 0);
	close(r->asked_fd);
	close(r->answer_fd);
	r->asked_fd = -1;
}

/* All names are known: it is put in force, or not. Closes fd. */
static int finish(struct reload *r, int fd, struct config *config)
{
	static struct config fresh;
	size_t bytes = 0;
	char *text = read_all(fd, &bytes);
	int err = text ? judge(r, fd, NULL, ".", &fresh) : -errno;

	close(fd);
	if (!text) {
		log_error("reload %s: %s: nothing was changed", r->file, log_text_of(-err));
	} else if (!err && config_log_changes(config, &fresh, true)) {
		log_error("reload %s: some changes need a relaunch: nothing was changed", r->file);
		err = -EINVAL;
	} else if (!err) {
		err = put(r->config_fd, text, bytes);
		if (err)
			log_error("reload %s: keep it for the stages: %s: nothing was changed", r->file,
				  log_text_of(-err));
	}
	free(text);
	if (err)
		return -1;
	*config = fresh;
	return 0;
}

int reload_now(struct reload *r, struct config *config)
{
	static struct config fresh;
	int fd = open(r->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	size_t bytes = 0;
	char *text = fd < 0 ? NULL : read_all(fd, &bytes);

	stop_asking(r); /* what it reads has been replaced */
	if (!text)
		log_error("reload %s: %s: nothing was changed", r->file, log_text_of(errno));
	if (fd >= 0)
		close(fd);
	if (!text)
		return -1;
	fd = keep(r, text, bytes);
	free(text);
	if (fd < 0)
		return -1;
	if (judge(r, fd, NULL, NULL, &fresh)) {
		close(fd);
		return -1;
	}
	return hosts.n_unknown ? start_asking(r, fd) : finish(r, fd, config);
}

int reload_answered(struct reload *r, struct config *config)
{
	int status = 0, fd = r->answer_fd;

	waitpid(r->asking, &status, 0);
	close(r->asked_fd);
	r->asked_fd = -1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return finish(r, fd, config);
	if (!WIFEXITED(status))
		log_error("reload %s: asking for its host names ended: nothing was changed", r->file);
	close(fd);
	return -1;
}

void reload_publish(const struct reload *r, struct names *names)
{
	size_t bytes = 0;
	char *text = read_all(r->config_fd, &bytes);

	if (text)
		names_set(names, NAME_CONFIG, text, bytes);
	free(text);
}
