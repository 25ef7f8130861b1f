/* chatter.c - a plugin that copies, and prints 200 bytes per packet: what fills a log. */
#include <stdio.h>
#include <string.h>

#include "edf/plugin.h"

static int work(void *state, struct ontime_packet *p)
{
	(void)state;
	fprintf(stderr, "%199d\n", (int)p->in_bytes);
	if (p->in_bytes > p->out_room_bytes)
		return -1;
	memcpy(p->out, p->in, p->in_bytes);
	p->out_bytes = p->in_bytes;
	return 0;
}

extern const struct ontime_plugin ontime_plugin;

const struct ontime_plugin ontime_plugin = { .abi = 1, .name = "chatter", .work = work };
