/* find.c - the highest rate at which nothing is lost. */
#include "find.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "report.h"

#define LEAST_PPS 1.0
#define MOST_PPS 1e7
#define BACKLOG_PART 0.05 /* of a step's length: it took longer to come in, so a queue grew */
#define BACKLOG_LEAST_NS (50 * NS_PER_MS) /* a hiccup of the machine is no queue */

enum verdict { HOLDS, LOSES, QUEUE_GROWS, SOURCE_TOO_SLOW, CANNOT_RUN };

static const char *const verdict_names[] = { "lossless", "loses", "queue grows", "source too slow" };

struct find {
	struct load *load;
	struct csv *csv;
	double low_pps, high_pps; /* holds; fails; 0: none yet */
	enum verdict why_high;
	uint32_t n_steps;
};

static enum verdict judge(const struct load *l)
{
	uint64_t length_ns = l->source.ended_at_ns - l->source.began_at_ns, last_at_ns = 0, tail_ns;

	if (source_fell_behind(&l->source))
		return SOURCE_TOO_SLOW;
	if (!load_is_whole(l))
		return LOSES;
	for (uint32_t i = 0; i < l->n_flows; i++)
		last_at_ns = l->flows[i].last_at_ns > last_at_ns ? l->flows[i].last_at_ns : last_at_ns;
	tail_ns = last_at_ns > l->source.ended_at_ns ? last_at_ns - l->source.ended_at_ns : 0;
	if (tail_ns > BACKLOG_LEAST_NS && (double)tail_ns > BACKLOG_PART * (double)length_ns)
		return QUEUE_GROWS;
	return HOLDS;
}

static void print_step(struct find *find, enum verdict v)
{
	const struct load *l = find->load;
	uint64_t sent = 0, p99_ns = 0, lag_ns = report_percentile_ns(l->source.lag, l->source.lag_max_ns, 990000);
	int64_t missing = 0;

	for (uint32_t i = 0; i < l->n_flows; i++) {
		const struct flow *f = &l->flows[i];
		uint64_t ns = report_percentile_ns(f->latency, f->latency_max_ns, 990000);

		sent += f->forth ? 0 : f->sent_pkts;
		missing += flow_lost_pkts(f);
		p99_ns = ns > p99_ns ? ns : p99_ns;
	}
	if (l->options->json)
		printf("%s{\"asked_pps\":%.1f,\"sent_pps\":%.1f,\"sent\":%" PRIu64 ",\"not_delivered\":%" PRId64
		       ",\"p99_ns\":%" PRIu64 ",\"lag_p99_ns\":%" PRIu64 ",\"verdict\":\"%s\"}",
		       find->n_steps ? "," : "", l->asked_pps, load_sent_pps(l), sent, missing, p99_ns, lag_ns,
		       verdict_names[v]);
	else
		printf("%10.0f/s  %-15s  sent %10" PRIu64 "  not delivered %8" PRId64
		       "  p99 %9.1f us  source behind p99 %8.1f us\n",
		       l->asked_pps, verdict_names[v], sent, missing, (double)p99_ns / 1e3, (double)lag_ns / 1e3);
	fflush(stdout);
	find->n_steps++;
}

static enum verdict run_step(struct find *find, double pps)
{
	struct load *l = find->load;
	enum verdict v = CANNOT_RUN;

	for (int i = 0; i < 2; i++) {
		if (load_run(l, pps / l->options->rate_pps) || *l->source.stop)
			return CANNOT_RUN;
		v = judge(l);
		print_step(find, v);
		if (csv_append(find->csv, l))
			return CANNOT_RUN;
		if (v == HOLDS)
			break;
	}
	return v;
}

static double next_pps(const struct find *find)
{
	if (find->high_pps == 0)
		return find->low_pps == 0 ? find->load->options->rate_pps : find->low_pps * 2;
	return find->low_pps == 0 ? find->high_pps / 2 : (find->low_pps + find->high_pps) / 2;
}

static int is_precise(const struct find *find)
{
	double part = 1 + find->load->options->precision_percent / 100;

	return find->high_pps > 0 && find->low_pps > 0 && find->high_pps <= find->low_pps * part;
}

static void print_result(const struct find *find)
{
	const struct load_options *o = find->load->options;
	const char *limit = find->high_pps == 0 ? "not reached" : verdict_names[find->why_high];

	if (o->json) {
		printf("],\"lossless_pps\":%.1f,\"fails_at_pps\":%.1f,\"limit\":\"%s\",\"precision_percent\":%g,"
		       "\"step_seconds\":%g}\n",
		       find->low_pps, find->high_pps, limit, o->precision_percent, o->seconds);
		return;
	}
	if (find->low_pps == 0)
		printf("no rate from %.0f/s down held: %s\n", find->high_pps, limit);
	else if (find->high_pps == 0)
		printf("lossless up to %.0f/s, the highest tried\n", find->low_pps);
	else
		printf("highest lossless rate: %.0f packets/s, all classes together, in steps of %g s; at %.0f/s: %s\n",
		       find->low_pps, o->seconds, find->high_pps, limit);
	if (find->why_high == SOURCE_TOO_SLOW)
		puts("note: this source was the limit, not what it drives; that may be able to do more");
}

int find_max(struct load *l, struct csv *csv)
{
	struct find find = { .load = l, .csv = csv };

	if (l->options->json)
		fputs("{\"steps\":[", stdout);
	while (!is_precise(&find)) {
		double pps = next_pps(&find);
		enum verdict v;

		if (pps < LEAST_PPS || pps > MOST_PPS)
			break;
		v = run_step(&find, pps);
		if (v == CANNOT_RUN)
			break;
		if (v == HOLDS) {
			find.low_pps = pps;
		} else {
			find.high_pps = pps;
			find.why_high = v;
		}
	}
	print_result(&find);
	return find.low_pps == 0 || *l->source.stop;
}
