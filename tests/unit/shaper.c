/* shaper.c - the token bucket over every window, to the nanosecond and across restarts; shares between classes. */
#include <CUnit/CUnit.h>
#include <stdlib.h>
#include <string.h>

#include "egress/shaper.h"
#include "random.h"
#include "suites.h"

#define NS 1000000000ULL
#define NOW (5000 * NS)
#define LONGEST_BYTES 1528 /* on the wire */
#define MBIT 1000000ULL
#define GBIT 1000000000ULL

static uint64_t random_state;

static uint64_t random_below(uint64_t n)
{
	return (random_next(&random_state) >> 11) % n;
}

static struct shaper shaped(uint64_t rate_bits_per_s, uint64_t burst_bytes)
{
	struct shaper s;

	memset(&s, 0x5a, sizeof(s));
	shaper_init(&s, rate_bits_per_s, (uint32_t)burst_bytes);
	return s;
}

/* A sender and all it sent. In bits * ns / s, so that all is exact: granted is the sum of rate * time. */
struct link {
	struct shaper s;
	uint64_t now, n_sent;
	__int128 sent, granted;
	__int128 least, worst; /* sent - granted at the start of any window; the most that any sent beyond rate * t */
};

static __int128 scaled(uint64_t bytes)
{
	return (__int128)bytes * 8 * NS;
}

static void wait_until(struct link *l, uint64_t then)
{
	l->granted += (__int128)(then - l->now) * l->s.rate_bits_per_s;
	l->now = then;
}

static void send_bytes(struct link *l, uint32_t bytes)
{
	if (l->sent - l->granted < l->least)
		l->least = l->sent - l->granted; /* a window that starts now */
	shaper_charge(&l->s, bytes, l->now);
	l->sent += scaled(bytes);
	if (l->sent - l->granted - l->least > l->worst)
		l->worst = l->sent - l->granted - l->least; /* the worst window that ends now */
	l->n_sent++;
}

/* send_greedily - as egress does: at the earliest time, one packet or as many bytes as are allowed. */
static void send_greedily(struct link *l)
{
	uint32_t oldest = 29 + (uint32_t)random_below(LONGEST_BYTES - 28), most;
	uint64_t next = shaper_next_ns(&l->s, oldest, l->now);

	wait_until(l, next);
	most = shaper_allows_bytes(&l->s, l->now);
	if (most > oldest && random_below(3) == 0)
		oldest += (uint32_t)random_below(most - oldest + 1);
	send_bytes(l, oldest);
}

static void reopen(struct link *l, uint64_t rate_bits_per_s, uint64_t burst_bytes)
{
	struct shaper s = shaped(rate_bits_per_s, burst_bytes);

	shaper_resume(&s, l->s.empty_at_ns, l->s.rate_bits_per_s, l->now);
	l->s = s;
}

/* Rates and bursts: the limits of the config, whole kB/s and not, bytes longer and shorter than a nanosecond. */
static const uint64_t shapes[][2] = { { 64000, 1528 },		 { 64000, 16 << 20 },  { 70001, 4096 },
				      { 8 * MBIT, 1528 },	 { 10 * MBIT, 65536 }, { 123456789, 65535 },
				      { 3 * MBIT + 7, 1 << 20 }, { GBIT, 65536 },      { 400 * GBIT, 16 << 20 } };

#define N_SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static void without_a_rate_anything_may_leave_at_once(void)
{
	struct shaper s = shaped(0, 65536);

	shaper_charge(&s, 1U << 30, NOW);
	CU_ASSERT_EQUAL(shaper_allows_bytes(&s, NOW), UINT32_MAX);
	CU_ASSERT_EQUAL(shaper_next_ns(&s, 1U << 30, NOW), NOW);
	CU_ASSERT_EQUAL(shaper_after_ns(&s, 1U << 30, NOW), 0);
	CU_ASSERT_EQUAL(s.empty_at_ns, 0);
	shaper_resume(&s, NOW + 77 * NS, MBIT, NOW); /* a reload that switched the rate off */
	CU_ASSERT_EQUAL(shaper_next_ns(&s, 1500, NOW), NOW);
}

