/* slow.c - an example plugin whose work is long, 1 us per byte, and can be interrupted: to see what `slice` does. */
#include <ontime/plugin.h>
#include <time.h>

#define NS_PER_BYTE 1000

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int work(void *state, struct ontime_packet *p)
{
	(void)state;
	if (p->in_bytes > p->out_room_bytes)
		return -1;
	for (uint32_t i = 0; i < p->in_bytes; i++) {
		uint64_t began_ns = now_ns();

		p->out[i] = p->in[i];
		while (now_ns() - began_ns < NS_PER_BYTE)
			continue;
		p->checkpoint(p); /* may work on another packet; this one's state is all in `p` and on our stack */
	}
	p->out_bytes = p->in_bytes;
	return 0;
}

extern const struct ontime_plugin ontime_plugin;

const struct ontime_plugin ontime_plugin = { .abi = ONTIME_PLUGIN_ABI, .name = "slow", .work = work };
