/* metrics.c - the last look as metrics for Prometheus. */
#include "metrics.h"

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#include "report.h"
#include "units.h"
#include "version.h"

#define EDGE_STEP (1u << (HISTOGRAM_BITS - 2)) /* four `le` edges per power of two */
#define FIRST_EDGE_NS (1ULL << 14) /* 16 us: less than the kernel needs to pass a datagram on */
#define LAST_EDGE_NS (1ULL << 32) /* 4.3 s */

struct answer {
	FILE *out;
	const struct feed *feed;
	int open; /* OpenMetrics */
};

/* The head of a family. unit: NULL for none; a name ends in its unit. */
static void family(const struct answer *to, const char *name, const char *type, const char *unit, const char *help)
{
	int counter = strcmp(type, "counter") == 0;

	if (!to->open) {
		fprintf(to->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, counter ? "_total" : "", help, name,
			counter ? "_total" : "", type);
		return;
	}
	fprintf(to->out, "# TYPE %s %s\n", name, type);
	if (unit)
		fprintf(to->out, "# UNIT %s %s\n", name, unit);
	fprintf(to->out, "# HELP %s %s\n", name, help);
}

/* Nanoseconds as seconds, exactly, with as many digits as it takes and at least one: 0.001, 2.0. */
static void print_seconds(FILE *out, uint64_t ns)
{
	uint64_t whole = ns / NS_PER_S, rest = ns % NS_PER_S;
	char digits[32];
	int len = snprintf(digits, sizeof(digits), "%09" PRIu64, rest);

	while (len > 1 && digits[len - 1] == '0')
		len--;
	fprintf(out, "%" PRIu64 ".%.*s", whole, len, digits);
}

static void family_of(const struct answer *to, const struct counter *c)
{
	static const char *const units[] = { [UNIT_BYTES] = "bytes", [UNIT_NS] = "seconds" };

	family(to, c->metric, c->kind == KIND_COUNT ? "counter" : "gauge", units[c->unit], c->help);
}

static void print_value(FILE *out, const struct counter *c, uint64_t value)
{
	if (c->unit == UNIT_NS) {
		print_seconds(out, value);
		fputc('\n', out);
	} else if (c->kind == KIND_OFF)
		fprintf(out, "%" PRId64 "\n", (int64_t)value);
	else
		fprintf(out, "%" PRIu64 "\n", value);
}

/* A sample's name and its labels: the class, and what tells a value from the others of its class. */
static void print_name(FILE *out, const struct counter *c, const struct class_view *class, int i)
{
	const char *total = c->kind == KIND_COUNT ? "_total" : "";
	char text[ERRNO_NAME_BYTES];
	const char *name = counter_value_name(c, &class->account, i, text);

	if (c->by == BY_REASON)
		fprintf(out, "%s%s{class=\"%s\",stage=\"%s\",reason=\"%s\"} ", c->metric, total, class->name,
			drop_by_name(drop_reason_by((enum drop_reason)(DROP_NONE + 1 + i))), name);
	else if (c->by != BY_NOTHING)
		fprintf(out, "%s%s{class=\"%s\",%s=\"%s\"} ", c->metric, total, class->name,
			c->by == BY_ERRNO ? "errno" : "span", name);
	else
		fprintf(out, "%s%s{class=\"%s\"%s%s} ", c->metric, total, class->name, c->label ? "," : "",
			c->label ? c->label : "");
}

static void print_class(FILE *out, const struct counter *c, const struct class_view *class)
{
	const uint64_t *values = counter_values_of(c, &class->account);
	int n = counter_values(c);

	for (int i = 0; i < n; i++) {
		if (counter_is_absent(c, values[i]) || (c->by == BY_ERRNO && values[i] == 0))
			continue;
		print_name(out, c, class, i);
		print_value(out, c, values[i]);
	}
}

static void print_classes(const struct answer *to)
{
	const struct view *v = &to->feed->now;
	const char *last = "";

	for (const struct counter *c = counter_next(NULL); c; c = counter_next(c)) {
		if (!c->metric)
			continue;
		if (strcmp(c->metric, last) != 0)
			family_of(to, c);
		last = c->metric;
		for (uint32_t i = 0; i < v->n_classes; i++)
			print_class(to->out, c, &v->classes[i]);
	}
}