/* 8 Mbit/s is a byte in a microsecond. */
static void the_bucket_empties_by_what_is_sent_and_fills_at_the_rate(void)
{
	struct shaper s = shaped(8 * MBIT, 10000);

	CU_ASSERT_EQUAL(shaper_allows_bytes(&s, NOW), 10000);
	CU_ASSERT_EQUAL(shaper_after_ns(&s, 4000, NOW), NOW + 4000000);
	shaper_charge(&s, 4000, NOW);
	CU_ASSERT_EQUAL(shaper_allows_bytes(&s, NOW), 6000);
	shaper_charge(&s, 6000, NOW);
	CU_ASSERT_EQUAL(shaper_allows_bytes(&s, NOW), 0);
	CU_ASSERT_EQUAL(shaper_allows_bytes(&s, NOW + 1000), 1);
	CU_ASSERT_EQUAL(shaper_next_ns(&s, 1500, NOW), NOW + 1500000);
	CU_ASSERT_EQUAL(shaper_after_ns(&s, 1, NOW + 70000), NOW + 10001000);
	CU_ASSERT_EQUAL(shaper_allows_bytes(&s, NOW + 10000000), 10000);
}

static void idle_time_saves_up_no_more_than_the_burst(void)
{
	for (size_t i = 0; i < N_SHAPES; i++) {
		struct shaper s = shaped(shapes[i][0], shapes[i][1]);
		uint32_t full_bytes = shaper_allows_bytes(&s, NOW);
		uint64_t later = NOW + 365 * 86400 * NS;

		shaper_charge(&s, full_bytes, NOW);
		CU_ASSERT_EQUAL(shaper_allows_bytes(&s, later), full_bytes);
		shaper_charge(&s, full_bytes, later);
		CU_ASSERT_EQUAL(s.empty_at_ns - later, shaper_after_ns(&s, full_bytes, 2 * later) - 2 * later);
	}
}

/* Greedy sending and idle times; every shape once without and once with restarts. */
static void no_window_exceeds_rate_times_t_plus_burst_not_even_across_restarts(void)
{
	random_state = 0x9e3779b97f4a7c15;
	for (size_t i = 0; i < N_SHAPES; i++)
		for (int with_restarts = 0; with_restarts < 2; with_restarts++) {
			struct link l = { .s = shaped(shapes[i][0], shapes[i][1]), .now = NOW };
			uint64_t full_ns = l.s.burst_ns;

			for (int sends = 0; sends < 20000; sends++) {
				send_greedily(&l);
				if (random_below(4) == 0)
					wait_until(&l, l.now + random_below(full_ns / (1 + random_below(1000)) + 2));
				if (with_restarts && random_below(4) == 0)
					reopen(&l, shapes[i][0], shapes[i][1]);
			}
			CU_ASSERT(l.worst <= scaled(shapes[i][1]));
			CU_ASSERT(l.worst > scaled(shapes[i][1]) * 9 / 10); /* the run was hard enough */
		}
}

/* The bound is also reached: rounding costs less than one ns a send, and one for the burst. */
static void a_sender_that_never_idles_gets_all_of_rate_times_t_plus_burst(void)
{
	random_state = 0x2545f4914f6cdd1d;
	for (size_t i = 0; i < N_SHAPES; i++) {
		struct link l = { .s = shaped(shapes[i][0], shapes[i][1]), .now = NOW };
		__int128 due;

		while (l.n_sent < 50000 || shaper_next_ns(&l.s, LONGEST_BYTES, l.now) == l.now)
			send_greedily(&l);
		wait_until(&l, shaper_next_ns(&l.s, LONGEST_BYTES, l.now));
		send_bytes(&l, LONGEST_BYTES);
		due = l.granted + scaled(shapes[i][1]) - l.sent;
		CU_ASSERT(due <= (__int128)(l.n_sent + 1) * shapes[i][0]);
	}
}

/* Both answers agree to the nanosecond and the byte; at rates of whole kB/s, where allows_bytes loses nothing. */
static void a_packet_is_allowed_at_the_next_time_and_not_a_nanosecond_earlier(void)
{
	uint32_t n_waited = 0;

	random_state = 88172645463325252;
	for (int round = 0; round < 200000; round++) {
		uint64_t next, rate = 8000 * (8 + random_below(random_below(2) ? 1000 : 50000000 - 8));
		struct shaper s = shaped(rate, LONGEST_BYTES + 1 + (uint32_t)random_below(100000));
		uint32_t bytes = 1 + (uint32_t)random_below(LONGEST_BYTES), allowed;

		s.empty_at_ns = NOW + random_below(s.burst_ns + 1);
		next = shaper_next_ns(&s, bytes, NOW);
		CU_ASSERT_FATAL(next >= NOW && shaper_allows_bytes(&s, next) >= bytes);
		if (next > NOW)
			CU_ASSERT_FATAL(shaper_allows_bytes(&s, next - 1) < bytes);
		n_waited += next > NOW;
		allowed = shaper_allows_bytes(&s, NOW);
		CU_ASSERT_EQUAL_FATAL(shaper_next_ns(&s, allowed, NOW), NOW);
		if (s.empty_at_ns > NOW)
			CU_ASSERT_FATAL(shaper_next_ns(&s, allowed + 1, NOW) > NOW);
	}
	CU_ASSERT(n_waited > 1000);
}

