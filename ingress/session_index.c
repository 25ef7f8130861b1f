/* session_index.c - hash chains and lists of sessions. */
#include "session_index.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NONE UINT16_MAX

struct session_place {
	struct session_key key;
	uint64_t last_ns;
	uint16_t before, behind; /* in its list */
	uint16_t chain; /* the next with the same hash */
	uint16_t source; /* NONE: it has no sender */
	uint8_t list; /* N_SESSION_LISTS: in none */
};

struct session_source {
	uint8_t address[16];
	uint32_t scope, n;
	uint16_t chain; /* or the next that is free */
	uint8_t family;
};

static_assert(sizeof(struct session_key) == 40, "compared and hashed as bytes");

static uint32_t hash(const struct session_index *x, const void *bytes, size_t n)
{
	uint64_t sum = x->seed, word = 0;
	const uint8_t *at = bytes;

	for (; n; n -= n < sizeof(word) ? n : sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, n < sizeof(word) ? n : sizeof(word));
		sum = (sum ^ word) * 0x9e3779b97f4a7c15ULL;
		sum ^= sum >> 29;
	}
	return (uint32_t)(sum >> 32) & x->mask;
}

static uint16_t *chain_of_key(const struct session_index *x, const struct session_key *key)
{
	return &x->by_key[hash(x, key, sizeof(*key))];
}

/*
 * What counts as one address: of IPv6 the network of 64 bits, all of which one host may have; but for a link's own.
 * Returns the link of that, else 0.
 */
static uint32_t source_of(const struct session_key *key, uint8_t source[16])
{
	int is_link_local = key->family == AF_INET6 && key->address[0] == 0xfe && (key->address[1] & 0xc0) == 0x80;

	memcpy(source, key->address, sizeof(key->address));
	if (key->family == AF_INET6 && !is_link_local)
		memset(source + 8, 0, 8);
	return is_link_local ? key->scope : 0;
}

static uint16_t *chain_of_source(const struct session_index *x, const struct session_key *key)
{
	uint8_t source[16];

	source_of(key, source);
	return &x->by_source[hash(x, source, sizeof(source))];
}

int session_index_init(struct session_index *x, uint32_t n, uint64_t seed)
{
	uint32_t chains = 1;

	while (chains < n)
		chains *= 2;
	*x = (struct session_index){ .n = n, .mask = chains - 1, .seed = seed, .free_source = 0 };
	x->places = calloc(n, sizeof(*x->places));
	x->sources = calloc(n, sizeof(*x->sources));
	x->by_key = malloc(2 * chains * sizeof(*x->by_key));
	if (!x->places || !x->sources || !x->by_key)
		return -ENOMEM;
	x->by_source = x->by_key + chains;
	memset(x->by_key, 0xff, 2 * chains * sizeof(*x->by_key));
	memset(x->first, 0xff, sizeof(x->first));
	memset(x->last, 0xff, sizeof(x->last));
	for (uint32_t k = 0; k < n; k++) {
		x->places[k].list = N_SESSION_LISTS;
		x->places[k].source = NONE;
		x->sources[k].chain = k + 1 < n ? (uint16_t)(k + 1) : NONE;
	}
	return 0;
}

static void leave_list(struct session_index *x, struct session_place *p)
{
	if (p->list == N_SESSION_LISTS)
		return;
	*(p->before == NONE ? &x->first[p->list] : &x->places[p->before].behind) = p->behind;
	*(p->behind == NONE ? &x->last[p->list] : &x->places[p->behind].before) = p->before;
}

static void join_list(struct session_index *x, uint32_t k, enum session_list list)
{
	struct session_place *p = &x->places[k];

	leave_list(x, p);
	p->list = (uint8_t)list;
	p->behind = NONE;
	p->before = x->last[list];
	*(p->before == NONE ? &x->first[list] : &x->places[p->before].behind) = (uint16_t)k;
	x->last[list] = (uint16_t)k;
}

static uint16_t find_source(const struct session_index *x, const struct session_key *key)
{
	uint16_t i = *chain_of_source(x, key);
	uint8_t source[16];
	uint32_t scope = source_of(key, source);

	while (i != NONE && (x->sources[i].family != key->family || x->sources[i].scope != scope ||
			     memcmp(x->sources[i].address, source, sizeof(source)) != 0))
		i = x->sources[i].chain;
	return i;
}

/* One session more of that address. There is a place: each session has one source at most. */
static uint16_t join_source(struct session_index *x, const struct session_key *key)
{
	uint16_t i = find_source(x, key), *head = chain_of_source(x, key);
	struct session_source *s;

	if (i == NONE) {
		i = x->free_source;
		s = &x->sources[i];
		x->free_source = s->chain;
		*s = (struct session_source){ .family = key->family, .chain = *head };
		s->scope = source_of(key, s->address);
		*head = i;
	}
	x->sources[i].n++;
	return i;
}

static void leave_source(struct session_index *x, const struct session_key *key, uint16_t i)
{
	uint16_t *at = chain_of_source(x, key);

	if (--x->sources[i].n)
		return;
	while (*at != i)
		at = &x->sources[*at].chain;
	*at = x->sources[i].chain;
	x->sources[i].chain = x->free_source;
	x->free_source = i;
}

int session_index_find(const struct session_index *x, const struct session_key *key)
{
	for (uint16_t k = *chain_of_key(x, key); k != NONE; k = x->places[k].chain)
		if (memcmp(&x->places[k].key, key, sizeof(*key)) == 0)
			return k;
	return -1;
}

uint32_t session_index_count(const struct session_index *x, const struct session_key *key)
{
	uint16_t i = find_source(x, key);

	return i == NONE ? 0 : x->sources[i].n;
}

void session_index_open(struct session_index *x, uint32_t k, const struct session_key *key, int is_answered,
			uint64_t last_ns)
{
	struct session_place *p = &x->places[k];
	uint16_t *head = chain_of_key(x, key);

	p->key = *key;
	p->chain = *head;
	*head = (uint16_t)k;
	p->source = join_source(x, key);
	session_index_touch(x, k, is_answered, last_ns);
}

void session_index_touch(struct session_index *x, uint32_t k, int is_answered, uint64_t last_ns)
{
	if (x->places[k].source == NONE)
		return;
	x->places[k].last_ns = last_ns;
	join_list(x, k, is_answered ? LIST_ANSWERED : LIST_UNANSWERED);
}

void session_index_close(struct session_index *x, uint32_t k)
{
	struct session_place *p = &x->places[k];
	uint16_t *at = chain_of_key(x, &p->key);

	while (*at != k)
		at = &x->places[*at].chain;
	*at = p->chain;
	leave_source(x, &p->key, p->source);
	p->source = NONE;
	join_list(x, k, LIST_CLOSING);
}

void session_index_put(struct session_index *x, uint32_t k, enum session_list list)
{
	join_list(x, k, list);
}

int session_index_oldest(const struct session_index *x, enum session_list list)
{
	return x->first[list] == NONE ? -1 : x->first[list];
}

uint64_t session_index_last_ns(const struct session_index *x, uint32_t k)
{
	return x->places[k].last_ns;
}
