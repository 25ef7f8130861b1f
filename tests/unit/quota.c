/* quota.c - how much of a source passes, and that neither others nor a death change it. */
#include "ingress/quota.h"

#include <arpa/inet.h>
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "loads.h"
#include "suites.h"
#include "units.h"

#define RATE 1000
#define BURST 20
#define MOST_DATAGRAMS 20000
#define EVENTS 4000
#define BATCHES 1000

static struct guard_source sources[SOURCES];

static struct quota begin(uint64_t rate_pps, uint32_t burst_pkts)
{
	struct class_config class = { .source_rate_pps = rate_pps,
				      .source_burst_pkts = burst_pkts,
				      .source_bits = { 32, 64 } };
	struct quota l;

	memset(sources, 0, sizeof(sources));
	quota_begin(&l, &class, sources, 0x1234567);
	return l;
}

static struct sockaddr_in6 v4(uint32_t address)
{
	const struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) };
	struct sockaddr_in6 from = { 0 };

	memcpy(&from, &a, sizeof(a));
	return from;
}

static struct sockaddr_in6 v6(const char *text)
{
	struct sockaddr_in6 from = { .sin6_family = AF_INET6 };

	inet_pton(AF_INET6, text, &from.sin6_addr);
	return from;
}

static int passes(const struct quota *l, struct sockaddr_in6 from, uint64_t word, uint64_t now)
{
	return quota_passes(l, &from, word, now, now);
}

/* When each of a source passed; in each window there are no more than the rate and the burst allow. */
static void check_windows(const uint64_t *at_ns, uint32_t n)
{
	uint32_t wrong = 0;

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = i + BURST; k < n && k < i + 400; k++)
			wrong += (k - i + 1 - BURST) * (NS_PER_S / RATE) > at_ns[k] - at_ns[i];
	CU_ASSERT_EQUAL(wrong, 0);
}

/*
 * Bursts and pauses in batches of 1 to 64. A batch may end by a death before it is published: then its datagrams are
 * counted again, or another source takes the place of a torn one.
 */
static void no_window_has_more_than_rate_and_burst(void)
{
	static uint64_t passed_ns[MOST_DATAGRAMS];
	struct quota l = begin(RATE, BURST);
	uint64_t now = NS_PER_S, word = 7;
	uint32_t n = 0, deaths = 0;

	srandom(1);
	for (int batch = 0; batch < BATCHES; batch++) {
		uint64_t stamps[64];
		long pkts = 1 + random() % 64, published = 0;

		for (long i = 0; i < pkts; i++)
			stamps[i] = now += random() % 4 ? 0 : (uint64_t)random() % (4 * NS_PER_MS);
		while (!published) {
			uint32_t was = n;
			long dies_after = random() % 3 ? pkts : random() % pkts;

			published = dies_after == pkts;
			for (long i = 0; i < dies_after && n < MOST_DATAGRAMS; i++)
				if (passes(&l, v4(1), word, stamps[i]))
					passed_ns[n++] = stamps[i];
			if (published)
				break;
			n = was; /* nobody saw them */
			deaths++;
			quota_undo(&l, word);
			if (random() % 2)
				quota_undo(&l, word); /* a successor may die too */
		}
		word += 3;
	}
	CU_ASSERT(deaths > 100);
	CU_ASSERT(n > 1000 && n < MOST_DATAGRAMS);
	check_windows(passed_ns, n);
}

static void a_death_takes_nothing_from_a_source(void)
{
	struct quota l = begin(RATE, BURST);
	int n = 0;

	for (int deaths = 0; deaths < 10; deaths++) {
		for (int i = 0; i < BURST; i++)
			passes(&l, v4(1), 5, NS_PER_S);
		quota_undo(&l, 5);
	}
	for (int i = 0; i < 2 * BURST; i++)
		n += passes(&l, v4(1), 5, NS_PER_S);
	CU_ASSERT_EQUAL(n, BURST);
	quota_undo(&l, 6); /* that batch was published: its word is no more */
	CU_ASSERT_EQUAL(passes(&l, v4(1), 6, NS_PER_S), 0);
}

static void a_source_that_keeps_to_its_rate_is_never_limited(void)
{
	struct quota l = begin(RATE, BURST);
	uint64_t now = NS_PER_S;
	int n = 0;

	for (int i = 0; i < EVENTS; i++, now += NS_PER_S / RATE)
		n += passes(&l, v4(1), (uint64_t)i, now);
	CU_ASSERT_EQUAL(n, EVENTS);
}

