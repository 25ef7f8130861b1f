/*
 * spin.c - a plugin that uses its CPU: each datagram for SPIN_NS. One that begins with "loop" is worked on for ever,
 * "nap" for ever with the shortest sleeps between, and "fork" leaves a child behind for a few seconds.
 */
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "edf/plugin.h"

#define SPIN_NS 1000000

static long long cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void spin(long long ns)
{
	long long until = cpu_ns() + ns;

	while (cpu_ns() < until)
		continue;
}

static int work(void *state, struct ontime_packet *p)
{
	static const struct timespec nap = { .tv_nsec = 1 };

	(void)state;
	while (p->in_bytes >= 4 && memcmp(p->in, "loop", 4) == 0)
		spin(SPIN_NS);
	while (p->in_bytes >= 3 && memcmp(p->in, "nap", 3) == 0) {
		spin(SPIN_NS);
		nanosleep(&nap, NULL);
	}
	if (p->in_bytes >= 4 && memcmp(p->in, "fork", 4) == 0 && fork() == 0) {
		sleep(5);
		_exit(0);
	}
	spin(SPIN_NS);
	if (p->in_bytes > p->out_room_bytes)
		return -1;
	memcpy(p->out, p->in, p->in_bytes);
	p->out_bytes = p->in_bytes;
	return 0;
}

extern const struct ontime_plugin ontime_plugin;

const struct ontime_plugin ontime_plugin = { .abi = ONTIME_PLUGIN_ABI, .name = "spin", .work = work };
