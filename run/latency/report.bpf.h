/*
 * report.bpf.h - what people read: the rows, refreshed by a timer, and two files made when they are opened.
 *
 * Rules:   one class per tick, so that each row is refreshed once per second and no tick takes long. A row whose count
 *          has not changed is left alone. Reading while a stage writes: each bucket is read once, a count is the sum of
 *          what was read.
 */
#define MONOTONIC 1
#define BAR 40
#define GROUPS ((HISTOGRAM_BUCKETS >> HISTOGRAM_BITS) + 1) /* of buckets: one per power of two */

struct clock {
	struct bpf_timer timer;
	uint32_t class; /* to refresh next */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct clock);
} clock SEC(".maps");

/* Packets in the buckets [from, to). */
__noinline uint64_t count_between(uint32_t row, uint32_t from, uint32_t to)
{
	struct latency_histogram *h = bpf_map_lookup_elem(&histograms, &row);
	uint64_t seen = 0;

	if (!h)
		return 0;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t b = (uint64_t)from + i;

		asm volatile("" : "+r"(b)); /* what is compared is what is added to the pointer */
		if (b >= HISTOGRAM_BUCKETS || b >= to)
			break;
		seen += h->buckets[b];
	}
	return seen;
}

/* Upper edge of the bucket that holds the packet of this rank, but no more than the longest time there was. */
__noinline uint64_t time_at(uint32_t row, uint64_t rank)
{
	struct latency_histogram *h = bpf_map_lookup_elem(&histograms, &row);
	uint64_t edge_ns, seen = 0;
	uint32_t at;

	if (!h)
		return 0;
	for (at = 0; at < HISTOGRAM_BUCKETS - 1; at++) {
		seen += h->buckets[at];
		if (seen > rank)
			break;
	}
	edge_ns = histogram_edge(at + 1);
	return at == HISTOGRAM_BUCKETS - 1 || edge_ns > h->max_ns ? h->max_ns : edge_ns;
}

static __always_inline void count_up_to(struct latency_row *r, uint32_t row)
{
	const uint32_t after[] = { histogram_bucket(1000) + 1,	    histogram_bucket(10000) + 1,
				   histogram_bucket(100000) + 1,    histogram_bucket(1000000) + 1,
				   histogram_bucket(10000000) + 1,  histogram_bucket(100000000) + 1,
				   histogram_bucket(1000000000) + 1 };

	r->le_1us = count_between(row, 0, after[0]);
	r->le_10us = r->le_1us + count_between(row, after[0], after[1]);
	r->le_100us = r->le_10us + count_between(row, after[1], after[2]);
	r->le_1ms = r->le_100us + count_between(row, after[2], after[3]);
	r->le_10ms = r->le_1ms + count_between(row, after[3], after[4]);
	r->le_100ms = r->le_10ms + count_between(row, after[4], after[5]);
	r->le_1s = r->le_100ms + count_between(row, after[5], after[6]);
}

/* Does the row's histogram hold what was counted before the loader asked to begin anew? */
static __always_inline int is_void(uint32_t row)
{
	uint32_t class = row / LATENCY_SPANS, span = row % LATENCY_SPANS;
	struct latency_progress *p;
	struct latency_stage *s;

	if (class < settings.n_classes) {
		p = progress_of(span == LATENCY_TOTAL ? EGRESS : span / 2, class);
		return p && p->generation != control.generation;
	}
	s = bpf_map_lookup_elem(&stages, &span);
	return s && s->generation != control.generation;
}

static __always_inline void blank(struct latency_row *r)
{
	r->count = r->mean_ns = r->p50_ns = r->p90_ns = r->p99_ns = r->p999_ns = r->max_ns = 0;
	r->le_1us = r->le_10us = r->le_100us = r->le_1ms = r->le_10ms = r->le_100ms = r->le_1s = 0;
}

/* Bring a row up to date. */
__noinline int refresh(uint32_t row)
{
	struct latency_histogram *h = bpf_map_lookup_elem(&histograms, &row);
	struct latency_row *r = bpf_map_lookup_elem(&rows, &row);
	uint64_t total, mean_ns;

	if (!h || !r)
		return 0;
	if (is_void(row)) {
		blank(r);
		return 0;
	}
	mean_ns = h->count ? h->sum_ns / h->count : 0;
	if (h->count == r->count && h->max_ns == r->max_ns && mean_ns == r->mean_ns)
		return 0;
	total = count_between(row, 0, HISTOGRAM_BUCKETS);
	r->mean_ns = mean_ns;
	r->max_ns = h->max_ns;
	r->p50_ns = time_at(row, histogram_rank(total, 500000));
	r->p90_ns = time_at(row, histogram_rank(total, 900000));
	r->p99_ns = time_at(row, histogram_rank(total, 990000));
	r->p999_ns = time_at(row, histogram_rank(total, 999000));
	count_up_to(r, row);
	r->count = total;
	return 0;
}