static void a_crowd_of_others_limits_nobody(void)
{
	struct quota l = begin(RATE, BURST);
	uint64_t now = NS_PER_S, word = 1;
	int honest = 0, asked = 0;

	srandom(2);
	for (int i = 0; i < 400000; i++, now += 2500, word++) { /* 400,000/s of 65,536 addresses */
		passes(&l, v4(0x0a000000u + (uint32_t)(random() % 65536)), word, now);
		if (i % 400 == 0) {
			asked++;
			honest += passes(&l, v4(0xc0000207u), word, now);
		}
	}
	CU_ASSERT_EQUAL(asked, 1000);
	CU_ASSERT_EQUAL(honest, asked);
}

/* It has used up most of its set, so that it is the last to be forgotten. */
static void a_crowd_of_others_hides_no_flooder(void)
{
	static uint64_t passed_ns[MOST_DATAGRAMS];
	struct quota l = begin(RATE, BURST);
	uint64_t now = NS_PER_S, word = 1;
	uint32_t n = 0;

	srandom(3);
	for (int i = 0; i < 400000; i++, now += 2500, word++) {
		passes(&l, v4(0x0a000000u + (uint32_t)(random() % 65536)), word, now);
		if (i % 10 == 0 && n < MOST_DATAGRAMS && passes(&l, v4(0xc0000207u), word, now))
			passed_ns[n++] = now;
	}
	CU_ASSERT(n >= RATE && n <= RATE + BURST);
	check_windows(passed_ns, n);
}

static void an_address_is_cut_to_its_prefix(void)
{
	struct quota l = begin(1, 1);

	CU_ASSERT_EQUAL(passes(&l, v6("2001:db8::1"), 1, NS_PER_S), 1);
	CU_ASSERT_EQUAL(passes(&l, v6("2001:db8::ffff:2"), 2, NS_PER_S), 0);
	CU_ASSERT_EQUAL(passes(&l, v6("2001:db8:0:1::1"), 3, NS_PER_S), 1);
	CU_ASSERT_EQUAL(passes(&l, v4(0x7f000001), 4, NS_PER_S), 1);
	CU_ASSERT_EQUAL(passes(&l, v4(0x7f000002), 5, NS_PER_S), 1);
	CU_ASSERT_EQUAL(passes(&l, v4(0x7f000001), 6, NS_PER_S), 0);
	l.bits[0] = 24;
	l.bits[1] = 128;
	CU_ASSERT_EQUAL(passes(&l, v4(0x7f000101), 7, NS_PER_S), 1);
	CU_ASSERT_EQUAL(passes(&l, v4(0x7f000102), 8, NS_PER_S), 0);
	CU_ASSERT_EQUAL(passes(&l, v6("2001:db8::2"), 9, NS_PER_S), 1);
	CU_ASSERT_EQUAL(passes(&l, v6("2001:db8::3"), 10, NS_PER_S), 1);
}

static void a_wild_word_locks_nobody_out(void)
{
	struct quota l = begin(RATE, BURST);

	passes(&l, v4(1), 1, NS_PER_S);
	for (int i = 0; i < SOURCES; i++)
		if (sources[i].until_ns)
			sources[i].until_ns = UINT64_MAX - 5;
	CU_ASSERT_EQUAL(passes(&l, v4(1), 2, 2 * NS_PER_S), 0);
	for (int i = 0; i < SOURCES; i++)
		if (sources[i].until_ns)
			sources[i].until_ns = 90 * NS_PER_S;
	CU_ASSERT_EQUAL(passes(&l, v4(1), 3, 2 * NS_PER_S), 0);
	CU_ASSERT_EQUAL(passes(&l, v4(1), 4, 89 * NS_PER_S), 1);
}

SUITE(quota, TEST(no_window_has_more_than_rate_and_burst), TEST(a_death_takes_nothing_from_a_source),
      TEST(a_source_that_keeps_to_its_rate_is_never_limited), TEST(a_crowd_of_others_limits_nobody),
      TEST(a_crowd_of_others_hides_no_flooder), TEST(an_address_is_cut_to_its_prefix),
      TEST(a_wild_word_locks_nobody_out))
