/* report.c - what a run found. */
#include "report.h"

#include <inttypes.h>
#include <stdio.h>

#include "look/number.h"

#define P50 500000
#define P95 950000
#define P99 990000
#define P999 999000

uint64_t report_percentile_ns(const uint64_t *histogram, uint64_t max_ns, uint32_t per_million)
{
	uint64_t ns = histogram_percentile(histogram, per_million);

	return ns < max_ns ? ns : max_ns;
}

static uint64_t latency_ns(const struct flow *f, uint32_t per_million)
{
	return report_percentile_ns(f->latency, f->latency_max_ns, per_million);
}

static uint64_t lag_ns(const struct load *l, uint32_t per_million)
{
	return report_percentile_ns(l->source.lag, l->source.lag_max_ns, per_million);
}

double report_on_time_percent(const struct flow *f)
{
	return f->sent_timed_pkts ? 100.0 * (double)f->on_time_pkts / (double)f->sent_timed_pkts : 0;
}

static double seconds(const struct load *l)
{
	return (double)(l->source.ended_at_ns - l->source.began_at_ns) / 1e9;
}

static double cpu_percent(uint64_t ns, const struct load *l)
{
	return l->source.ended_at_ns > l->source.began_at_ns ? (double)ns / seconds(l) / 1e7 : 0;
}

static uint64_t relay_ns(const struct flow *f, uint32_t per_million)
{
	return report_percentile_ns(f->relay, f->relay_max_ns, per_million);
}

static void print_names(const struct named_class *c)
{
	const char *between = "";
	char text[GROUPED_BYTES];

	for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++)
		if (c->dropped_pkts[r]) {
			printf("%s%s %s", between, number_grouped(c->dropped_pkts[r], text),
			       drop_reason_name((enum drop_reason)r));
			between = ", ";
		}
	if (c->held_pkts)
		printf("%s%s held still", between, number_grouped(c->held_pkts, text));
}

/* What did not come of a class, by the relay's names for it. */
static void print_not_delivered(const struct load *l, uint32_t i)
{
	const struct flow *f = &l->flows[i];
	int64_t missing = flow_lost_pkts(f), lost = named_lost_pkts(&l->named, l->flows, i);
	uint64_t named = named_pkts(&l->named, i);
	char text[GROUPED_BYTES];

	if (missing <= 0)
		return;
	printf("%s: %s not delivered: ", f->name, number_grouped((uint64_t)missing, text));
	if (named > (uint64_t)missing)
		printf("by name, among %s of this and of other senders: ", number_grouped(named, text));
	if (named)
		print_names(&l->named.classes[i]);
	if (named && named <= (uint64_t)missing)
		printf(", by name");
	if (lost > 0)
		printf("%s%s lost", named ? "; " : "", number_grouped((uint64_t)lost, text));
	putchar('\n');
}

static void print_missing(const struct load *l)
{
	int64_t missing = 0;

	for (uint32_t i = 0; i < l->n_flows; i++) {
		missing += flow_lost_pkts(&l->flows[i]) > 0;
		print_not_delivered(l, i);
	}
	if (missing && !l->named.is_asked)
		printf("note: nobody was asked what became of them: %s\n", l->named.why);
}

static void print_source(const struct load *l)
{
	const struct source *s = &l->source;

	printf("source: %.0f/s", load_sent_pps(l));
	if (l->asked_pps > 0)
		printf(" of %.0f/s asked", l->asked_pps);
	if (!l->options->saturate)
		printf("; behind its schedule (us): p50 %.1f, p99 %.1f, max %.1f", (double)lag_ns(l, P50) / 1e3,
		       (double)lag_ns(l, P99) / 1e3, (double)s->lag_max_ns / 1e3);
	printf("; CPU %.1f %% user, %.1f %% system\n", cpu_percent(s->cpu.user_ns, l),
	       cpu_percent(s->cpu.system_ns, l));
	if (!l->options->send_only)
		printf("sink: CPU %.1f %% user, %.1f %% system\n", cpu_percent(l->sink.cpu.user_ns, l),
		       cpu_percent(l->sink.cpu.system_ns, l));
	if (source_fell_behind(s))
		puts("note: the source could not send as fast as asked");
}

