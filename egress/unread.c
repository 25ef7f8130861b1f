/* unread.c - when to wait because the kernel does not bring datagrams to their sockets. */
#include "unread.h"

int unread_is_due(const struct unread *u, uint64_t now)
{
	return u->sent_pkts >= UNREAD_LOOK_PKTS && now >= u->until_ns;
}

int unread_look(struct unread *u, uint32_t waiting_pkts, uint64_t now)
{
	if (u->since_ns == 0)
		u->since_ns = now;
	if (waiting_pkts < UNREAD_FULL_PKTS || now - u->since_ns >= UNREAD_MOST_NS) {
		*u = (struct unread){ 0 };
		return 0;
	}
	u->until_ns = now + UNREAD_PAUSE_NS;
	return 1;
}