static void print_bucket(FILE *out, const char *class, uint64_t edge_ns, uint64_t count)
{
	fprintf(out, "ontime_latency_seconds_bucket{class=\"%s\",le=\"", class);
	print_seconds(out, edge_ns);
	fprintf(out, "\"} %" PRIu64 "\n", count);
}

/*
 * The packets within the budget: those sent, less those sent late. When the budget was changed while it ran, some were
 * judged by another one: then the bucket around the budget bounds the answer.
 */
static uint64_t within_budget(const struct account *a, uint64_t below, uint64_t in_bucket)
{
	uint64_t in_time = a->sent_pkts - a->sent_late_pkts;

	if (in_time < below)
		return below;
	return in_time < below + in_bucket ? in_time : below + in_bucket;
}

static void print_histogram(FILE *out, const struct class_view *c)
{
	const struct account *a = &c->account;
	uint64_t below = 0; /* packets in the buckets before b */

	for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++) {
		uint64_t edge = histogram_edge(b);
		int shown = b % EDGE_STEP == 0 && edge >= FIRST_EDGE_NS && edge <= LAST_EDGE_NS;

		if (shown && edge - 1 != a->budget_ns)
			print_bucket(out, c->name, edge - 1, below);
		if (a->budget_ns != BUDGET_NONE && histogram_bucket(a->budget_ns) == b)
			print_bucket(out, c->name, a->budget_ns, within_budget(a, below, a->latency[b]));
		below += a->latency[b];
	}
	fprintf(out, "ontime_latency_seconds_bucket{class=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", c->name, below);
	fprintf(out, "ontime_latency_seconds_sum{class=\"%s\"} ", c->name);
	print_seconds(out, a->latency_sum_ns);
	fprintf(out, "\nontime_latency_seconds_count{class=\"%s\"} %" PRIu64 "\n", c->name, below);
}

/* Of classes whose destinations are looked after. */
static void print_destinations(const struct answer *to)
{
	const struct view *v = &to->feed->now;
	int had_head = 0;

	for (uint32_t i = 0; i < v->n_classes; i++)
		for (uint32_t k = 0; k < v->classes[i].n_dests; k++) {
			const struct destination_state *s = &v->classes[i].dests[k];

			if (!had_head++)
				family(to, "ontime_destination_up", "gauge", NULL,
				       "1: the destination is up; 0: it is down, or takes no new senders.");
			fprintf(to->out, "ontime_destination_up{class=\"%s\",destination=\"%s\"} %d\n",
				v->classes[i].name, s->name, s->is == DESTINATION_UP);
		}
}

/* Only where there are histograms: whoever has none shall have no alert that they stopped. */
static void print_counted(const struct answer *to)
{
	const struct view *v = &to->feed->now;
	uint64_t counted_pkts[MAX_CLASSES];
	int had_head = 0;

	report_look(to->feed->viewer.instance, v, counted_pkts);
	for (uint32_t i = 0; i < v->n_classes; i++) {
		if (counted_pkts[i] == REPORT_NONE)
			continue;
		if (!had_head++)
			family(to, "ontime_ebpf_packets", "gauge", NULL,
			       "Sent datagrams that the eBPF histograms have counted; 0 again when they are attached "
			       "anew.");
		fprintf(to->out, "ontime_ebpf_packets{class=\"%s\"} %" PRIu64 "\n", v->classes[i].name,
			counted_pkts[i]);
	}
}

static void print_stages(const struct answer *to)
{
	const struct stage_view *stages = to->feed->now.stages;

	family(to, "ontime_stage_up", "gauge", NULL, "1: the stage is ready.");
	for (int i = 0; i < N_STAGES; i++)
		fprintf(to->out, "ontime_stage_up{stage=\"%s\"} %d\n", stage_name((enum stage_id)i),
			strcmp(stages[i].state, "ready") == 0);
	family(to, "ontime_stage_sched", "gauge", NULL, "1: the scheduling policy the stage runs at.");
	for (int i = 0; i < N_STAGES; i++)
		fprintf(to->out, "ontime_stage_sched{stage=\"%s\",policy=\"%s\"} 1\n", stage_name((enum stage_id)i),
			sched_name(stages[i].sched_policy));
	for (const struct counter *c = stage_counter_next(NULL); c; c = stage_counter_next(c)) {
		if (!c->metric)
			continue;
		family_of(to, c);
		for (int i = 0; i < N_STAGES; i++) {
			fprintf(to->out, "%s%s{stage=\"%s\"} ", c->metric, c->kind == KIND_COUNT ? "_total" : "",
				stage_name((enum stage_id)i));
			print_value(to->out, c, stage_counter_value(c, &stages[i]));
		}
	}
}

