/*
 * weak.c - the functions of lane.h and bell.h themselves, under every order of memory that C allows, and with each kind
 * of order left out, which must be missed. So the edges "received", "processed", "sent", "tally" and "bell" hold on
 * AArch64.
 */
#include <stdio.h>
#include <string.h>

#include "explore.h"
#include "shm/bell.h"
#include "shm/lane.h"
#include "units.h"

#define COMMITS 5
#define PKTS 3
#define LOOKS 4

static struct lane lane;
static _Atomic uint64_t slot, result; /* for the bytes of a slot, and what edf writes about it */
static _Atomic uint32_t parked;
static _Atomic uint64_t count;

/* The bank of an observer, of which the first two words stand for all. */

static void begin_tally(void)
{
	explore_watch(&lane.processed, 0);
	for (int bank = 0; bank < 2; bank++)
		for (int i = 0; i < 2; i++)
			explore_watch(&lane.edf[bank][i], 0);
}

static void commit(void)
{
	struct edf_tally tally = { 0 };
	uint64_t word = 0;

	for (uint32_t i = 1; i <= COMMITS; i++) {
		tally.worked_pkts = i;
		tally.worked_bytes = 2 * i;
		word = lane_pass(&lane, word, 1, &tally);
	}
}

static void observe(void)
{
	struct edf_tally seen = { 0 };
	uint64_t word;

	if (lane_read_bank(&lane.processed, lane.edf[0], &seen, TALLY_WORDS(seen), &word) == 0)
		explore_must(seen.worked_pkts == word >> COUNT_SHIFT && seen.worked_bytes == 2 * seen.worked_pkts);
}

/* One slot for all packets: through three stages, and used again. */

static void begin_slot(void)
{
	explore_watch(&lane.received, 0);
	explore_watch(&lane.processed, 0);
	explore_watch(&lane.sent, 0);
	explore_watch(&slot, 0);
	explore_watch(&result, 0);
}

static void fill(void)
{
	struct ingress_tally tally = { 0 };
	uint64_t word = 0;

	for (uint64_t i = 1; i <= PKTS; i++) {
		if (lane_distance_pkts(word, lane_sent(&lane)) > 0)
			return; /* full */
		atomic_store_explicit(&slot, i, memory_order_relaxed);
		word = lane_publish(&lane, word, 1, &tally);
	}
}

static void work(void)
{
	struct edf_tally tally = { 0 };
	uint64_t word = 0;

	for (uint64_t i = 1; i <= PKTS; i++) {
		if (lane_distance_pkts(lane_received(&lane), word) == 0)
			return;
		explore_must(atomic_load_explicit(&slot, memory_order_relaxed) == i);
		atomic_store_explicit(&result, 10 * i, memory_order_relaxed);
		word = lane_pass(&lane, word, 1, &tally);
	}
}

static void empty(void)
{
	struct egress_tally tally = { 0 };
	uint64_t word = 0;

	for (uint64_t i = 1; i <= PKTS; i++) {
		if (lane_distance_pkts(lane_processed(&lane), word) == 0)
			return;
		explore_must(atomic_load_explicit(&slot, memory_order_relaxed) == i);
		explore_must(atomic_load_explicit(&result, memory_order_relaxed) == 10 * i);
		word = lane_release(&lane, word, 1, &tally);
	}
}

/* A stage that parks until it has seen what another publishes; of two others: bell.pml. */

static void begin_bell(void)
{
	explore_watch(&parked, 1);
	explore_watch(&count, 0);
}

static void park(void)
{
	for (int looks = 0; looks < LOOKS; looks++) { /* a ring ends one sleep */
		bell_announce(&parked, PARKED);
		if (atomic_load_explicit(&count, memory_order_acquire))
			return;
		bell_sleep(&parked, PARKED, NS_PER_S);
		bell_awake(&parked);
	}
}

static void ring(void)
{
	atomic_store_explicit(&count, 1, memory_order_release);
	bell_ring(&parked, PARKED);
}

static void nothing(void)
{
}

static const struct scenario tally = { "a tally belongs to its word", 2, begin_tally, { commit, observe }, nothing };
static const struct scenario lanes = {
	"a slot is whole, and used again when it is free", 3, begin_slot, { fill, work, empty }, nothing
};
static const struct scenario bell = { "no ring is lost", 2, begin_bell, { park, ring }, nothing };

static const struct {
	const struct scenario *scenario;
	uint32_t left_out;
	const char *what;
} cases[] = {
	{ &tally, 0, NULL },
	{ &tally, LEAVE_RELEASE, "release stores" },
	{ &tally, LEAVE_ACQUIRE, "acquire loads" },
	{ &tally, LEAVE_RELEASE_FENCE, "the release fence" },
	{ &tally, LEAVE_ACQUIRE_FENCE, "the acquire fence" },
	{ &lanes, 0, NULL },
	{ &lanes, LEAVE_RELEASE | LEAVE_RELEASE_FENCE, "release stores and fences" },
	{ &lanes, LEAVE_ACQUIRE, "acquire loads" },
	{ &bell, 0, NULL },
	{ &bell, LEAVE_FULL_FENCE, "the full fences" },
};

int main(void)
{
	int passed = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int is_wrong, is_well;
		uint64_t runs = explore(cases[i].scenario, cases[i].left_out, &is_wrong);

		is_well = is_wrong == (cases[i].left_out != 0);
		passed += is_well;
		failed += !is_well;
		printf("%s %s: %llu runs%s%s%s\n", is_well ? "ok  " : "FAIL", cases[i].scenario->name,
		       (unsigned long long)runs, cases[i].left_out ? ", and without " : "",
		       cases[i].left_out ? cases[i].what : "",
		       cases[i].left_out ? is_wrong ? " it is wrong" : " nothing is noticed"
		       : is_wrong	 ? ", and one is wrong"
					 : "");
	}
	printf("weak: %d passed, %d failed, 0 skipped\n", passed, failed);
	return failed > 0;
}
