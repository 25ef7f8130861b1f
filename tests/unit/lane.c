/* lane.c - what every observer and successor may rely on: counts past the wrap, banks that belong to their word. */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "shm/lane.h"
#include "suites.h"

#define SLOTS 64u
#define N_PKTS 300000u
#define N_COMMITS 200000u

/* A lane of its own memory. */
struct ring {
	struct lane lane;
	struct arrival arrivals[SLOTS];
	struct result results[SLOTS];
	struct departure departures[SLOTS];
	uint8_t payload[SLOTS][192];
	struct lane_view view;
};

static struct ring *ring_create(void)
{
	struct ring *r = aligned_alloc(LINE, (sizeof(*r) + LINE - 1) / LINE * LINE);

	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	memset(r, 0, sizeof(*r));
	r->view = (struct lane_view){
		.lane = &r->lane,
		.arrivals = r->arrivals,
		.results = r->results,
		.departures = r->departures,
		.payload = r->payload[0],
		.slots = SLOTS,
		.mask = SLOTS - 1,
		.stride_bytes = sizeof(r->payload[0]),
	};
	return r;
}

static void counts_go_on_past_the_wrap(void)
{
	uint64_t last = UINT64_MAX >> COUNT_SHIFT, word = (last - 2) << COUNT_SHIFT | 7, start = word;

	for (uint32_t n = 0; n < 6; n++) {
		CU_ASSERT_EQUAL(lane_distance_pkts(word, start), n);
		word = lane_next_word(word, 1);
	}
	CU_ASSERT_EQUAL(word >> COUNT_SHIFT, 3);
}

static void a_slot_follows_another_past_the_wrap_too(void)
{
	struct ring *r = ring_create();
	uint64_t word = ((UINT64_MAX >> COUNT_SHIFT) - 1) << COUNT_SHIFT;
	uint32_t expected = lane_index(&r->view, word, 0);

	for (uint32_t n = 0; n < 3 * SLOTS; n++) {
		CU_ASSERT_EQUAL(lane_index(&r->view, word, 0), expected);
		CU_ASSERT_EQUAL(lane_index(&r->view, word, 5), (expected + 5) % SLOTS);
		expected = (expected + 1) % SLOTS;
		word = lane_next_word(word, 1);
	}
	free(r);
}

static void each_commit_changes_the_bank_and_the_word(void)
{
	uint64_t word = 0;

	for (uint32_t i = 0; i < 1000; i++) {
		uint64_t next = lane_next_word(word, i % 3 == 0 ? 0 : i); /* a commit of no packets is one too */

		CU_ASSERT_NOT_EQUAL(next, word);
		CU_ASSERT_NOT_EQUAL(next & 1, word & 1);
		CU_ASSERT_EQUAL(lane_distance_pkts(next, word), i % 3 == 0 ? 0 : i);
		word = next;
	}
}

static void a_bank_counts_only_once_it_is_committed(void)
{
	struct ring *r = ring_create();
	struct ingress_tally tally = { .read_pkts = 5 }, seen;
	uint64_t word;

	lane_write_bank(r->lane.ingress[0], 0, &tally, TALLY_WORDS(tally), TALLY_WORDS(tally));
	CU_ASSERT_EQUAL(lane_read_bank(&r->lane.received, r->lane.ingress[0], &seen, TALLY_WORDS(seen), &word), 0);
	CU_ASSERT_EQUAL(seen.read_pkts, 0);
	CU_ASSERT_EQUAL(word, 0);
	word = lane_publish(&r->lane, 0, 5, &tally);
	CU_ASSERT_EQUAL(lane_read_bank(&r->lane.received, r->lane.ingress[0], &seen, TALLY_WORDS(seen), &word), 0);
	CU_ASSERT_EQUAL(seen.read_pkts, 5);
	CU_ASSERT_EQUAL(lane_distance_pkts(word, 0), 5);
	free(r);
}

static void *commit_often(void *arg)
{
	struct ring *r = arg;
	struct edf_tally tally = { 0 };
	uint64_t word = 0;

	for (uint64_t i = 1; i <= N_COMMITS; i++) {
		uint32_t n = (uint32_t)(i % 5);

		tally.worked_pkts += n;
		tally.worked_bytes = tally.worked_pkts * 3;
		tally.work_ns = tally.worked_pkts * 7;
		tally.egress_full_pkts = tally.worked_pkts * 11;
		word = lane_pass(&r->lane, word, n, &tally);
	}
	return NULL;
}

