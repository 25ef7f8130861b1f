/*
 * spin.c - a plugin that uses its CPU: "loop" at the beginning of a datagram is worked on for ever, "nap" for ever with the
 * shortest sleeps between, and all others for SPIN_US microseconds of the environment (default 1000).
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../edf/plugin.h"

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
	const char *us = getenv("SPIN_US");

	(void)state;
	while (p->in_bytes >= 4 && memcmp(p->in, "loop", 4) == 0)
		spin(1000000);
	while (p->in_bytes >= 3 && memcmp(p->in, "nap", 3) == 0) {
		spin(1000000);
		nanosleep(&nap, NULL);
	}
	spin(1000LL * (us ? atoi(us) : 1000));
	if (p->in_bytes > p->out_room_bytes)
		return -1;
	memcpy(p->out, p->in, p->in_bytes);
	p->out_bytes = p->in_bytes;
	return 0;
}

extern const struct ontime_plugin ontime_plugin;

const struct ontime_plugin ontime_plugin = { .abi = ONTIME_PLUGIN_ABI, .name = "spin", .work = work };
