/* copying.c - copies of datagrams, rates of a class and of a destination, and what stands in their way. */
#include "copying.h"

#include <inttypes.h>

#include "reply.h"
#include "value.h"

uint32_t copying_count(const struct class_config *c)
{
	return c->spread == SPREAD_COPY ? c->n_dests : 0;
}

static const char *too_small(const struct config *c, char *reason)
{
	snprintf(reason, REASON_BYTES, "less than payload_bytes, %" PRIu32 "B: the longest datagram must fit",
		 c->payload_bytes);
	return reason;
}

/* Would two of the copies go to one place? */
static const char *repeated(const struct class_config *c, char *reason)
{
	char text[ADDRESS_BYTES];

	for (uint32_t i = 1; i < c->n_dests; i++)
		for (uint32_t k = 0; k < i; k++)
			if (address_is_same(&c->dests[i], &c->dests[k])) {
				snprintf(reason, REASON_BYTES,
					 "class %s would send each datagram to %s twice; remove one", c->name,
					 address_format(&c->dests[i], text));
				return reason;
			}
	return NULL;
}

const char *copying_conflict(const struct config *c, uint32_t class, const char **key, char *reason)
{
	const struct class_config *own = &c->classes[class];
	int is_way_back = reply_forth(c, class) >= 0;

	*key = "spread";
	if (own->spread == SPREAD_COPY && own->replies[0])
		return "a sender with `replies` has one destination, whose answers are its own; remove one of the two";
	if (own->spread == SPREAD_COPY && is_way_back)
		return "a reply goes back to the one sender that caused it; remove this";
	if (own->spread == SPREAD_COPY && own->n_dests > MAX_COPIES)
		return "a class copies to at most 16 destinations; make two classes of it, or let a copy go to a "
		       "multicast group";
	*key = "backup";
	if (own->spread == SPREAD_COPY && own->n_backups)
		return "a class that copies sends to all of its destinations; put this one into `send`, or remove it";
	*key = "drain";
	if (own->spread == SPREAD_COPY && own->drain[0])
		return "a class that copies has no senders to take away; take the destination out of `send`";
	*key = "send";
	if (own->spread == SPREAD_COPY && repeated(own, reason))
		return reason;
	*key = "burst";
	if (own->burst_bytes < c->payload_bytes)
		return too_small(c, reason);
	*key = "destination_burst";
	if (own->destination_burst_bytes < c->payload_bytes)
		return too_small(c, reason);
	*key = "destination_rate";
	if (own->destination_rate_bits_per_s && is_way_back)
		return "a reply goes back to its sender, and this class has no destinations; use `rate`";
	if (own->destination_rate_bits_per_s && own->replies[0])
		return "datagrams of several sessions leave together, whatever their destination; use `rate`";
	return NULL;
}