static void a_bank_that_is_read_belongs_to_its_word(void)
{
	struct ring *r = ring_create();
	uint64_t torn = 0, read = 0, word = 0, total = N_COMMITS / 5 * 10;
	pthread_t thread;

	pthread_create(&thread, NULL, commit_often, r);
	while (word >> COUNT_SHIFT < total) {
		struct edf_tally seen;

		if (lane_read_bank(&r->lane.processed, r->lane.edf[0], &seen, TALLY_WORDS(seen), &word))
			continue;
		read++;
		torn += seen.worked_pkts != word >> COUNT_SHIFT || seen.worked_bytes != seen.worked_pkts * 3 ||
			seen.work_ns != seen.worked_pkts * 7 || seen.egress_full_pkts != seen.worked_pkts * 11;
	}
	pthread_join(thread, NULL);
	CU_ASSERT(read > 0);
	CU_ASSERT_EQUAL(torn, 0);
	free(r);
}

static void *pass_on(void *arg)
{
	struct ring *r = arg;
	struct edf_tally tally = { 0 };
	uint64_t word = 0;

	while (word >> COUNT_SHIFT < N_PKTS) {
		uint32_t n = (uint32_t)lane_distance_pkts(lane_received(&r->lane), word);

		for (uint32_t i = 0; i < n; i++) {
			uint32_t at = lane_index(&r->view, word, i);

			r->results[at] = (struct result){ .len_bytes = r->arrivals[at].len_bytes + 1 };
		}
		if (n)
			word = lane_pass(&r->lane, word, n, &tally);
		else
			sched_yield();
	}
	return NULL;
}

struct verdict {
	struct ring *ring;
	uint32_t wrong;
};

static void *empty_ring(void *arg)
{
	struct verdict *v = arg;
	struct ring *r = v->ring;
	struct egress_tally tally = { 0 };
	uint64_t word = 0;
	uint32_t next = 0;

	while (next < N_PKTS) {
		uint32_t n = (uint32_t)lane_distance_pkts(lane_processed(&r->lane), word);

		for (uint32_t i = 0; i < n; i++, next++) {
			uint32_t at = lane_index(&r->view, word, i), stored;

			memcpy(&stored, lane_payload(&r->view, at), sizeof(stored));
			v->wrong += stored != next || r->arrivals[at].len_bytes != next ||
				    r->results[at].len_bytes != next + 1;
		}
		if (n)
			word = lane_release(&r->lane, word, n, &tally);
		else
			sched_yield();
	}
	return NULL;
}

static void three_threads_hand_packets_on_whole_and_in_order(void)
{
	struct ring *r = ring_create();
	struct verdict verdict = { .ring = r };
	struct ingress_tally tally = { 0 };
	pthread_t edf, egress;
	uint64_t word = 0;
	uint32_t next = 0;

	pthread_create(&edf, NULL, pass_on, r);
	pthread_create(&egress, NULL, empty_ring, &verdict);
	while (next < N_PKTS) {
		uint32_t room = SLOTS - (uint32_t)lane_distance_pkts(word, lane_sent(&r->lane));
		uint32_t n = room < 1 + next % 7 ? room : 1 + next % 7;

		n = n < N_PKTS - next ? n : N_PKTS - next;
		for (uint32_t i = 0; i < n; i++, next++) {
			uint32_t at = lane_index(&r->view, word, i);

			memcpy(lane_payload(&r->view, at), &next, sizeof(next));
			r->arrivals[at].len_bytes = next;
		}
		if (n)
			word = lane_publish(&r->lane, word, n, &tally);
		else
			sched_yield();
	}
	pthread_join(edf, NULL);
	pthread_join(egress, NULL);
	CU_ASSERT_EQUAL(verdict.wrong, 0);
	CU_ASSERT_EQUAL(lane_sent(&r->lane) >> COUNT_SHIFT, N_PKTS);
	free(r);
}

SUITE(lane, TEST(counts_go_on_past_the_wrap), TEST(a_slot_follows_another_past_the_wrap_too),
      TEST(each_commit_changes_the_bank_and_the_word), TEST(a_bank_counts_only_once_it_is_committed),
      TEST(a_bank_that_is_read_belongs_to_its_word), TEST(three_threads_hand_packets_on_whole_and_in_order))
