/* softnet.c - datagrams that the kernel has taken and not brought to their sockets yet. */
#include "softnet.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define WAITING_COLUMN 11
#define CPU_COLUMN 12
#define TEXT_BYTES 4096 /* some 28 rows */

int softnet_is_old(const char *release)
{
	unsigned int major, minor;

	return sscanf(release, "%u.%u", &major, &minor) == 2 && (major < 6 || (major == 6 && minor < 5));
}

int softnet_is_starvable(void)
{
	struct utsname u;

	return uname(&u) == 0 && softnet_is_old(u.release);
}

int softnet_parse(const char *row, unsigned int *cpu, unsigned int *waiting_pkts)
{
	unsigned long columns[CPU_COLUMN + 1];
	char *end;

	for (int i = 0; i <= CPU_COLUMN; i++) {
		columns[i] = strtoul(row, &end, 16);
		if (end == row)
			return 0;
		row = end;
	}
	*waiting_pkts = (unsigned int)columns[WAITING_COLUMN];
	*cpu = (unsigned int)columns[CPU_COLUMN];
	return 1;
}

int softnet_open(void)
{
	return open("/proc/net/softnet_stat", O_RDONLY | O_CLOEXEC);
}

/* Of the rows in a text, the one of a CPU. Returns the bytes of all whole rows. */
static size_t take_rows(const char *text, unsigned int mine, unsigned int *found)
{
	const char *row = text, *end;
	unsigned int cpu, waiting;

	for (; (end = strchr(row, '\n')); row = end + 1)
		if (softnet_parse(row, &cpu, &waiting) && cpu == mine)
			*found = waiting;
	return (size_t)(row - text);
}

unsigned int softnet_waiting_pkts(int fd)
{
	unsigned int mine = (unsigned int)sched_getcpu(), found = 0;
	char text[TEXT_BYTES];
	size_t taken = 1;
	off_t at = 0;

	while (fd >= 0 && taken > 0) {
		ssize_t n = pread(fd, text, sizeof(text) - 1, at);

		text[n < 0 ? 0 : n] = '\0';
		taken = take_rows(text, mine, &found);
		at += (off_t)taken;
	}
	return found;
}
