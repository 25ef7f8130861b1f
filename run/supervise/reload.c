/* reload.c - a new configuration for a running instance. */
#include "reload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "shm/segment.h"

#define MOST_BYTES (1 << 20)

void reload_init(struct reload *r, const char *file, int config_fd, int argc, char *const *argv)
{
	*r = (struct reload){ .file = file, .config_fd = config_fd, .argc = argc, .argv = argv };
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
			NULL); /* a reader has it for a millisecond, unless it is stopped: nobody is waited for without end */
	if (!err)
		err = put_locked(own, text, bytes);
	close(own);
	return err;
}

/* Judge what was read from a place where nobody changes it. */
static int judge(const struct reload *r, const struct config *old, struct config *fresh, const char *text, size_t bytes)
{
	char path[32], why[WHY_BYTES];
	int fd = memfd_create("ontime-reload", MFD_CLOEXEC), err = fd < 0 ? -errno : put(fd, text, bytes);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (err) {
		log_error("reload %s: %s: nothing was changed", r->file, strerror(-err));
	} else if (config_load(fresh, path, r->argc, r->argv, why, sizeof(why))) {
		log_error("%s: nothing was changed", why);
		err = -EINVAL;
	} else if (config_explain_changes(old, fresh, stderr)) {
		log_error("reload %s: some changes need a relaunch: nothing was changed", r->file);
		err = -EINVAL;
	}
	if (fd >= 0)
		close(fd);
	return err;
}

int reload_now(struct reload *r, struct config *config)
{
	static struct config fresh;
	int fd = open(r->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;
	size_t bytes = 0;
	char *text = fd < 0 ? NULL : read_all(fd, &bytes);

	if (!text)
		log_error("reload %s: %s: nothing was changed", r->file, strerror(errno));
	if (fd >= 0)
		close(fd);
	if (!text)
		return -1;
	err = judge(r, config, &fresh, text, bytes);
	if (!err) {
		err = put(r->config_fd, text, bytes);
		if (err)
			log_error("reload %s: keep it for the stages: %s: nothing was changed", r->file,
				  strerror(-err));
	}
	free(text);
	if (err)
		return -1;
	*config = fresh;
	return 0;
}

void reload_publish(const struct reload *r, struct names *names)
{
	size_t bytes = 0;
	char *text = read_all(r->config_fd, &bytes);

	if (text)
		names_set(names, NAME_CONFIG, text, bytes);
	free(text);
}
