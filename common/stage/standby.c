/* standby.c - a stage that is started before it is needed. */
#include "standby.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "asked.h"
#include "log.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; before, each page costs a fault when it is first used */
#endif

static int channel_fd(void)
{
	const char *text = getenv(STANDBY_VARIABLE);

	return text ? atoi(text) : -1;
}

int standby_is_one(void)
{
	return channel_fd() >= 0;
}

/* "edf" and "edf*": what one sees in ps, and what counts processes by name does not take the two for one. */
static void set_name(const char *stage, const char *mark)
{
	char name[16];

	snprintf(name, sizeof(name), "%s%s", stage, mark);
	prctl(PR_SET_NAME, name, 0, 0, 0);
}

/* The next message; 0 bytes: the supervisor is gone, or this process is asked to end. */
static ssize_t wait_for_message(int fd, char *text, size_t bytes)
{
	ssize_t n;

	do
		n = asked_to_stop() || asked_to_drain() ? 0 : read(fd, text, bytes);
	while (n < 0 && errno == EINTR);
	return n;
}

void standby_prepare(const struct segment *seg)
{
	log_prepare();
	madvise(seg->shared, seg->size_bytes, MADV_POPULATE_WRITE); /* may be refused: then pages come one by one */
}

int standby_wait(const char *stage)
{
	char last_end[STANDBY_END_BYTES] = "";
	int fd = channel_fd();
	ssize_t n;

	unsetenv(STANDBY_VARIABLE);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	set_name(stage, "*");
	n = write(fd, "", 1) == 1 ? wait_for_message(fd, last_end, sizeof(last_end) - 1) : 0;
	close(fd);
	if (n <= 0)
		return 0;
	setenv(STANDBY_LAST_END, last_end, 1);
	set_name(stage, "");
	return 1;
}
