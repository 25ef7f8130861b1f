/*
 * latency.h - what the BPF program and its loader agree on: maps, rows, and what a reader finds in them.
 *
 * Memory:  maps, pinned in the instance's directory of the bpffs. Row r of `rows` and of `histograms` is span r %
 *          LATENCY_SPANS of class r / LATENCY_SPANS; behind those of all classes come the wake-up delays, one row per
 *          stage.
 * Rules:   a span counts the packets that the stage that ends it passed on, and none that this stage, or one before it,
 *          dropped. So with nothing held and no packet missed (struct latency_progress), with the drop reasons of
 *          common/fate.h:
 *            socket, ingress                    received - what the kernel and ingress dropped
 *            edf_wait, edf_work                 those - what edf dropped
 *            egress_wait, egress_send, total    sent
 */
#ifndef ONTIME_LATENCY_H
#define ONTIME_LATENCY_H

#include "histogram.h"

#define LATENCY_COUNT_BITS 48 /* a commit word counts packets modulo 2^48 (common/shm/layout.h) */
#define LATENCY_SPANS 7 /* those of enum span, and the whole way */
#define LATENCY_TOTAL 6
#define LATENCY_STAGES 3
#define LATENCY_CLASSES 16
#define LATENCY_NAME_BYTES 16
#define LATENCY_BATCH                                                                                                  \
	64 /* packets of one batch that are counted, at most; with dropped ones between them it may be longer */
#define LATENCY_STAGE_SPANS 3 /* spans that one stage ends, at most */
#define LATENCY_RUNS (LATENCY_BATCH * LATENCY_STAGE_SPANS) /* one per packet and span at most */

/*
 * The row that people read; `le_1ms`: packets in buckets up to the one that holds 1 ms. Writer: the program; the names:
 * the loader.
 */
struct latency_row {
	char class[LATENCY_NAME_BYTES];
	char span[LATENCY_NAME_BYTES];
	uint64_t count;
	uint64_t mean_ns, p50_ns, p90_ns, p99_ns, p999_ns, max_ns;
	uint64_t le_1us, le_10us, le_100us, le_1ms, le_10ms, le_100ms, le_1s;
};

/* The histogram a row is computed from. Writer: the program, on behalf of the one process that is this row's stage. */
struct latency_histogram {
	uint64_t count, sum_ns, max_ns;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Neighbours of a batch that fell into one bucket. */
struct latency_run {
	uint64_t sum_ns;
	uint16_t span, bucket;
	uint32_t n_pkts;
};

/*
 * How far a stage is in a class, one per stage * LATENCY_CLASSES + class, and what its last batch added: a batch that
 * begins where the last one began is that one again, by the successor of a stage that was killed before the commit;
 * then what was added is taken back first. A packet is missed if it passed while nobody was attached.
 */
struct latency_progress {
	uint64_t since_pkts; /* number of the first packet seen */
	uint64_t first_pkts, next_pkts; /* of the last batch: its first packet, and the one after it */
	uint64_t missed_pkts;
	uint64_t batches;
	uint64_t again_batches;
	uint64_t generation; /* of `control`, when it began to count */
	uint64_t max_before_ns[LATENCY_STAGE_SPANS];
	uint32_t started; /* 1: the fields above mean something */
	uint32_t n_runs;
	struct latency_run runs[LATENCY_RUNS];
};

/* One per stage. */
struct latency_stage {
	uint64_t hits; /* batches and heartbeats */
	uint64_t waking_at_ns; /* 0: it is awake */
	uint64_t generation; /* of its wake-ups, as above */
	uint32_t pid; /* as the kernel's own namespace counts; 0: not seen yet */
	uint32_t spare;
};

/* Settings that change while loaded. Writer: the loader. */
struct latency_control {
	uint64_t
		/* another one than a stage's own: what that has counted in a class is void, it begins anew */
		generation;
};

/* Constant while loaded. Writer: the loader. */
struct latency_settings {
	uint64_t segment; /* the instance: others hit the same probes */
	uint64_t program; /* digest of the object file, and of this layout with it */
	uint64_t tick_ns; /* between two classes' refreshes */
	uint32_t n_classes, n_rows;
};

#endif
