/*
 * layout.c - what must hold of the layout, checked when it is compiled, and the hash that tells builds apart.
 *
 * Rules:   an assert that says CHANGED names a size that readers rely on: give the segment a new LAYOUT_VERSION, then
 *          write the new size here. A new drop reason makes a bank a word longer, and the asserts count with that: the
 *          hash tells such a build from the one before it.
 */
#include "layout.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "drr.h"
#include "lane.h"

#ifndef LAYOUT_HASH /* the Makefile gives it: a hash of the declarations in layout.h */
#define LAYOUT_HASH 0
#endif

#define CHANGED "the layout has changed: a new LAYOUT_VERSION, then the new size here"
#define APART "two writers must not share a line"
#define WORD sizeof(uint64_t)
#define LINES(bytes) (((bytes) + LINE - 1) / LINE * LINE)

/* What the sizes below follow from, and what is declared elsewhere. */
static_assert(MAX_CLASSES == 16 && MAX_LISTEN == 4 && MAX_DESTS == 64 && N_STAGES == 3 && CLASS_NAME_BYTES == 16,
	      CHANGED);
static_assert(HISTOGRAM_BITS == 4 && HISTOGRAM_TOP == 36 && SEND_ERRNOS == 8 && N_SPANS == 6 && BATCH == 64, CHANGED);
static_assert(sizeof(_Atomic uint64_t) == 8 && ATOMIC_LLONG_LOCK_FREE == 2, "counts need plain 64-bit stores");

/* Packets. */
static_assert(sizeof(struct arrival) == 32, "two arrivals a line; else " CHANGED);
static_assert(sizeof(struct origin) == LINE, "one a line; else " CHANGED);
static_assert(sizeof(struct result) == 24, "packed array; else " CHANGED);
static_assert(sizeof(struct departure) == 16, "four departures a line; else " CHANGED);
static_assert(N_DROP_REASONS <= UINT8_MAX, "arrival and result keep the reason in a byte");

/* Counters: a word each. */
static_assert(sizeof(struct ingress_tally) == WORD * (8 + N_INGRESS_DROPS), CHANGED);
static_assert(sizeof(struct edf_tally) == WORD * (3 + N_EDF_DROPS), CHANGED);
static_assert(sizeof(struct egress_tally) == WORD * (102 + N_EGRESS_DROPS), CHANGED);
static_assert(offsetof(struct egress_tally, updates) == sizeof(struct egress_tally) - BATCH * WORD,
	      "lane_release() stores no more of the updates than there are: they are last");

/* A lane: three counts, three pairs of banks, the histogram, the limits. */
static_assert(offsetof(struct lane, processed) == LINE && offsetof(struct lane, sent) == 2 * LINE, APART);
static_assert(offsetof(struct lane, ingress) == 3 * LINE, APART);
static_assert(offsetof(struct lane, edf) % LINE == 0 && offsetof(struct lane, egress) % LINE == 0, APART);
static_assert(sizeof(struct lane) == 4 * LINE + LINES(2 * sizeof(struct ingress_tally)) +
					     LINES(2 * sizeof(struct edf_tally)) +
					     LINES(2 * sizeof(struct egress_tally)) + LINES(HISTOGRAM_BUCKETS * WORD) +
					     LINES(MAX_DESTS * WORD) + LINES((1 + MAX_DESTS) * sizeof(struct shaped)),
	      CHANGED);

static_assert(offsetof(struct lane, unexpected) % LINE == 0, APART);
static_assert(sizeof(struct copied) == WORD * (4 + N_SKIP_REASONS), CHANGED);
static_assert(sizeof(struct copies_tally) == WORD * 3 + MAX_COPIES * 2 * sizeof(struct copied), CHANGED);
static_assert(sizeof(struct copies) == MAX_COPIES * COPY_NAME_BYTES + LINES(2 * sizeof(struct copies_tally)), CHANGED);
static_assert(sizeof(struct session) == 2 * LINE, CHANGED);
static_assert(sizeof(struct destination_state) == 128 && sizeof(struct destination) == 7 * LINE, CHANGED);
static_assert(offsetof(struct destination, refused_by_egress) % LINE == 0 &&
		      offsetof(struct destination, refused_by_ingress) % LINE == 0,
	      APART);

/* What lies before the lanes. */
static_assert(sizeof(struct class_entry) == 128 && sizeof(struct header) == 6240, CHANGED);
static_assert(sizeof(struct guard_source) == 40 && sizeof(struct guard) == 165952, CHANGED);
static_assert(sizeof(struct stage_block) == 256, CHANGED);
static_assert(offsetof(struct stage_block, pid) == LINE, "ringers must not share the stage's line");
static_assert(sizeof(struct ingress_journal) == 17728 && sizeof(struct egress_journal) == 11968, CHANGED);
static_assert(sizeof(struct edf_journal) == 64 && sizeof(struct stray_journal) == 128, CHANGED);
static_assert(sizeof(struct shared) == 54656, CHANGED);

/* Twins: sizes of others that must cover what lies here. */
static_assert(MAX_SESSIONS < UINT16_MAX, "an arrival holds the number of its session");
static_assert(MAX_FLOWS <= 64, "a journal word has 6 bits for the flow");
static_assert(DRR_FLOWS >= MAX_FLOWS && DRR_FLOWS >= MAX_CLASSES,
	      "drr.h shares among listen addresses, and among classes");

static uint64_t mix(uint64_t hash, const void *data, size_t bytes)
{
	const uint8_t *at = data;

	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ at[i]) * 0x100000001b3ULL; /* FNV-1a */
	return hash;
}

uint64_t layout_hash(void)
{
	const uint64_t sizes[] = {
		LAYOUT_HASH,	       sizeof(struct shared),	 sizeof(struct lane),	 sizeof(struct arrival),
		sizeof(struct result), sizeof(struct departure), sizeof(struct session), sizeof(struct session_ports),
		sizeof(struct origin), sizeof(struct scratch),	 sizeof(struct copies),	 sizeof(struct destination),
		sizeof(struct guard)
	};
	uint64_t hash = mix(0xcbf29ce484222325ULL, sizes, sizeof(sizes));

	for (int r = 0; r < N_DROP_REASONS; r++)
		hash = mix(hash, drop_reason_name((enum drop_reason)r),
			   strlen(drop_reason_name((enum drop_reason)r)) + 1);
	for (int s = 0; s < N_SKIP_REASONS; s++)
		hash = mix(hash, skip_reason_name((enum skip_reason)s),
			   strlen(skip_reason_name((enum skip_reason)s)) + 1);
	for (int s = 0; s < N_SPANS; s++)
		hash = mix(hash, span_name((enum span)s), strlen(span_name((enum span)s)) + 1);
	return hash;
}

void layout_print(void)
{
	printf("%d.%016llx\n", LAYOUT_VERSION, (unsigned long long)layout_hash());
}