static int on_tick(void *map, uint32_t *key, struct clock *c)
{
	uint32_t class = c->class;

	for (uint32_t i = 0; i < LATENCY_SPANS; i++)
		refresh(class * LATENCY_SPANS + i);
	c->class = class < settings.n_classes ? class + 1 : 0; /* the one behind the last: wake-ups */
	bpf_timer_start(&c->timer, settings.tick_ns, 0);
	return 0;
}

/* Run once, by the loader. */
SEC("syscall")
int start_clock(void *context)
{
	uint32_t zero = 0;
	struct clock *c = bpf_map_lookup_elem(&clock, &zero);

	if (!c || bpf_timer_init(&c->timer, &clock, MONOTONIC) || bpf_timer_set_callback(&c->timer, on_tick))
		return 1;
	return bpf_timer_start(&c->timer, 0, 0) != 0;
}

/* What an iterator over a map is given; the kernel's own type information completes these. */
struct bpf_iter_meta {
	struct seq_file *seq;
	uint64_t seq_num;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	uint32_t *key;
	void *value;
} __attribute__((preserve_access_index));

static __always_inline struct latency_row *row_of(struct bpf_iter__bpf_map_elem *context, uint32_t *row)
{
	const uint32_t *key = context->key; /* once: what was compared is what is read */

	if (!key)
		return 0;
	*row = *key;
	refresh(*row);
	return bpf_map_lookup_elem(&rows, row);
}

#define US(ns) (ns) / 1000, (ns) % 1000 / 100

SEC("iter/bpf_map_elem")
int report(struct bpf_iter__bpf_map_elem *context)
{
	struct seq_file *seq = context->meta->seq;
	uint32_t row = 0;
	struct latency_row *r = row_of(context, &row);

	if (!r)
		return 0;
	if (row == 0)
		BPF_SEQ_PRINTF(seq, "%-12s %-12s %12s %11s %11s %11s %11s %11s %11s\n", "class", "span", "packets",
			       "mean (us)", "p50", "p90", "p99", "p99.9", "max");
	if (r->count == 0)
		return 0;
	BPF_SEQ_PRINTF(seq, "%-12s %-12s %12llu %9llu.%llu %9llu.%llu %9llu.%llu", r->class, r->span, r->count,
		       US(r->mean_ns), US(r->p50_ns), US(r->p90_ns));
	BPF_SEQ_PRINTF(seq, " %9llu.%llu %9llu.%llu %9llu.%llu\n", US(r->p99_ns), US(r->p999_ns), US(r->max_ns));
	return 0;
}

static const char bars[BAR + 1] = "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@";
static const char units[4][3] = { "ns", "us", "ms", "s" };

static __always_inline uint64_t count_group(uint32_t row, uint32_t group)
{
	return count_between(row, group << HISTOGRAM_BITS, (group + 1) << HISTOGRAM_BITS);
}

/*
 * Packets in the fullest power of two. Global: what a verifier knows of its turns would multiply those of its caller.
 */
__noinline uint64_t most_in_group(uint32_t row)
{
	uint64_t most = 0;

	for (uint32_t group = 0; group < GROUPS; group++) {
		uint64_t count = count_group(row, group);

		if (count > most)
			most = count;
	}
	return most;
}

static __always_inline void print_group(struct seq_file *seq, uint32_t group, uint64_t count, uint64_t most)
{
	uint64_t low = group ? 8ULL << (group & 63) : 0, width = count * BAR / most;
	uint32_t unit;

	if (width > BAR)
		width = BAR;
	if (count && !width)
		width = 1;
	/* 1024 ns pass as 1 us: the edges are powers of two */
	unit = low >= 10240ULL << 20 ? 3 : low >= 10240ULL << 10 ? 2 : low >= 10240 ? 1 : 0;
	BPF_SEQ_PRINTF(seq, "  from %5llu %-2s %12llu |%-40s|\n", low >> (10 * unit), units[unit & 3], count,
		       bars + BAR - width);
}

SEC("iter/bpf_map_elem")
int histogram(struct bpf_iter__bpf_map_elem *context)
{
	struct seq_file *seq = context->meta->seq;
	uint64_t total, most, seen = 0;
	uint32_t row = 0;
	struct latency_row *r = row_of(context, &row);

	if (!r || r->count == 0)
		return 0;
	BPF_SEQ_PRINTF(seq, "%s %s: %llu packets\n", r->class, r->span, r->count);
	total = count_between(row, 0, HISTOGRAM_BUCKETS);
	most = most_in_group(row);
	for (uint32_t group = 0; group < GROUPS && most; group++) { /* from the first to the last that is not empty */
		uint64_t count = count_group(row, group);

		if (seen < total && seen + count > 0)
			print_group(seq, group, count, most);
		seen += count;
	}
	return 0;
}