/* Always all kinds of causes, so that an alert has a series to look at before it has a reason. */
static void print_health(const struct answer *to)
{
	const struct health *h = &to->feed->health;

	family(to, "ontime_healthy", "gauge", NULL,
	       "1: the instance runs and nothing is wrong with it, as /healthz says.");
	fprintf(to->out, "ontime_healthy %d\n", feed_is_healthy(to->feed));
	family(to, "ontime_unhealthy", "gauge", NULL,
	       "How many classes or stages are ill, by cause; /healthz names them.");
	fprintf(to->out, "ontime_unhealthy{cause=\"not_running\"} %d\n", !to->feed->runs);
	for (int kind = 0; kind < N_CAUSE_KINDS; kind++) {
		int n = 0;

		for (int i = 0; to->feed->runs && i < h->n_causes; i++)
			n += h->causes[i].kind == (enum cause_kind)kind;
		fprintf(to->out, "ontime_unhealthy{cause=\"%s\"} %d\n", cause_name((enum cause_kind)kind), n);
	}
}

/* Of the dashboard's own process: its CPU time tells what watching costs. */
static void print_self(const struct answer *to, uint32_t n_streams)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	family(to, "process_cpu_seconds", "counter", "seconds", "CPU time of the dashboard itself, user and system.");
	fputs("process_cpu_seconds_total ", to->out);
	print_seconds(to->out, (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * NS_PER_S +
				       (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * NS_PER_US);
	fputc('\n', to->out);
	family(to, "ontime_dash_looks", "counter", NULL, "Times the dashboard looked at the instance.");
	fprintf(to->out, "ontime_dash_looks_total %" PRIu64 "\n", to->feed->n_looks);
	family(to, "ontime_dash_streams", "gauge", NULL, "Clients of /events now.");
	fprintf(to->out, "ontime_dash_streams %u\n", n_streams);
}

void metrics_print(FILE *out, const struct feed *f, uint32_t n_streams, int open)
{
	const struct answer to = { .out = out, .feed = f, .open = open };

	family(&to, open ? "ontime_build" : "ontime_build_info", open ? "info" : "gauge", NULL,
	       "Version of the dashboard.");
	fprintf(out, "ontime_build_info{version=\"%s\"} 1\n", ONTIME_VERSION);
	family(&to, "ontime_up", "gauge", NULL,
	       "1: the instance runs and can be read. If 0, what is known of it only then is absent.");
	fprintf(out, "ontime_up{name=\"%s\"} %d\n", f->viewer.instance, f->runs);
	print_health(&to);
	print_self(&to, n_streams);
	if (f->runs) {
		family(&to, "ontime_launch_time_seconds", "gauge", "seconds",
		       "When the instance was launched, Unix time.");
		fputs("ontime_launch_time_seconds ", out);
		print_seconds(out, f->now.at_unix_ns - (f->now.at_ns - f->now.created_at_ns));
		fputc('\n', out);
		family(&to, "ontime_shards", "gauge", NULL, "Pipelines that these counts are of, all together.");
		fprintf(out, "ontime_shards %u\n", view_shards(&f->now));
		family(&to, "ontime_supervised", "gauge", NULL, "1: a supervisor watches the stages.");
		fprintf(out, "ontime_supervised %d\n", f->now.is_supervised);
		print_classes(&to);
		family(&to, "ontime_latency_seconds", "histogram", "seconds",
		       "From arrival in the kernel to the end of the send call; one edge is the class's budget.");
		for (uint32_t i = 0; i < f->now.n_classes; i++)
			print_histogram(out, &f->now.classes[i]);
		print_destinations(&to);
		print_counted(&to);
		print_stages(&to);
	}
	if (open)
		fputs("# EOF\n", out);
}
