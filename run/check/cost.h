/*
 * cost.h - pure: what a packet costs a relay that does no work on it, and whether that fits.
 *
 * Rules:   the three stages are taken for one server that is never idle while a packet waits, in whatever order it
 *          serves them: so the answer holds for ingress and egress too, which are fair and not deadline-driven, and
 *          for stages that share one CPU. A packet costs packet_ns of CPU time. Senders together keep to bursts of b
 *          and rates of r packets, so the longest busy period is b * packet_ns / (1 - r * packet_ns), and no packet
 *          waits longer than that and the wake_ns that an idle relay takes to begin. Stalls of the machine are not in
 *          it.
 * Source:  R. Cruz, "A Calculus for Network Delay", 1991: the busy period of a (sigma, rho) flow.
 *          The defaults are of tests/bench/README.md: `tests/bench.sh cost` has 1.9 to 2.5 us of CPU time per packet,
 *          the median of each of its sizes; `tests/bench.sh latency` has 119 us from source to sink at 1,000 packets/s,
 *          where each one finds the relay asleep. A copy took egress 1.8 and 2.8 us: four destinations against one,
 *          20,000 packets/s, two runs.
 */
#ifndef ONTIME_CHECK_COST_H
#define ONTIME_CHECK_COST_H

#include <stdint.h>

#define COST_PACKET_NS 3000u
#define COST_COPY_NS 3000u /* of each copy beyond the first */
#define COST_WAKE_NS 120000u
/*
 * Fewer packets for each time a stage slept, and the CPU time is that of wake-ups, which vanish when there is more to
 * do.
 */
#define COST_LEAST_BATCH 4u
#define COST_LEAST_PKTS 1000u

struct cost {
	uint64_t packet_ns;
	uint64_t wake_ns;
	int is_measured; /* packet_ns: of a running instance */
};

/* What was seen of a running instance between two looks. */
struct cost_seen {
	uint64_t sent_pkts;
	uint64_t cpu_ns; /* of all stages */
	uint64_t parks; /* of the stage that slept most often */
};

/* cost_of - measured, when what was seen tells; else the default. seen NULL: nothing runs. */
struct cost cost_of(const struct cost_seen *seen);

/*
 * cost_with_copies - how many packets one costs that is sent to n destinations. What was measured has its copies in it.
 */
double cost_with_copies(const struct cost *c, uint32_t n);

/* cost_load - of the CPU, with all classes' packets together; more than 1: there is more than it can carry. */
double cost_load(const struct cost *c, double all_pps);

/* cost_worst_ns - from arrival to departure. UINT64_MAX: without bound. */
uint64_t cost_worst_ns(const struct cost *c, double all_pps, uint64_t all_burst_pkts);

#endif