/* Less only by the rounding of the rate to kB/s, and of two terms to bytes. */
static void what_is_allowed_is_never_more_than_has_refilled_at_any_rate(void)
{
	random_state = 42;
	for (int round = 0; round < 200000; round++) {
		uint64_t rate = 64000 + random_below(random_below(2) ? 1000000 : 400 * GBIT), left_ns;
		struct shaper s = shaped(rate, 1024 + (uint32_t)random_below((16 << 20) - 1023));
		__int128 allowed;

		left_ns = random_below(s.burst_ns + 1);
		s.empty_at_ns = NOW + s.burst_ns - left_ns;
		allowed = shaper_allows_bytes(&s, NOW);
		CU_ASSERT_FATAL(scaled((uint64_t)allowed) <= (__int128)left_ns * rate);
		CU_ASSERT_FATAL(scaled((uint64_t)allowed + 1) > (__int128)left_ns * rate);
	}
}

static void a_packet_longer_than_the_burst_leaves_when_the_bucket_is_full(void)
{
	struct shaper s = shaped(8 * MBIT, 1024);

	CU_ASSERT_EQUAL(shaper_next_ns(&s, 1500, NOW), NOW);
	shaper_charge(&s, 1500, NOW);
	CU_ASSERT_EQUAL(shaper_allows_bytes(&s, NOW + 475999), 0); /* 1 ns more than the burst to go */
	CU_ASSERT_EQUAL(shaper_next_ns(&s, 1500, NOW), NOW + 1500000); /* and it has paid for all its bytes */
	CU_ASSERT_EQUAL(shaper_next_ns(&s, 1023, NOW), NOW + 1499000);
}

static void a_successor_goes_on_where_the_bucket_was(void)
{
	struct shaper s = shaped(8 * MBIT, 10000);

	shaper_resume(&s, 0, 0, NOW); /* the first ever */
	CU_ASSERT_EQUAL(shaper_allows_bytes(&s, NOW), 10000);
	shaper_resume(&s, NOW + 9999000, 8 * MBIT, NOW);
	CU_ASSERT_EQUAL(shaper_allows_bytes(&s, NOW), 1);
	shaper_resume(&s, NOW + 10000000, 8 * MBIT, NOW);
	CU_ASSERT_EQUAL(shaper_allows_bytes(&s, NOW), 0);
	shaper_resume(&s, NOW + 1500, 8 * MBIT, NOW); /* a byte and a half: at the same rate nothing is rounded */
	CU_ASSERT_EQUAL(s.empty_at_ns, NOW + 1500);
	shaper_resume(&s, NOW + 15000000, 8 * MBIT,
		      NOW); /* a reload made the burst smaller: all that was sent counts */
	CU_ASSERT_EQUAL(shaper_next_ns(&s, 1500, NOW), NOW + 6500000);
	shaper_resume(&s, NOW + 1000000, 80 * MBIT, NOW); /* 10000 bytes at the earlier rate */
	CU_ASSERT_EQUAL(s.empty_at_ns, NOW + 10000000);
	shaper_resume(&s, NOW + 1000000, 0, NOW); /* it was off */
	CU_ASSERT_EQUAL(shaper_allows_bytes(&s, NOW), 10000);
	shaper_resume(&s, UINT64_MAX, 8 * MBIT, NOW); /* no bucket can hold that */
	CU_ASSERT_EQUAL(s.empty_at_ns, NOW + ((16 << 20) + (64 << 10)) * 1000ULL);
}

/* A byte that has begun is a byte, and a nanosecond that has begun a nanosecond: in no case more may leave. */
static void what_is_left_over_is_rounded_up(void)
{
	struct shaper s = shaped(7, 10000);

	for (uint32_t bytes = 0; bytes < 100; bytes++) {
		uint64_t ns = shaper_after_ns(&s, bytes, NOW) - NOW;

		CU_ASSERT(7 * ns >= bytes * 8 * NS);
		CU_ASSERT(bytes == 0 ? ns == 0 : 7 * (ns - 1) < bytes * 8 * NS);
	}
	s = shaped(80 * MBIT, 10000);
	shaper_resume(&s, NOW + 1000, 8 * MBIT, NOW);
	CU_ASSERT_EQUAL(s.empty_at_ns, NOW + 100);
	shaper_resume(&s, NOW + 1001, 8 * MBIT, NOW);
	CU_ASSERT_EQUAL(s.empty_at_ns, NOW + 200);
	shaper_resume(&s, NOW + 1, 1, NOW); /* the least there can be of a byte */
	CU_ASSERT_EQUAL(s.empty_at_ns, NOW + 100);
}

