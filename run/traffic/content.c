/* content.c - which datagram came, told by its bytes. */
#include "content.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "packet.h"

static uint64_t key_of(const uint8_t *payload, uint32_t bytes)
{
	uint32_t n = bytes < CONTENT_MOST_BYTES ? bytes : CONTENT_MOST_BYTES, at = 0;
	uint64_t key = packet_mix(n + 1), word;

	for (; at + sizeof(word) <= n; at += (uint32_t)sizeof(word)) {
		memcpy(&word, payload + at, sizeof(word));
		key = packet_mix(key + word) * 0x9e3779b97f4a7c15ULL;
	}
	word = 0;
	memcpy(&word, payload + at, n - at);
	key = packet_mix(packet_mix(key + word) * 0x9e3779b97f4a7c15ULL);
	return key ? key : 1;
}

/* Where a content stands in the table, or where it could. */
static uint32_t place_of(const struct content *c, uint64_t key)
{
	uint32_t at = (uint32_t)key & c->mask;

	while (c->keys[at] && c->keys[at] != key)
		at = (at + 1) & c->mask;
	return at;
}

static int allocate(struct content *c, const struct trace *t, uint32_t class)
{
	uint32_t room = 2;

	for (size_t i = 0; i < t->n; i++)
		c->n += t->packets[i].class == class;
	while (room < 2ULL * c->n)
		room *= 2;
	c->mask = room - 1;
	c->packets = calloc(c->n + 1ULL, sizeof(*c->packets));
	c->next = calloc(c->n + 1ULL, sizeof(*c->next));
	c->keys = calloc(room, sizeof(*c->keys));
	c->first = calloc(room, sizeof(*c->first));
	return c->packets && c->next && c->keys && c->first ? 0 : -ENOMEM;
}

int content_open(struct content *c, const struct trace *t, uint32_t class)
{
	uint32_t n = 0;

	memset(c, 0, sizeof(*c));
	c->trace = t;
	if (t->n > INT32_MAX || allocate(c, t, class)) {
		content_close(c);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < t->n; i++)
		if (t->packets[i].class == class)
			c->packets[n++] = i;
	while (n-- > 0) { /* the last first, so that the first stands in front */
		const struct packet *p = &t->packets[c->packets[n]];
		uint64_t key = key_of(t->payloads + p->payload_at, p->bytes);
		uint32_t at = place_of(c, key);

		c->keys[at] = key;
		c->next[n] = c->first[at];
		c->first[at] = n + 1;
	}
	return 0;
}

void content_close(struct content *c)
{
	free(c->packets);
	free(c->next);
	free(c->keys);
	free(c->first);
	c->packets = c->next = c->first = NULL;
	c->keys = NULL;
}

int64_t content_find(struct content *c, const uint8_t *payload, uint32_t bytes)
{
	uint32_t at = place_of(c, key_of(payload, bytes)), sequence = c->first[at];

	if (!c->keys[at])
		return CONTENT_CHANGED;
	if (!sequence)
		return CONTENT_TWICE;
	c->first[at] = c->next[sequence - 1];
	return sequence - 1;
}

int content_is_due(const struct content *c, const uint8_t *payload, uint32_t bytes)
{
	return c->first[place_of(c, key_of(payload, bytes))] != 0;
}

uint64_t content_due_at_ns(const struct content *c, uint64_t sequence)
{
	/* relaxed: stored before the first datagram was sent */
	return atomic_load_explicit(&c->began_at_ns, memory_order_relaxed) +
	       c->trace->packets[c->packets[sequence]].arrival_ns;
}
