/*
 * probe.c - what a hit of a probe costs, by the packets in the batch: nanoseconds, in the process that hits it.
 *
 * usage: bench_probe create|time INSTANCE
 *
 * create: a segment of the default config, with no stage. time: as whichever stage this file was attached as; if it was
 * not, the cost of the branch. The times differ from packet to packet as at saturation: those of a batch were read
 * together, and arrived 300 ns apart.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness/harness.h"
#include "log.h"
#include "stage/probe.h"

#define SLOTS 8192u
#define TURNS 100
#define HITS 400u
#define UNWATCHED_HITS 400000u

static struct arrival arrivals[SLOTS];
static struct result results[SLOTS];
static struct departure departures[SLOTS];

static void fill(uint32_t batch_pkts)
{
	uint64_t at_ns = 1000000000;

	for (uint32_t i = 0; i < SLOTS; i++) {
		at_ns += i % batch_pkts == 0 ? 400ull * batch_pkts : 0;
		arrivals[i] = (struct arrival){ .arrived_at_ns = at_ns - 40000 + i % batch_pkts * 300ull,
						.read_at_ns = at_ns,
						.published_at_ns = at_ns + 2000,
						.len_bytes = 64 };
		results[i] = (struct result){ at_ns + 9000, at_ns + 9000, 64, 0, 0, 0 };
		departures[i].handed_at_ns = at_ns + 14000;
	}
}

/* ns per hit: the best of some turns, as others share the machine. */
static double time_hits(struct probes *p, uint32_t batch_pkts, uint32_t hits)
{
	static uint64_t first;
	uint64_t best_ns = UINT64_MAX;

	for (int turn = 0; turn < TURNS; turn++) {
		uint64_t began_ns = now_ns(), took_ns;

		for (uint32_t i = 0; i < hits; i++) {
			probe_commit(p, 0, first << COUNT_SHIFT, batch_pkts, 1000040000);
			first += batch_pkts;
		}
		took_ns = now_ns() - began_ns;
		best_ns = took_ns < best_ns ? took_ns : best_ns;
	}
	return (double)best_ns / hits;
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = { 0, 1, 8, 32, 64 };
	static const struct lane_view view = {
		.arrivals = arrivals, .results = results, .departures = departures, .mask = SLOTS - 1
	};
	static struct probes probes;
	static struct config c;
	struct segment seg;
	char why[WHY_BYTES];

	log_set_name("bench_probe");
	if (argc != 3)
		return 2;
	config_defaults(&c);
	snprintf(c.instance, sizeof(c.instance), "%s", argv[2]);
	if (strcmp(argv[1], "create") == 0 ? segment_create(&seg, &c, NULL, 0, why)
					   : segment_observe(&seg, argv[2], why)) {
		log_error("%s", why);
		return 1;
	}
	if (strcmp(argv[1], "create") == 0)
		return 0;
	probes.segment = seg.shared->header.checksum;
	probes.views = &view;
	for (enum stage_id id = 0; id < N_STAGES; id++) /* this file's name says which one it is */
		if (strstr(program_invocation_short_name, stage_name(id)))
			probes.stage = id;
	if (atomic_load_explicit(&probe_watchers, memory_order_relaxed) == 0) {
		printf("%.1f\n", time_hits(&probes, 1, UNWATCHED_HITS));
		return 0;
	}
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fill(sizes[i] ? sizes[i] : 1);
		time_hits(&probes, sizes[i], SLOTS); /* a lap, to have touched all */
		printf("%.0f%s", time_hits(&probes, sizes[i], HITS),
		       i + 1 < sizeof(sizes) / sizeof(sizes[0]) ? " " : "\n");
	}
	return 0;
}
