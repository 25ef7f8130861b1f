/* proxied.c - headers of the PROXY protocol: which classes send or take them. */
#include "proxied.h"

#include "proxy.h"
#include "reply.h"
#include "shown.h"
#include "value.h"

#define MOST_UDP_BYTES 65507 /* of a datagram of IPv4; IPv6 takes more */

bool proxied_needs_origin(const struct class_config *c)
{
	return c->source == SOURCE_PROXY || c->accept_proxy.n > 0 || shown_is_sender(c);
}

const char *proxied_conflict(const struct config *c, uint32_t class, const char **key, char *reason)
{
	const struct class_config *own = &c->classes[class];
	const char *why = shown_conflict(c, class, key, reason);

	if (why)
		return why;
	*key = "source";
	if (own->source == SOURCE_PROXY && reply_forth(c, class) >= 0)
		return "replies go back to their senders as they are; use own";
	if (own->source == SOURCE_PROXY && c->payload_bytes > MOST_UDP_BYTES - PROXY_MOST_BYTES) {
		snprintf(reason, REASON_BYTES, "with a header of %d bytes in front, payload_bytes is %d at most",
			 PROXY_MOST_BYTES, MOST_UDP_BYTES - PROXY_MOST_BYTES);
		return reason;
	}
	*key = "accept_proxy";
	if (own->accept_proxy.n > 0 && reply_forth(c, class) >= 0)
		return "replies come from where this instance has sent to, with no header";
	*key = "proxy_header";
	if (own->proxy_header == PROXY_FIRST && (own->source != SOURCE_PROXY || !own->replies[0]))
		return "sessions have a first datagram: it takes source = proxy and replies; else use every";
	if (own->proxy_header == PROXY_FIRST && own->accept_proxy.n > 0)
		return "a front of accept_proxy has many senders in one session; use every";
	return NULL;
}
