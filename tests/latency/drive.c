/*
 * drive.c - stages that were made up: they hit their probes with packets whose times are known, and the histograms
 * must show exactly those.
 *
 * usage: latency_drive create|drive|check INSTANCE
 *
 * create: a segment of the default config, with no stage. drive: the hits, for whichever stage the file this runs from
 * passes as (tests/latency/t_latency.sh copies it to where the loader looks for ingress, edf and egress). check: one
 * line per mismatch.
 * There are times on both sides of each power of two, and too long ones; clocks that go back; packets dropped by each
 * stage; batches around the end of the ring, longer than a chunk, of another instance, and such that come again
 * because the first time was not committed; and packets that passed unseen.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "latency/latency.h"
#include "latency/pins.h"
#include "harness/harness.h"
#include "log.h"
#include "stage/probe.h"

#define SLOTS 1024u
#define ROUNDS 40u
#define MISSED_PKTS 10u
#define MOST_TIMES 160
#define EPOCH_NS (1ULL << 60) /* room to count back from */

static struct arrival arrivals[SLOTS];
static struct result results[SLOTS];
static struct departure departures[SLOTS];
static uint64_t times_ns[MOST_TIMES];
static uint32_t n_times;
static struct latency_histogram expected[MAX_CLASSES][LATENCY_SPANS];
static uint64_t expected_again;
static int hits_probes; /* 0: only compute what is expected */
static struct lane_view views[MAX_CLASSES];
static struct probes probes;

static void collect_times(void)
{
	n_times = 0;
	for (uint32_t power = 0; power <= 40; power++)
		for (int d = -1; d <= 1; d++)
			times_ns[n_times++] = d < 0 ? (1ULL << power) - 1 : (1ULL << power) + (uint32_t)d;
	times_ns[n_times++] = 1ULL << 50;
}

static uint64_t time_of(uint64_t packet, uint32_t span, uint64_t seed)
{
	return times_ns[(packet * (2 * span + 3) + span + seed) % n_times];
}

/* In a long batch most packets are dropped: a stage passes on no more than LATENCY_BATCH that are not. */
static uint32_t drop_stage_of(uint64_t packet, uint32_t batch_pkts)
{
	if (batch_pkts > LATENCY_BATCH)
		return packet % 11 == 0 ? N_STAGES : STAGE_INGRESS;
	return packet % 11 == 3	  ? STAGE_INGRESS
	       : packet % 11 == 5 ? STAGE_EDF
	       : packet % 11 == 7 ? STAGE_EGRESS
				  : N_STAGES;
}

/* Fill a packet's slot, counting back from when it was sent. */
static void put_packet(uint64_t packet, uint32_t batch_pkts, uint64_t sent_at_ns, uint64_t seed)
{
	struct arrival *a = &arrivals[packet % SLOTS];
	struct result *r = &results[packet % SLOTS];
	struct departure *d = &departures[packet % SLOTS];
	uint32_t drop = drop_stage_of(packet, batch_pkts);

	d->handed_at_ns = sent_at_ns - time_of(packet, SPAN_EGRESS_SEND, seed);
	r->done_at_ns = d->handed_at_ns - time_of(packet, SPAN_EGRESS_WAIT, seed);
	r->started_at_ns = r->done_at_ns - time_of(packet, SPAN_EDF_WORK, seed);
	a->published_at_ns = r->started_at_ns - time_of(packet, SPAN_EDF_WAIT, seed);
	a->read_at_ns = a->published_at_ns - time_of(packet, SPAN_INGRESS, seed);
	a->arrived_at_ns = a->read_at_ns - time_of(packet, SPAN_SOCKET, seed);
	if (packet % 13 == 4)
		a->arrived_at_ns = a->read_at_ns + 5; /* the clock went back */
	a->drop = drop == STAGE_INGRESS ? DROP_OVERSIZE : DROP_NONE;
	r->drop = drop <= STAGE_EDF ? DROP_LATE : DROP_NONE;
	d->drop = drop <= STAGE_EGRESS ? DROP_LATE_EGRESS : DROP_NONE; /* also what an earlier packet left here */
}

static void expect_span(uint32_t class, uint32_t span, uint64_t from, uint64_t to)
{
	struct latency_histogram *h = &expected[class][span];
	uint64_t ns = to > from ? to - from : 0;

	h->count++;
	h->sum_ns += ns;
	h->buckets[histogram_bucket(ns)]++;
	if (ns > h->max_ns)
		h->max_ns = ns;
}

static void expect_packet(uint32_t class, uint64_t packet, uint32_t batch_pkts, uint64_t sent_at_ns)
{
	const struct arrival *a = &arrivals[packet % SLOTS];
	const struct result *r = &results[packet % SLOTS];
	const struct departure *d = &departures[packet % SLOTS];
	uint32_t drop = drop_stage_of(packet, batch_pkts);

	if (drop == STAGE_INGRESS)
		return;
	expect_span(class, SPAN_SOCKET, a->arrived_at_ns, a->read_at_ns);
	expect_span(class, SPAN_INGRESS, a->read_at_ns, a->published_at_ns);
	if (drop == STAGE_EDF)
		return;
	expect_span(class, SPAN_EDF_WAIT, a->published_at_ns, r->started_at_ns);
	expect_span(class, SPAN_EDF_WORK, r->started_at_ns, r->done_at_ns);
	if (drop == STAGE_EGRESS)
		return;
	expect_span(class, SPAN_EGRESS_WAIT, r->done_at_ns, d->handed_at_ns);
	expect_span(class, SPAN_EGRESS_SEND, d->handed_at_ns, sent_at_ns);
	expect_span(class, LATENCY_TOTAL, a->arrived_at_ns, sent_at_ns);
}

