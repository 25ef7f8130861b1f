/*
 * lane.c - what handing a packet from stage to stage costs, without any input or output.
 *
 * The parts of ingress, edf and egress on one lane of a real segment: batches of 32, all counters committed, bells
 * rung.
 * First in turns on one thread (nobody sleeps: the price of lane and bell), then as three threads that park and wake
 * each other, on one CPU and on two. CPU nanoseconds per packet and hop; a packet makes three: to edf, to egress, and
 * its slot back.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "shm/bell.h"
#include "clock.h"
#include "shm/segment.h"

#define N_PKTS (64u << 20)
#define PARK_NS (100 * NS_PER_MS)

static struct segment seg;
static uint32_t batch_pkts = 32;
static uint64_t word_of[N_STAGES]; /* each stage's own commit word */
static uint64_t park_count[N_STAGES], ring_count[N_STAGES];

static uint64_t available(enum stage_id id, uint64_t word)
{
	const struct lane *l = seg.views[0].lane;

	if (id == STAGE_INGRESS)
		return seg.views[0].slots - lane_distance_pkts(word, lane_sent(l));
	return lane_distance_pkts(id == STAGE_EDF ? lane_received(l) : lane_processed(l), word);
}

static void wait_for_packets(enum stage_id id, uint64_t word)
{
	_Atomic uint32_t *parked = &seg.shared->stages[id].parked;

	bell_announce(parked, PARKED);
	if (available(id, word) < batch_pkts) {
		park_count[id]++;
		bell_sleep(parked, PARKED, PARK_NS);
	}
	bell_awake(parked);
}

static void move_batch(enum stage_id id, uint64_t *word, uint64_t now)
{
	static struct ingress_tally in;
	static struct edf_tally mid;
	static struct egress_tally out;
	const struct lane_view *v = &seg.views[0];

	for (uint32_t i = 0; i < batch_pkts; i++) {
		uint32_t at = lane_index(v, *word, i);

		if (id == STAGE_INGRESS)
			v->arrivals[at] = (struct arrival){ .arrived_at_ns = now, .read_at_ns = now, .len_bytes = 64 };
		else if (id == STAGE_EDF)
			v->results[at] = (struct result){ .started_at_ns = v->arrivals[at].arrived_at_ns,
							  .len_bytes = v->arrivals[at].len_bytes };
		else
			out.sent_bytes += v->results[at].len_bytes;
	}
	if (id == STAGE_INGRESS)
		*word = lane_publish(v->lane, *word, batch_pkts, &in);
	else if (id == STAGE_EDF)
		*word = lane_pass(v->lane, *word, batch_pkts, &mid);
	else
		*word = lane_release(v->lane, *word, batch_pkts, &out);
}

static void *run_stage(void *arg)
{
	enum stage_id id = (enum stage_id)(uintptr_t)arg;
	uint64_t word = word_of[id];

	for (uint32_t done = 0; done < N_PKTS; done += batch_pkts) {
		while (available(id, word) < batch_pkts)
			wait_for_packets(id, word);
		move_batch(id, &word, now_ns());
		ring_count[id] += (uint64_t)bell_ring(&seg.shared->stages[(id + 1) % N_STAGES].parked, PARKED);
	}
	word_of[id] = word;
	return NULL;
}

/* All three in turns: what the hand-over itself costs. */
static double measure_awake_ns(void)
{
	uint64_t began_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);

	for (uint32_t done = 0; done < N_PKTS; done += batch_pkts)
		for (uint32_t id = 0; id < N_STAGES; id++) {
			if (available((enum stage_id)id, word_of[id]) < batch_pkts)
				abort();
			move_batch((enum stage_id)id, &word_of[id], done);
			bell_ring(&seg.shared->stages[(id + 1) % N_STAGES].parked, PARKED);
		}
	return (double)(clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - began_ns) / N_PKTS / (double)N_STAGES;
}

static double measure_ns(int cpu_of_egress)
{
	pthread_t threads[N_STAGES];
	uint64_t began_ns = clock_read_ns(CLOCK_PROCESS_CPUTIME_ID);

	for (uintptr_t id = 0; id < N_STAGES; id++) {
		cpu_set_t set;

		pthread_create(&threads[id], NULL, run_stage, (void *)id);
		CPU_ZERO(&set);
		CPU_SET(id == STAGE_EGRESS ? (size_t)cpu_of_egress : 0u, &set);
		pthread_setaffinity_np(threads[id], sizeof(set), &set);
	}
	for (int id = 0; id < N_STAGES; id++)
		pthread_join(threads[id], NULL);
	return (double)(clock_read_ns(CLOCK_PROCESS_CPUTIME_ID) - began_ns) / N_PKTS / (double)N_STAGES;
}

static void print_sleeping(const char *how, int cpu_of_egress)
{
	double ns;
	uint64_t rings;

	memset(ring_count, 0, sizeof(ring_count));
	ns = measure_ns(cpu_of_egress);
	rings = ring_count[0] + ring_count[1] + ring_count[2];
	printf("hand-over, batch %u, %-24s%6.2f ns per packet and hop, %.3f wakes per batch\n", batch_pkts, how, ns,
	       (double)rings * batch_pkts / N_PKTS / (double)N_STAGES);
}

int main(int argc, char **argv)
{
	struct config c;
	char why[WHY_BYTES];

	if (argc > 1 && (batch_pkts = (uint32_t)strtoul(argv[1], NULL, 10)) - 1 >= BATCH) {
		fprintf(stderr, "usage: bench_lane [BATCH]   1 .. %d packets, default 32\n", BATCH);
		return 2;
	}
	config_defaults(&c);
	snprintf(c.instance, sizeof(c.instance), "bench%d", getpid());
	c.n_classes = 1;
	if (segment_create(&seg, &c, NULL, 0, why)) {
		fprintf(stderr, "%s\n", why);
		return 1;
	}
	segment_remove(c.instance);
	segment_populate(&seg);
	printf("hand-over, batch %u, in turns:         %6.2f ns per packet and hop\n", batch_pkts, measure_awake_ns());
	print_sleeping("three threads, one CPU:", 0);
	print_sleeping("three threads, two CPUs:", 1);
	return 0;
}
