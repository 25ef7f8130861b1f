/* crash.c - a plugin that copies, and dies of a datagram that begins with "crash". */
#include <stdlib.h>
#include <string.h>

#include "../../edf/plugin.h"

static int work(void *state, struct ontime_packet *p)
{
	(void)state;
	if (p->in_bytes >= 5 && memcmp(p->in, "crash", 5) == 0)
		abort();
	if (p->in_bytes > p->out_room_bytes)
		return -1;
	memcpy(p->out, p->in, p->in_bytes);
	p->out_bytes = p->in_bytes;
	return 0;
}

extern const struct ontime_plugin ontime_plugin;

const struct ontime_plugin ontime_plugin = { .abi = 1, .name = "crash", .work = work }; /* ABI 1: it still loads */
