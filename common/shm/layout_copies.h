/*
 * layout_copies.h - THE shared segment, the part of it that a class with copies has: what became of each destination's.
 * By the rules of layout.h, which includes it: whoever changes this changes the layout.
 */
#ifndef ONTIME_LAYOUT_COPIES_H
#define ONTIME_LAYOUT_COPIES_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "config/ids.h"
#include "fate.h"

#define COPY_NAME_BYTES 64 /* an address as text */
#define TALLY_WORDS(type) (sizeof(type) / sizeof(uint64_t))

/* What became of the packets that a class offered to one of the destinations that it copies to. */
struct copied {
	uint64_t sent_pkts, sent_bytes;
	uint64_t error_pkts; /* the kernel refused them */
	uint64_t last_errno; /* ... with this, the last time; 0: never */
	uint64_t skipped_pkts[N_SKIP_REASONS]; /* in the order of enum skip_reason */
};

/*
 * Of a class that copies. The batch is the slots from the commit word on of which some destinations have had their
 * copies and others have not. A call to one destination ends in a commit of no packet that moves `done_slots` and
 * `destination`; the last one commits the batch. Then `released` has what `batch` had, so that of each destination,
 * at any instant:  sent + send_error of the class = sent + error + skipped.
 */
struct copies_tally {
	uint64_t batch_slots; /* dropped ones included, and the last is none; 0: no batch is under copying */
	uint64_t done_slots; /* of it: `destination` has had those, or never will; the next one is to be sent */
	uint64_t destination; /* whose turn it is; those before it have had theirs */
	struct {
		struct copied released, batch;
	} to[MAX_COPIES];
};

/* Only a class that copies has one. The banks are those of lane.sent. */
struct copies {
	char to[MAX_COPIES][COPY_NAME_BYTES]; /* "10.0.0.5:7777", with the final NUL: for observers; writer: hold */
	alignas(LINE) _Atomic uint64_t banks[2][TALLY_WORDS(struct copies_tally)]; /* writer: egress */
};

#endif
