/* waits.c - how long a process was ready to run while another one had its CPU. */
#include "waits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES 512

static int read_text(uint32_t pid, const char *name, char text[TEXT_BYTES])
{
	char path[64];
	ssize_t n;
	int fd, err;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, TEXT_BYTES - 1);
	err = n < 0 ? -errno : 0;
	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return err;
}

int waits_parse(const char *schedstat, struct waits *out)
{
	char *end, *last;
	unsigned long long cpu_ns = strtoull(schedstat, &end, 10), queued_ns = strtoull(end, &last, 10);

	*out = (struct waits){ 0 };
	if (end == schedstat || last == end)
		return -EPROTO;
	out->cpu_ns = cpu_ns;
	out->queued_ns = queued_ns;
	return 0;
}

int waits_read(uint32_t pid, struct waits *out)
{
	char text[TEXT_BYTES];
	const char *state;
	int err = read_text(pid, "schedstat", text);

	*out = (struct waits){ 0 };
	if (!err)
		err = waits_parse(text, out);
	if (err)
		return err;
	if (read_text(pid, "stat", text) == 0) {
		state = strrchr(text, ')'); /* the name before it may hold anything */
		out->is_ready = state && strncmp(state, ") R", 3) == 0;
	}
	return 0;
}

int waits_open(void)
{
	return open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
}

int waits_read_own(int fd, struct waits *out)
{
	char text[TEXT_BYTES];
	ssize_t n = pread(fd, text, TEXT_BYTES - 1, 0);

	*out = (struct waits){ 0 };
	if (n < 0)
		return -errno;
	text[n] = '\0';
	return waits_parse(text, out);
}

uint64_t waits_between(const struct waits *before, const struct waits *now, uint64_t took_ns)
{
	uint64_t ended_ns = now->queued_ns > before->queued_ns ? now->queued_ns - before->queued_ns : 0;

	if (now->is_ready && now->cpu_ns == before->cpu_ns)
		return took_ns;
	return ended_ns < took_ns ? ended_ns : took_ns;
}