/* One reload in the middle of a run, at rates up to 100 times apart. `granted` changes its slope there. */
static void across_a_reload_no_window_exceeds_the_larger_burst(void)
{
	random_state = 7;
	for (int round = 0; round < 10000; round++) {
		uint64_t rates[2] = { 64000 + random_below(10 * MBIT), 64000 + random_below(10 * MBIT) };
		uint64_t old = LONGEST_BYTES + random_below(20000), new = LONGEST_BYTES + random_below(20000);
		struct link l = { .s = shaped(rates[0], old), .now = NOW };

		for (int sends = 10 + (int)random_below(20); sends; sends--)
			send_greedily(&l);
		wait_until(&l, l.now + random_below(random_below(2) ? 1000 : l.s.burst_ns));
		reopen(&l, rates[1], new);
		for (int sends = 0; sends < 30; sends++)
			send_greedily(&l);
		CU_ASSERT_FATAL(l.worst <= scaled(old > new ? old : new));
	}
}

/* 16:4:1 of the wire, as egress/loop.c sends, with a rate and without: headers are a third of the smallest packet. */
static void classes_share_wire_bytes_by_quantum(void)
{
	static const uint32_t quanta[] = { 24000, 6000, 1500 }, payloads[] = { 64, 700, 1400 };

	for (uint32_t turned = 0; turned < 6; turned++) {
		struct config c = { .rate_bits_per_s = turned % 2 ? GBIT : 0, .burst_bytes = 5000, .n_classes = 3 };
		uint64_t sent[3] = { 0 }, total = 0, now = NOW;
		uint32_t oldest[3];
		struct shaper s;
		struct drr drr;

		for (uint32_t i = 0; i < 3; i++) {
			c.classes[i].egress_quantum_bytes = quanta[i];
			oldest[i] = payloads[(i + turned) % 3] + IPV4_UDP_BYTES;
		}
		shaper_init(&s, c.rate_bits_per_s, c.burst_bytes);
		shaper_init_shares(&drr, &c);
		while (total < 100000000) {
			int picked = drr_pick(&drr, oldest);
			uint32_t most, allowed, bytes;

			CU_ASSERT_FATAL(picked >= 0);
			most = drr_allowance_bytes(&drr, picked);
			now = shaper_next_ns(&s, oldest[picked], now);
			allowed = shaper_allows_bytes(&s, now);
			bytes = (allowed < most ? allowed : most) / oldest[picked] * oldest[picked];
			CU_ASSERT_FATAL(bytes > 0);
			drr_charge(&drr, picked, bytes);
			shaper_charge(&s, bytes, now);
			sent[picked] += bytes;
			total += bytes;
		}
		for (uint32_t i = 0; i < 3; i++)
			CU_ASSERT(llabs((long long)(sent[i] * 31500 - total * quanta[i])) * 100 <=
				  (long long)total * quanta[i]);
	}
}

static void each_class_has_its_quantum_and_only_backlogged_ones_are_picked(void)
{
	struct config c = { .n_classes = MAX_CLASSES };
	struct drr drr;

	for (uint32_t i = 0; i < MAX_CLASSES; i++)
		c.classes[i].egress_quantum_bytes = 2000 + i;
	shaper_init_shares(&drr, &c);
	for (uint32_t i = MAX_CLASSES; i--;) {
		uint32_t oldest[MAX_CLASSES] = { 0 };

		CU_ASSERT_EQUAL(drr_pick(&drr, oldest), -1);
		oldest[i] = 92;
		CU_ASSERT_EQUAL(drr_pick(&drr, oldest), (int)i);
		CU_ASSERT_EQUAL(drr_allowance_bytes(&drr, (int)i), 2000 + i);
	}
}

SUITE(shaper, TEST(without_a_rate_anything_may_leave_at_once),
      TEST(the_bucket_empties_by_what_is_sent_and_fills_at_the_rate), TEST(idle_time_saves_up_no_more_than_the_burst),
      TEST(no_window_exceeds_rate_times_t_plus_burst_not_even_across_restarts),
      TEST(a_sender_that_never_idles_gets_all_of_rate_times_t_plus_burst),
      TEST(a_packet_is_allowed_at_the_next_time_and_not_a_nanosecond_earlier),
      TEST(what_is_allowed_is_never_more_than_has_refilled_at_any_rate),
      TEST(a_packet_longer_than_the_burst_leaves_when_the_bucket_is_full),
      TEST(a_successor_goes_on_where_the_bucket_was), TEST(what_is_left_over_is_rounded_up),
      TEST(across_a_reload_no_window_exceeds_the_larger_burst), TEST(classes_share_wire_bytes_by_quantum),
      TEST(each_class_has_its_quantum_and_only_backlogged_ones_are_picked))
