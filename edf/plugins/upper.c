/* upper.c - an example plugin: turns ASCII letters into capitals, so that `nc` shows it at work. */
#include <ontime/plugin.h>

static int work(void *state, struct ontime_packet *p)
{
	(void)state;
	if (p->in_bytes > p->out_room_bytes)
		return -1;
	for (uint32_t i = 0; i < p->in_bytes; i++)
		p->out[i] = p->in[i] >= 'a' && p->in[i] <= 'z' ? (uint8_t)(p->in[i] - 'a' + 'A') : p->in[i];
	p->out_bytes = p->in_bytes;
	return 0;
}

extern const struct ontime_plugin ontime_plugin;

const struct ontime_plugin ontime_plugin = { .abi = ONTIME_PLUGIN_ABI, .name = "upper", .work = work };