static void hit(uint32_t class, uint64_t first, uint32_t n, uint64_t at_ns)
{
	if (hits_probes)
		probe_commit(&probes, class, first << COUNT_SHIFT, n, at_ns);
}

static void put_batch(uint64_t first, uint32_t n, uint64_t at_ns, uint64_t seed)
{
	for (uint32_t i = 0; i < n; i++)
		put_packet(first + i, n, at_ns, seed);
}

/* The life of a class, as its stage sees it. */
static void live(uint32_t class)
{
	static const uint32_t sizes[] = { 1, 64, 7, 500, 33 };
	uint64_t first = SLOTS - 20, other = probes.segment ^ 1;

	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint32_t n = sizes[round % 5];
		uint64_t at_ns = EPOCH_NS + round;

		if (round % 3 == 2) { /* a shorter one, that is not committed: its stage is killed */
			uint32_t attempt = n / 2 + 1;

			put_batch(first, attempt, at_ns, 71 + class);
			hit(class, first, attempt, at_ns);
			expected_again += class == 0;
		}
		put_batch(first, n, at_ns, class);
		for (uint32_t i = 0; i < n; i++)
			expect_packet(class, first + i, n, at_ns);
		hit(class, first, n, at_ns);
		other = probes.segment;
		probes.segment ^= 1;
		hit(class, first + n, n, at_ns); /* of another instance */
		probes.segment = other;
		first += n + (round + 1 == ROUNDS / 2 ? MISSED_PKTS : 0);
	}
}

static int read_map(const char *instance, const char *name, uint32_t key, void *value)
{
	char path[PIN_BYTES];
	union bpf_attr attr = { .pathname = (uintptr_t)path };
	union bpf_attr look = { .key = (uintptr_t)&key, .value = (uintptr_t)value };
	int fd, err;

	snprintf(path, sizeof(path), "%s/%s/%s", PINS_ROOT, instance, name);
	fd = (int)syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr));
	look.map_fd = (uint32_t)fd;
	err = fd < 0 || syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &look, sizeof(look)) < 0;
	if (err)
		log_error("read %s: %s", path, strerror(errno));
	close(fd);
	return err;
}

static int differs(const char *what, uint32_t class, uint32_t span, uint64_t is, uint64_t should)
{
	if (is == should)
		return 0;
	printf("class %u, span %u: %s is %llu, not %llu\n", class, span, what, (unsigned long long)is,
	       (unsigned long long)should);
	return 1;
}

static int check_span(const char *instance, uint32_t class, uint32_t span)
{
	const struct latency_histogram *h = &expected[class][span];
	struct latency_histogram is;
	int wrong;

	if (read_map(instance, "parts/buckets", class * LATENCY_SPANS + span, &is))
		return 1;
	wrong = differs("count", class, span, is.count, h->count) + differs("sum", class, span, is.sum_ns, h->sum_ns) +
		differs("longest", class, span, is.max_ns, h->max_ns);
	for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++)
		wrong += differs("a bucket", class, span, is.buckets[b], h->buckets[b]);
	if (h->count && is.buckets[HISTOGRAM_BUCKETS - 1] == 0)
		wrong += differs("the overflow bucket", class, span, 0, 1);
	return wrong;
}

static int check(const char *instance, uint32_t n_classes)
{
	int wrong = 0;

	for (uint32_t class = 0; class < n_classes; class++)
		for (uint32_t span = 0; span < LATENCY_SPANS; span++)
			wrong += check_span(instance, class, span);
	for (uint32_t stage = 0; stage < N_STAGES; stage++) {
		struct latency_progress p;

		if (read_map(instance, "parts/progress", stage * LATENCY_CLASSES, &p))
			return 1;
		wrong += differs("packets missed", 0, stage, p.missed_pkts, MISSED_PKTS);
		wrong += differs("batches again", 0, stage, p.again_batches, expected_again);
		wrong += differs("batches", 0, stage, p.batches, ROUNDS + expected_again);
	}
	return wrong > 0;
}

int main(int argc, char **argv)
{
	static struct config c;
	struct segment seg;
	char why[WHY_BYTES];

	log_set_name("latency_drive");
	if (argc != 3)
		return 2;
	config_defaults(&c);
	snprintf(c.instance, sizeof(c.instance), "%s", argv[2]);
	if (strcmp(argv[1], "create") == 0 ? segment_create(&seg, &c, NULL, 0, why)
					   : segment_observe(&seg, argv[2], why)) {
		log_error("%s", why);
		return 1;
	}
	collect_times();
	probes.segment = seg.shared->header.checksum;
	probes.views = views;
	for (uint32_t class = 0; class < MAX_CLASSES; class++)
		views[class] = (struct lane_view){
			.arrivals = arrivals, .results = results, .departures = departures, .mask = SLOTS - 1
		};
	for (enum stage_id id = 0; id < N_STAGES; id++) /* this file's name says which one it is */
		if (strstr(program_invocation_short_name, stage_name(id)))
			probes.stage = id;
	hits_probes = strcmp(argv[1], "drive") == 0;
	if (hits_probes && atomic_load_explicit(&probe_watchers, memory_order_relaxed) == 0) {
		log_error("nobody is attached to this file");
		return 1;
	}
	if (strcmp(argv[1], "create") == 0)
		return 0;
	live(0);
	live(3);
	return hits_probes ? 0 : check(argv[2], seg.n_classes);
}
