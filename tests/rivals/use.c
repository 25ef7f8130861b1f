/* use.c - what the relays use, and what the hypervisor takes: from /proc. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "turns.h"

static uint64_t field(int pid, const char *file, const char *key)
{
	char path[64], text[4096];
	const char *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		give_up(path);
	close(fd);
	text[n] = 0;
	at = strstr(text, key);
	return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

struct use use_of(const struct relay *r)
{
	struct use u = { 0 };

	for (uint32_t i = 0; i < r->n_pids; i++) {
		u.cpu_ns += field(r->pids[i], "schedstat", "");
		u.voluntary += field(r->pids[i], "status", "\nvoluntary_ctxt_switches:");
		u.involuntary += field(r->pids[i], "status", "nonvoluntary_ctxt_switches:");
	}
	return u;
}

uint64_t steal_of(int cpu)
{
	static char text[1 << 16];
	char key[16];
	int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	unsigned long long ticks = 0;
	const char *at;

	if (n < 0)
		give_up("/proc/stat");
	close(fd);
	text[n] = 0;
	snprintf(key, sizeof(key), "\ncpu%d ", cpu);
	at = strstr(text, key);
	if (at)
		sscanf(at + strlen(key), "%*u %*u %*u %*u %*u %*u %*u %llu", &ticks);
	return ticks;
}