/* Has the class missed its budget only because this source was behind its schedule? */
static void print_own_delay(const struct flow *f)
{
	if (f->budget_ns == BUDGET_NONE || latency_ns(f, P99) <= f->budget_ns || relay_ns(f, P99) > f->budget_ns)
		return;
	printf("note: class %s: past its budget of %g ms by this source's own delay; relay alone: p50 %.0f us, p99 "
	       "%.0f us\n",
	       f->name, (double)f->budget_ns / 1e6, (double)relay_ns(f, P50) / 1e3, (double)relay_ns(f, P99) / 1e3);
}

static void print_notes(uint32_t i, const struct load *l)
{
	const struct flow *f = &l->flows[i];
	char text[GROUPED_BYTES];

	print_own_delay(f);
	if (l->named.is_asked && flow_lost_pkts(f) > 0 && l->named.classes[i].others_pkts)
		printf("note: class %s: %s that this run did not send came through the relay too: some of the names "
		       "may be "
		       "theirs\n",
		       f->name, number_grouped(l->named.classes[i].others_pkts, text));
	if (flow_sink_dropped_pkts(f))
		printf("note: class %s: %" PRIu64 " of those lost came, but this sink was too slow to read them\n",
		       f->name, flow_sink_dropped_pkts(f));
	if (f->forth)
		printf("note: class %s: the answers to class %s; their times are of the round trip%s\n", f->name,
		       f->forth->name, f->budget_ns == BUDGET_NONE ? "" : ", against both budgets");
	if (f->misled_pkts)
		printf("note: class %s: %" PRIu64 " answers came to another source than the one that had asked\n",
		       f->name, f->misled_pkts);
	if (f->stray_pkts)
		printf("note: class %s: %" PRIu64 " came that belong to another run\n", f->name, f->stray_pkts);
	if (f->refused_events)
		printf("note: class %s: nobody listened where it was sent to (%" PRIu64 " refusals)\n", f->name,
		       f->refused_events);
	if (f->sent_timed_pkts && f->sent_timed_pkts < f->sent_pkts)
		printf("note: class %s: %" PRIu64 " were too short to carry a time; latency and %% on time are of the "
		       "others\n",
		       f->name, f->sent_pkts - f->sent_timed_pkts);
	if (l->options->sink_only && f->received_pkts == 0)
		printf("note: class %s: nothing came\n", f->name);
}

/* Latency needs the source's clock, on-time its count: with one half only they are left out. */
static void print_row(const struct load *l, uint32_t i)
{
	const struct flow *f = &l->flows[i];

	printf("%-12s %10" PRIu64, f->name, f->sent_pkts);
	if (l->options->send_only) {
		putchar('\n');
		return;
	}
	printf(" %10" PRIu64 " %8" PRId64 " %6" PRIu64 " %10" PRIu64 " %8" PRIu64, f->received_pkts,
	       named_lost_pkts(&l->named, l->flows, i), f->doubled_pkts, f->reordered_pkts, f->corrupt_pkts);
	if (l->options->sink_only)
		printf(" %10.2f", (double)f->gap_max_ns / 1e6);
	else if (f->sent_timed_pkts == 0) /* all too short to carry a time */
		printf(" %9s %9s %9s %9s %10.2f %9s", "-", "-", "-", "-", (double)f->gap_max_ns / 1e6, "-");
	else
		printf(" %9.1f %9.1f %9.1f %9.1f %10.2f %9.2f", (double)latency_ns(f, P50) / 1e3,
		       (double)latency_ns(f, P99) / 1e3, (double)latency_ns(f, P999) / 1e3,
		       (double)f->latency_max_ns / 1e3, (double)f->gap_max_ns / 1e6, report_on_time_percent(f));
	putchar('\n');
}

void report_table(const struct load *l)
{
	const struct load_options *o = l->options;

	printf("%-12s %10s", "class", "sent");
	if (!o->send_only)
		printf(" %10s %8s %6s %10s %8s", "received", "lost", "twice", "reordered", "corrupt");
	if (!o->send_only && !o->sink_only)
		printf(" %9s %9s %9s %9s", "p50 (us)", "p99", "p99.9", "max");
	printf("%s%s\n", o->send_only ? "" : "   gap (ms)", o->send_only || o->sink_only ? "" : " % on time");
	for (uint32_t i = 0; i < l->n_flows; i++)
		print_row(l, i);
	if (!o->sink_only) {
		putchar('\n');
		if (!o->send_only)
			print_missing(l);
		print_source(l);
	}
	for (uint32_t i = 0; i < l->n_flows; i++)
		print_notes(i, l);
}

