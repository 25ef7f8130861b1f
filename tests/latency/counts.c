/*
 * counts.c - the histograms of the BPF program against the account in the segment, when nothing is under way.
 *
 * usage: latency_counts INSTANCE [SECONDS]     wait so long at most until nothing is held (default 5)
 *
 * Per class: each span counts exactly the packets run/latency/latency.h says; `total` holds the same packets in the
 * same buckets as egress's own histogram, to the last one; the rows people read have its percentiles, within a bucket.
 * One line per mismatch. Exit status: 0 all equal, 1 not, 2 usage.
 */
#include <errno.h>
#include <fcntl.h>
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

static uint64_t n_wrong;

static int open_map(const char *instance, const char *name)
{
	char path[PIN_BYTES];
	union bpf_attr attr = { .pathname = (uintptr_t)path };
	int fd;

	snprintf(path, sizeof(path), "%s/%s/%s", PINS_ROOT, instance, name);
	fd = (int)syscall(SYS_bpf, BPF_OBJ_GET, &attr, sizeof(attr));
	if (fd < 0) {
		log_error("open %s: %s", path, strerror(errno));
		exit(1);
	}
	return fd;
}

static void read_map(int fd, uint32_t key, void *value)
{
	union bpf_attr attr = { .map_fd = (uint32_t)fd, .key = (uintptr_t)&key, .value = (uintptr_t)value };

	if (syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &attr, sizeof(attr)) < 0) {
		log_error("read row %u: %s", key, strerror(errno));
		exit(1);
	}
}

/* The rows are a second old at most; reading the report makes them new. */
static void refresh_rows(const char *instance)
{
	char path[PIN_BYTES], text[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s/report", PINS_ROOT, instance);
	fd = open(path, O_RDONLY);
	if (fd < 0) {
		log_error("open %s: %s", path, strerror(errno));
		exit(1);
	}
	while (read(fd, text, sizeof(text)) > 0)
		continue;
	close(fd);
}

static void must_equal(const char *class, const char *span, const char *what, uint64_t is, uint64_t should)
{
	if (is == should)
		return;
	printf("%s %s: %s is %llu, not %llu\n", class, span, what, (unsigned long long)is, (unsigned long long)should);
	n_wrong++;
}

/* What run/latency/latency.h says a span counts. */
static uint64_t expected_pkts(const struct account *a, uint32_t span)
{
	enum drop_by ended_by = span == LATENCY_TOTAL ? BY_EGRESS : span_by((enum span)span);
	uint64_t n = a->received_pkts;

	if (ended_by < BY_INGRESS) /* the socket's span ends when ingress reads */
		ended_by = BY_INGRESS;
	for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++)
		n -= drop_reason_by((enum drop_reason)r) <= ended_by ? a->dropped_pkts[r] : 0;
	return ended_by == BY_EGRESS ? a->sent_pkts : n;
}

static void must_agree(const char *class, const struct account *a, const struct latency_row *r)
{
	const uint64_t is[] = { r->p50_ns, r->p90_ns, r->p99_ns, r->p999_ns };
	const uint32_t shares[] = { 500000, 900000, 990000, 999000 };

	for (int i = 0; i < 4; i++) {
		uint64_t should = histogram_percentile(a->latency, shares[i]);
		int64_t apart;

		should = should < a->latency_max_ns ? should : a->latency_max_ns;
		apart = (int64_t)histogram_bucket(is[i]) - (int64_t)histogram_bucket(should);
		if (apart >= -1 && apart <= 1)
			continue;
		printf("%s total: percentile %g is %llu ns, not %llu\n", class, shares[i] / 1e4,
		       (unsigned long long)is[i], (unsigned long long)should);
		n_wrong++;
	}
}

static void must_match_account(const char *class, const struct account *a, const struct latency_histogram *h)
{
	must_equal(class, "total", "sum", h->sum_ns, a->latency_sum_ns);
	must_equal(class, "total", "longest", h->max_ns, a->latency_max_ns);
	for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++)
		if (h->buckets[b] != a->latency[b]) {
			printf("bucket %u: ", b);
			must_equal(class, "total", "count", h->buckets[b], a->latency[b]);
		}
}

static void compare_class(const struct segment *seg, uint32_t class, const struct account *a, int rows, int buckets)
{
	const char *name = seg->shared->header.classes[class].name;

	for (uint32_t span = 0; span < LATENCY_SPANS; span++) {
		struct latency_histogram h;
		struct latency_row r;
		uint64_t sum = 0;

		read_map(rows, class * LATENCY_SPANS + span, &r);
		read_map(buckets, class * LATENCY_SPANS + span, &h);
		for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++)
			sum += h.buckets[b];
		must_equal(name, r.span, "count", h.count, expected_pkts(a, span));
		must_equal(name, r.span, "sum of all buckets", sum, h.count);
		must_equal(name, r.span, "count of the row", r.count, h.count);
		if (span != LATENCY_TOTAL)
			continue;
		must_match_account(name, a, &h);
		must_agree(name, a, &r);
	}
}

/* Nothing is held in any class, twice in a row. Returns 0 when that did not come in time. */
static int await_quiet(const struct segment *seg, struct account *accounts, double seconds)
{
	uint64_t until_ns = now_ns() + (uint64_t)(seconds * 1e9), received = UINT64_MAX;

	while (now_ns() < until_ns) {
		uint64_t held = 0, sum = 0;

		for (uint32_t i = 0; i < seg->n_classes; i++) {
			if (account_read(seg, i, &accounts[i]))
				held++;
			held += accounts[i].held_pkts;
			sum += accounts[i].received_pkts;
		}
		if (held == 0 && sum == received)
			return 1;
		received = sum;
		usleep(20000);
	}
	return 0;
}

static void compare_progress(const struct segment *seg, const char *instance)
{
	int fd = open_map(instance, "parts/progress");
	uint64_t again = 0;

	for (uint32_t stage = 0; stage < N_STAGES; stage++)
		for (uint32_t class = 0; class < seg->n_classes; class++) {
			struct latency_progress p;

			read_map(fd, stage * LATENCY_CLASSES + class, &p);
			must_equal(seg->shared->header.classes[class].name, stage_name((enum stage_id)stage),
				   "packets missed", p.missed_pkts, 0);
			again += p.again_batches;
		}
	printf("%llu batches were counted again\n", (unsigned long long)again);
}

int main(int argc, char **argv)
{
	static struct account accounts[MAX_CLASSES];
	char why[WHY_BYTES];
	struct segment seg;
	uint64_t sent = 0;
	int rows, buckets;

	log_set_name("latency_counts");
	if (argc < 2 || argc > 3) {
		fputs("usage: latency_counts INSTANCE [SECONDS]\n", stderr);
		return 2;
	}
	if (segment_observe(&seg, argv[1], why)) {
		log_error("%s", why);
		return 1;
	}
	if (!await_quiet(&seg, accounts, argc == 3 ? strtod(argv[2], NULL) : 5)) {
		log_error("packets are still under way: nothing to compare");
		return 1;
	}
	rows = open_map(argv[1], "latency");
	buckets = open_map(argv[1], "parts/buckets");
	refresh_rows(argv[1]);
	for (uint32_t i = 0; i < seg.n_classes; i++) {
		compare_class(&seg, i, &accounts[i], rows, buckets);
		sent += accounts[i].sent_pkts;
	}
	compare_progress(&seg, argv[1]);
	printf("%llu packets sent, %llu mismatches\n", (unsigned long long)sent, (unsigned long long)n_wrong);
	return n_wrong > 0 || sent == 0;
}
