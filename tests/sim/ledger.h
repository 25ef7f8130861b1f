/*
 * ledger.h - what the ledger of a class holds.
 *
 * Memory:  a ledger per class: a record of each datagram from the moment ingress reads it until egress's count passes
 *          it.
 * Rules:   the ledger is kept by what passes the sockets alone (ledger.c); a lane is compared with it whenever a count
 *          has moved (lanes.c): before each call that moves datagrams, and after each step.
 */
#ifndef ONTIME_SIM_LEDGER_H
#define ONTIME_SIM_LEDGER_H

#include "egress/output.h"
#include "egress/shaper.h"
#include "sim.h"

#define N_SOURCES 8

struct record {
	struct sim_datagram d;
	uint64_t not_before_ns; /* its socket had been seen empty then; 0: nobody knows */
	uint32_t has_left, has_no_session, is_limited;
	uint8_t tos, is_marked; /* of the copies that have left */
};

struct ledger {
	struct record *ring;
	uint32_t mask;
	uint64_t end, published, processed, sent; /* records so far: read, and as the counts of the lane */
	uint64_t left_at; /* after the last one that left */
	uint64_t read_pkts, left_pkts, left_bytes, marked_pkts;
	uint64_t unsure_pkts; /* left, but too short to be told from a dropped one */
	uint64_t oversize_pkts, oversize_processed_pkts, no_session_pkts, no_session_processed_pkts;
	uint64_t limited_pkts, limited_processed_pkts;
	uint64_t until_ns[N_SOURCES]; /* what each address has used up, as quota.h has it */
	uint64_t word[N_STAGES]; /* commit words when last compared */
	uint64_t
		servable_since_ns[N_STAGES]; /* the stage could do something for the class since then; UINT64_MAX: no */
	struct ingress_tally ingress;
	struct edf_tally edf;
	struct egress_tally egress;
	uint8_t dest[MAX_FLOWS][N_SOURCES]; /* where datagrams of a sender leave */
	int is_refused;
	/* Of a class that copies: what each destination has, and behind which record its next copy may be. */
	uint64_t copied_pkts[MAX_DESTS], copied_bytes[MAX_DESTS], copied_at[MAX_DESTS];
	uint64_t skipped_pkts[N_SKIP_REASONS], failed_pkts; /* of all destinations, as last compared */
};

extern struct ledger ledgers[MAX_CLASSES];

static inline struct lane *lane_of(uint32_t class)
{
	return sim.seg.views[class].lane;
}

static inline struct record *record_at(struct ledger *l, uint64_t n)
{
	return &l->ring[n & l->mask];
}

/* sim_digest - of all that happened: two runs of one seed have the same. */
void sim_digest(uint64_t value);

/*
 * copies_leave - a copy has left: whose it is, by has_payload(). NULL, once it was said that it is not the next one of
 * its destination.
 */
struct record *copies_leave(struct ledger *l, const struct check_left *left,
			    int (*has_payload)(const struct record *r, const struct check_left *left));

/* copies_check - what the class says of each destination, when its count has moved past n records. */
void copies_check(uint32_t class, struct ledger *l, uint64_t n);

/*
 * note_servable - which stages could do something for the class from now on. moved: whose counts have moved, as bits.
 */
void note_servable(uint32_t class, struct ledger *l, uint32_t moved);

#endif
