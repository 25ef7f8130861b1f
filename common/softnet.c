/* softnet.c - datagrams that the kernel has taken and not brought to their sockets yet. */
#include "softnet.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

#define WAITING_COLUMN 11
#define CPU_COLUMN 12
#define ROW_BYTES 256

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

unsigned int softnet_waiting_pkts(void)
{
	unsigned int mine = (unsigned int)sched_getcpu(), cpu, waiting, found = 0;
	FILE *f = fopen("/proc/net/softnet_stat", "re");
	char row[ROW_BYTES];

	if (!f)
		return 0;
	while (fgets(row, sizeof(row), f))
		if (softnet_parse(row, &cpu, &waiting) && cpu == mine)
			found = waiting;
	fclose(f);
	return found;
}
