/* limits.c - the rates of a class and of its destinations. */
#include "limits.h"

void limits_open(struct sender *s, uint64_t now)
{
	for (uint32_t class = 0; class < s->stage->config.n_classes; class++) {
		const struct class_config *c = &s->stage->config.classes[class];
		struct lane *lane = s->stage->seg.views[class].lane;
		struct limits *l = &s->limits[class];
		uint32_t rescued_bytes = class == s->rescued.class ? s->rescued.wire_bytes : 0;

		l->are_on = c->rate_bits_per_s || c->destination_rate_bits_per_s;
		limit_open(&l->own, &lane->shaped, c->rate_bits_per_s, c->burst_bytes, rescued_bytes, now);
		for (uint32_t i = 0; i < c->n_dests; i++)
			limit_open(&l->to[i], &lane->shaped_to[i], c->destination_rate_bits_per_s,
				   c->destination_burst_bytes, i == s->rescued.destination ? rescued_bytes : 0, now);
	}
}

static int are_to_destinations(const struct sender *s, uint32_t class)
{
	return s->stage->config.classes[class].destination_rate_bits_per_s != 0;
}

uint64_t limits_next_ns(struct sender *s, uint32_t class, uint32_t head_bytes, uint64_t now)
{
	struct limits *l = &s->limits[class];
	uint64_t next_ns, to_ns;

	if (!l->are_on)
		return 0;
	next_ns = shaper_next_ns(&l->own.shaper, head_bytes, now);
	if (s->stage->seg.views[class].copies || !are_to_destinations(s, class))
		return next_ns;
	to_ns = shaper_next_ns(&l->to[sender_destination(s, class)].shaper, head_bytes, now);
	return to_ns > next_ns ? to_ns : next_ns;
}

uint32_t limits_allow_bytes(struct sender *s, uint32_t class, uint64_t now)
{
	struct limits *l = &s->limits[class];
	uint32_t bytes, to_bytes;

	if (!l->are_on)
		return UINT32_MAX;
	bytes = shaper_allows_bytes(&l->own.shaper, now);
	if (!are_to_destinations(s, class))
		return bytes;
	to_bytes = shaper_allows_bytes(&l->to[sender_destination(s, class)].shaper, now);
	return to_bytes < bytes ? to_bytes : bytes;
}

uint32_t limits_note(struct sender *s, uint32_t class, uint32_t bytes, uint64_t now)
{
	struct limits *l = &s->limits[class];
	uint32_t destination = 0;

	if (!l->are_on)
		return 0;
	limit_note(&l->own, bytes, now);
	if (are_to_destinations(s, class)) {
		destination = sender_destination(s, class);
		limit_note(&l->to[destination], bytes, now);
	}
	return destination;
}

void limits_charge(struct sender *s, uint32_t class, uint32_t destination, uint32_t bytes, uint64_t now)
{
	struct limits *l = &s->limits[class];

	if (!l->are_on)
		return;
	limit_charge(&l->own, bytes, now);
	if (are_to_destinations(s, class))
		limit_charge(&l->to[destination], bytes, now);
}