static void print_json_names(const struct named_class *c)
{
	const char *between = "";

	printf(",\"named\":{");
	for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++)
		if (c->dropped_pkts[r]) {
			printf("%s\"%s\":%" PRIu64, between, drop_reason_name((enum drop_reason)r), c->dropped_pkts[r]);
			between = ",";
		}
	if (c->held_pkts)
		printf("%s\"held\":%" PRIu64, between, c->held_pkts);
	printf("},\"others\":%" PRIu64, c->others_pkts);
}

static void print_json_flow(const struct load *l, uint32_t i)
{
	const struct flow *f = &l->flows[i];

	printf("{\"class\":\"%s\",\"sent\":%" PRIu64 ",\"refused_events\":%" PRIu64, f->name, f->sent_pkts,
	       f->refused_events);
	if (f->forth)
		printf(",\"replies_of\":\"%s\",\"misled\":%" PRIu64, f->forth->name, f->misled_pkts);
	if (!l->options->send_only)
		printf(",\"received\":%" PRIu64 ",\"not_delivered\":%" PRId64 ",\"lost\":%" PRId64
		       ",\"duplicated\":%" PRIu64 ",\"reordered\":%" PRIu64 ",\"corrupt\":%" PRIu64
		       ",\"stray\":%" PRIu64 ",\"sink_dropped\":%" PRIu64 ",\"max_gap_ns\":%" PRIu64,
		       f->received_pkts, flow_lost_pkts(f), named_lost_pkts(&l->named, l->flows, i), f->doubled_pkts,
		       f->reordered_pkts, f->corrupt_pkts, f->stray_pkts, flow_sink_dropped_pkts(f), f->gap_max_ns);
	if (l->named.is_asked)
		print_json_names(&l->named.classes[i]);
	if (!l->options->send_only && !l->options->sink_only)
		printf(",\"sent_timed\":%" PRIu64 ",\"on_time\":%" PRIu64 ",\"latency_ns\":{\"p50\":%" PRIu64
		       ",\"p95\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"p999\":%" PRIu64 ",\"max\":%" PRIu64
		       "},\"relay_ns\":{\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "}",
		       f->sent_timed_pkts, f->on_time_pkts, latency_ns(f, P50), latency_ns(f, P95), latency_ns(f, P99),
		       latency_ns(f, P999), f->latency_max_ns, relay_ns(f, P50), relay_ns(f, P99), f->relay_max_ns);
	putchar('}');
}

void report_json(const struct load *l)
{
	const struct source *s = &l->source;

	printf("{\"flows\":[");
	for (uint32_t i = 0; i < l->n_flows; i++) {
		if (i)
			putchar(',');
		print_json_flow(l, i);
	}
	putchar(']');
	if (!l->options->send_only && !l->options->sink_only)
		printf(",\"asked\":%s", l->named.is_asked ? "true" : "false");
	if (!l->options->sink_only)
		printf(",\"source\":{\"asked_pps\":%.1f,\"sent_pps\":%.1f,\"seconds\":%.6f,\"lag_ns\":{\"p50\":%" PRIu64
		       ",\"p99\":%" PRIu64 ",\"max\":%" PRIu64 "},\"fell_behind\":%s,\"cpu_user_ns\":%" PRIu64
		       ",\"cpu_system_ns\":%" PRIu64 "}",
		       l->asked_pps, load_sent_pps(l), seconds(l), lag_ns(l, P50), lag_ns(l, P99), s->lag_max_ns,
		       source_fell_behind(s) ? "true" : "false", s->cpu.user_ns, s->cpu.system_ns);
	if (!l->options->send_only)
		printf(",\"sink\":{\"cpu_user_ns\":%" PRIu64 ",\"cpu_system_ns\":%" PRIu64 "}", l->sink.cpu.user_ns,
		       l->sink.cpu.system_ns);
	puts("}");
}
