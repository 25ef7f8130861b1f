/* quota.c - how much of one source passes. */
#include "quota.h"

#include <string.h>

#include "mutant.h"
#include "units.h"

#define SETS (SOURCES / SOURCES_OF_SET)

struct key {
	uint64_t half[2];
};

/* relaxed, all of them: ingress is the one writer, and a successor finds what was stored before the death, in order */
static uint64_t load(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed); /* relaxed: see above */
}

static void store(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed); /* relaxed: see above */
	atomic_signal_fence(memory_order_seq_cst); /* what comes behind is stored behind it */
}

void quota_begin(struct quota *l, const struct class_config *class, struct guard_source *sources, uint64_t seed)
{
	*l = (struct quota){ .sources = class->source_rate_pps ? sources : NULL, .seed = seed };
	if (!l->sources)
		return;
	l->period_ns = (NS_PER_S + class->source_rate_pps - 1) / class->source_rate_pps;
	l->burst_ns = l->period_ns * class->source_burst_pkts;
	memcpy(l->bits, class->source_bits, sizeof(l->bits));
}

static uint64_t cut(uint64_t half, uint32_t bits)
{
	return bits == 0 ? 0 : bits >= 64 ? half : half & ~(UINT64_MAX >> bits);
}

static struct key key_of(const uint32_t bits[2], const struct sockaddr_in6 *from)
{
	struct key key = { { 0 } };
	struct sockaddr_in v4;

	if (from->sin6_family != AF_INET6) {
		memcpy(&v4, from, sizeof(v4));
		key.half[1] = 0xffffULL << 32 | cut((uint64_t)ntohl(v4.sin_addr.s_addr) << 32, bits[0]) >> 32;
		return key;
	}
	for (int i = 0; i < 16; i++)
		key.half[i / 8] = key.half[i / 8] << 8 | from->sin6_addr.s6_addr[i];
	key.half[0] = cut(key.half[0], bits[1]);
	key.half[1] = cut(key.half[1], bits[1] > 64 ? bits[1] - 64 : 0);
	return key;
}

static uint32_t hash_of(const struct key *key, uint64_t seed)
{
	uint64_t hash = (key->half[0] ^ seed) * 0x9e3779b97f4a7c15u;

	hash = (hash ^ hash >> 32 ^ key->half[1]) * 0xd6e8feb86659fd93u;
	hash = (hash ^ hash >> 32) * 0xd6e8feb86659fd93u;
	return (uint32_t)(hash >> 32);
}

uint16_t quota_hash(const uint32_t bits[2], const struct sockaddr_in6 *from)
{
	const struct key key = key_of(bits, from);

	return (uint16_t)hash_of(&key, 0);
}

/* Its place in the set; that of another if it has none. */
static struct guard_source *find(const struct quota *l, const struct key *key, uint64_t word)
{
	struct guard_source *set = &l->sources[hash_of(key, l->seed) % SETS * SOURCES_OF_SET], *least = set;

	for (int i = 0; i < SOURCES_OF_SET; i++) {
		if (load(&set[i].key[0]) == key->half[0] && load(&set[i].key[1]) == key->half[1])
			return &set[i];
		if (load(&set[i].until_ns) < load(&least->until_ns))
			least = &set[i];
	}
	/* A death between two of these leaves a source that has used up nothing, whoever it is. */
	store(&least->was_ns, 0);
	store(&least->word, word);
	store(&least->until_ns, 0);
	store(&least->key[0], key->half[0]);
	store(&least->key[1], key->half[1]);
	return least;
}

#ifdef ONTIME_MUTANT
static struct {
	struct guard_source *source;
	uint64_t until_ns;
} late[128 * BATCH];
static uint32_t n_late;

static uint64_t until_of(const struct guard_source *s)
{
	for (uint32_t i = n_late; i-- > 0;)
		if (late[i].source == s)
			return late[i].until_ns;
	return load(&s->until_ns);
}

static int put_off(struct guard_source *s, uint64_t until_ns)
{
	if (!mutant_is("limit-after-commit"))
		return 0;
	late[n_late].source = s;
	late[n_late++].until_ns = until_ns;
	return 1;
}

/* It was in the memory of one that died. */
static void forget_late(void)
{
	n_late = 0;
}

void quota_store_late(void)
{
	for (uint32_t i = 0; i < n_late; i++)
		store(&late[i].source->until_ns, late[i].until_ns);
	n_late = 0;
}
#else
#define until_of(s) load(&(s)->until_ns)
#define put_off(s, until_ns) 0
#define forget_late() (void)0

void quota_store_late(void)
{
}
#endif

static void use_up(struct guard_source *s, uint64_t word, uint64_t until_ns)
{
	if (put_off(s, until_ns))
		return;
	if (load(&s->word) != word) {
		store(&s->was_ns, load(&s->until_ns));
		store(&s->word, word);
	}
	store(&s->until_ns, until_ns);
}

int quota_passes(const struct quota *l, const struct sockaddr_in6 *from, uint64_t word, uint64_t arrived_at_ns,
		 uint64_t now)
{
	const struct key key = key_of(l->bits, from);
	struct guard_source *s = find(l, &key, word);
	uint64_t until_ns = until_of(s), most_ns = arrived_at_ns + l->burst_ns;

	if (until_ns > now + l->burst_ns) { /* by another rate, or whatever the segment says */
		use_up(s, word, now + l->burst_ns);
		return 0;
	}
	if (until_ns < arrived_at_ns)
		until_ns = arrived_at_ns;
	if (until_ns + l->period_ns > most_ns)
		return 0;
	use_up(s, word, until_ns + l->period_ns);
	return 1;
}

void quota_undo(const struct quota *l, uint64_t word)
{
	forget_late();
	for (uint32_t i = 0; i < SOURCES; i++)
		if (load(&l->sources[i].word) == word)
			store(&l->sources[i].until_ns, load(&l->sources[i].was_ns));
}
