/* via_ports.c - are there local ports for all sessions of classes with `via_ports`? */
#include "via_ports.h"

#include <inttypes.h>

#include "from.h"
#include "reply.h"
#include "shown.h"
#include "value.h"

uint32_t via_ports_sockets(const struct config *c, uint32_t class)
{
	const struct class_config *k = &c->classes[class];

	if (k->n_from || shown_has_port(k)) /* its port is fixed, and counted as such */
		return 0;
	return k->via.bits ? reply_sessions(c, class) > 0 : reply_sockets(c, class);
}

/* Ports that the instance has for good: that it listens on, or sends from. */
static int is_fixed(const struct config *c, uint32_t port)
{
	for (uint32_t i = 0; i < c->n_classes; i++) {
		for (uint32_t k = 0; k < c->classes[i].n_listen; k++)
			if (address_port(&c->classes[i].listen[k]) == port)
				return 1;
		for (uint32_t k = 0; k < c->classes[i].n_from; k++)
			if (address_port(&c->classes[i].from[k]) == port)
				return 1;
		if (shown_has_port(&c->classes[i]) && c->classes[i].via_first_port == port)
			return 1;
	}
	return 0;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

uint32_t via_ports_others(const struct config *c, uint32_t class, uint32_t first, uint32_t last)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct class_config *other = &c->classes[i];
		uint32_t from = other->via_first_port > first ? other->via_first_port : first;
		uint32_t to = least(other->via_last_port, last);

		if (i != class && other->via_first_port && from <= to)
			n += least(via_ports_sockets(c, i), to - from + 1);
	}
	for (uint32_t port = first; port <= last; port++)
		n += is_fixed(c, port) != 0;
	return n;
}

const char *via_ports_conflict(const struct config *c, uint32_t class, char *reason)
{
	const struct class_config *k = &c->classes[class];
	uint32_t n = k->via_last_port - k->via_first_port + 1, own = via_ports_sockets(c, class), others;

	if (!k->via_first_port || own == 0)
		return NULL;
	others = via_ports_others(c, class, k->via_first_port, k->via_last_port);
	if (n >= own + others)
		return NULL;
	if (n < own)
		snprintf(reason, REASON_BYTES,
			 "%" PRIu32 " ports for %" PRIu32 " sessions, each of which needs one; give more, or lower "
			 "`sessions`",
			 n, own);
	else
		snprintf(reason, REASON_BYTES,
			 "%" PRIu32 " ports for %" PRIu32 " sessions, and other classes may have %" PRIu32
			 " of these (via_ports, listen, from); give more, or ranges that do not overlap",
			 n, own, others);
	return reason;
}
