/* metrics.c - the last look as metrics for Prometheus. */
#include "metrics.h"

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#include "clock.h"
#include "look/json.h"
#include "version.h"

#define EDGE_STEP (1u << (HISTOGRAM_BITS - 2)) /* four `le` edges per power of two */
#define FIRST_EDGE_NS (1ULL << 14) /* 16 us: less than the kernel needs to pass a datagram on */
#define LAST_EDGE_NS (1ULL << 32) /* 4.3 s */

struct page {
	FILE *out;
	const struct feed *feed;
	int open; /* OpenMetrics */
};

/* The head of a family. unit: NULL for none; a name ends in its unit. */
static void family(const struct page *p, const char *name, const char *type, const char *unit, const char *help)
{
	int counter = strcmp(type, "counter") == 0;

	if (!p->open) {
		fprintf(p->out, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, counter ? "_total" : "", help, name,
			counter ? "_total" : "", type);
		return;
	}
	fprintf(p->out, "# TYPE %s %s\n", name, type);
	if (unit)
		fprintf(p->out, "# UNIT %s %s\n", name, unit);
	fprintf(p->out, "# HELP %s %s\n", name, help);
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

static const struct class_figure {
	const char *name, *type, *unit, *help;
	size_t offset; /* of a uint64_t in struct class_view */
} class_figures[] = {
#define ACCOUNT(field) offsetof(struct class_view, account.field)
	{ "ontime_received_packets", "counter", NULL, "Datagrams that reached the sockets of the class.",
	  ACCOUNT(received_pkts) },
	{ "ontime_sent_packets", "counter", NULL, "Datagrams sent on, in time or late.", ACCOUNT(sent_pkts) },
	{ "ontime_sent_bytes", "counter", "bytes", "Payload sent on.", ACCOUNT(sent_bytes) },
	{ "ontime_sent_late_packets", "counter", NULL, "Datagrams sent on after their deadline.",
	  ACCOUNT(sent_late_pkts) },
	{ "ontime_refused_events", "counter", NULL, "ICMP errors that told of datagrams sent before.",
	  ACCOUNT(refused_events) },
	{ "ontime_send_waits", "counter", NULL, "Times the kernel had no room to send.", ACCOUNT(send_waits) },
	{ "ontime_work_seconds", "counter", "seconds", "Time spent in the work on packets.", ACCOUNT(work_ns) },
	{ "ontime_held_packets", "gauge", NULL, "Datagrams in the lane now.", ACCOUNT(held_pkts) },
	{ "ontime_latency_max_seconds", "gauge", "seconds", "Longest time from arrival to sending since launch.",
	  ACCOUNT(latency_max_ns) },
	{ "ontime_budget_seconds", "gauge", "seconds", "Time a datagram may take; absent without a deadline.",
	  offsetof(struct class_view, budget_ns) },
#undef ACCOUNT
};

static void print_class_figures(const struct page *p)
{
	const struct view *v = &p->feed->now;

	for (size_t i = 0; i < sizeof(class_figures) / sizeof(class_figures[0]); i++) {
		const struct class_figure *g = &class_figures[i];

		family(p, g->name, g->type, g->unit, g->help);
		for (uint32_t c = 0; c < v->n_classes; c++) {
			uint64_t value;

			memcpy(&value, (const char *)&v->classes[c] + g->offset, sizeof(value));
			if (g->offset == offsetof(struct class_view, budget_ns) && value == BUDGET_NONE)
				continue;
			fprintf(p->out, "%s%s{class=\"%s\"} ", g->name, *g->type == 'c' ? "_total" : "",
				v->classes[c].name);
			if (g->unit && strcmp(g->unit, "seconds") == 0)
				print_seconds(p->out, value);
			else
				fprintf(p->out, "%" PRIu64, value);
			fputc('\n', p->out);
		}
	}
}

/* Who drops for that reason: see account.h. */
static const char *reason_stage(enum drop_reason reason)
{
	switch (reason) {
	case DROP_KERNEL:
		return "kernel";
	case DROP_OVERSIZE:
	case DROP_INGRESS_FULL:
		return "ingress";
	case DROP_LATE_EGRESS:
	case DROP_SEND_ERROR:
		return "egress";
	default:
		return "edf";
	}
}

static void print_drops(const struct page *p)
{
	const struct view *v = &p->feed->now;
	char text[16];

	family(p, "ontime_dropped_packets", "counter", NULL, "Datagrams dropped, by who dropped them and why.");
	for (uint32_t c = 0; c < v->n_classes; c++)
		for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++)
			fprintf(p->out,
				"ontime_dropped_packets_total{class=\"%s\",stage=\"%s\",reason=\"%s\"} %" PRIu64 "\n",
				v->classes[c].name, reason_stage((enum drop_reason)r),
				drop_reason_name((enum drop_reason)r), v->classes[c].account.dropped_pkts[r]);
	family(p, "ontime_send_errors", "counter", NULL, "Datagrams the kernel refused to send, by errno.");
	for (uint32_t c = 0; c < v->n_classes; c++) {
		const struct account *a = &v->classes[c].account;

		for (int i = 0; i < SEND_ERRNOS; i++)
			if (a->send_errno_pkts[i])
				fprintf(p->out, "ontime_send_errors_total{class=\"%s\",errno=\"%s\"} %" PRIu64 "\n",
					v->classes[c].name, send_errno_name(a, i, text), a->send_errno_pkts[i]);
	}
}

static void print_spans(const struct page *p)
{
	const struct view *v = &p->feed->now;

	family(p, "ontime_span_seconds", "counter", "seconds", "Time the sent datagrams spent, by part of their path.");
	for (uint32_t c = 0; c < v->n_classes; c++)
		for (int s = 0; s < N_SPANS; s++) {
			fprintf(p->out, "ontime_span_seconds_total{class=\"%s\",span=\"%s\"} ", v->classes[c].name,
				span_name((enum span)s));
			print_seconds(p->out, v->classes[c].account.span_sum_ns[s]);
			fputc('\n', p->out);
		}
	family(p, "ontime_late_span_packets", "counter", NULL, "Datagrams sent late, by the span that took most.");
	for (uint32_t c = 0; c < v->n_classes; c++)
		for (int s = 0; s < N_SPANS; s++)
			fprintf(p->out, "ontime_late_span_packets_total{class=\"%s\",span=\"%s\"} %" PRIu64 "\n",
				v->classes[c].name, span_name((enum span)s), v->classes[c].account.late_span_pkts[s]);
}

static void print_queue(FILE *out, const char *name, const struct class_view *c, uint64_t to_edf, uint64_t to_egress)
{
	fprintf(out, "%s{class=\"%s\",queue=\"ingress_to_edf\"} %" PRIu64 "\n", name, c->name, to_edf);
	fprintf(out, "%s{class=\"%s\",queue=\"edf_to_egress\"} %" PRIu64 "\n", name, c->name, to_egress);
}

static void print_lanes(const struct page *p)
{
	const struct view *v = &p->feed->now;

	family(p, "ontime_queue_packets", "gauge", NULL, "Datagrams waiting in the lane, for edf and for egress.");
	for (uint32_t i = 0; i < v->n_classes; i++)
		print_queue(p->out, "ontime_queue_packets", &v->classes[i], v->classes[i].account.waiting_edf_pkts,
			    v->classes[i].account.waiting_egress_pkts);
	family(p, "ontime_queue_limit_packets", "gauge", NULL, "Datagrams that may wait there.");
	for (uint32_t i = 0; i < v->n_classes; i++)
		print_queue(p->out, "ontime_queue_limit_packets", &v->classes[i], v->classes[i].ingress_to_edf_pkts,
			    v->classes[i].edf_to_egress_pkts);
	family(p, "ontime_unbalanced_packets", "gauge", NULL,
	       "received - sent - dropped - held: 0, or something is broken.");
	for (uint32_t i = 0; i < v->n_classes; i++)
		fprintf(p->out, "ontime_unbalanced_packets{class=\"%s\"} %" PRId64 "\n", v->classes[i].name,
			v->classes[i].account.unbalanced_pkts);
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

		if (shown && edge - 1 != c->budget_ns)
			print_bucket(out, c->name, edge - 1, below);
		if (c->budget_ns != BUDGET_NONE && histogram_bucket(c->budget_ns) == b)
			print_bucket(out, c->name, c->budget_ns, within_budget(a, below, a->latency[b]));
		below += a->latency[b];
	}
	fprintf(out, "ontime_latency_seconds_bucket{class=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", c->name, below);
	fprintf(out, "ontime_latency_seconds_sum{class=\"%s\"} ", c->name);
	print_seconds(out, a->latency_sum_ns);
	fprintf(out, "\nontime_latency_seconds_count{class=\"%s\"} %" PRIu64 "\n", c->name, below);
}

static const struct stage_figure {
	const char *name, *type, *unit, *help;
	size_t offset; /* of a field in struct stage_view */
	size_t bytes; /* of that field: 4 or 8 */
} stage_figures[] = {
	{ "ontime_stage_starts", "counter", NULL, "Times the stage was started since launch.",
	  offsetof(struct stage_view, starts), 4 },
	{ "ontime_stage_cpu_seconds", "counter", "seconds", "CPU time of the stage's process, user and system.",
	  offsetof(struct stage_view, cpu_ns), 8 },
	{ "ontime_stage_uptime_seconds", "gauge", "seconds",
	  "Since the stage's process started; 0 when it is not alive.", offsetof(struct stage_view, up_ns), 8 },
	{ "ontime_stage_heartbeat_age_seconds", "gauge", "seconds",
	  "Since the stage made progress, or looked around idle.", offsetof(struct stage_view, beat_age_ns), 8 },
	{ "ontime_stage_queued_seconds", "counter", "seconds",
	  "Time the stage's process was ready to run while another one had its CPU.",
	  offsetof(struct stage_view, queued_ns), 8 },
	{ "ontime_stage_failing_seconds", "gauge", "seconds",
	  "Since when a system call of the stage has failed each time; 0 when none does.",
	  offsetof(struct stage_view, failing_ns), 8 },
	{ "ontime_stage_failed_calls", "counter", NULL, "System calls that failed in a way that is expected to pass.",
	  offsetof(struct stage_view, failed_calls), 8 },
	{ "ontime_stage_remade_sockets", "counter", NULL,
	  "Times a socket was made again because an address or route had changed.",
	  offsetof(struct stage_view, remade_sockets), 8 },
	{ "ontime_stage_parks", "counter", NULL, "Times the stage went to sleep.", offsetof(struct stage_view, parks),
	  8 },
	{ "ontime_stage_wakes", "counter", NULL, "Times the stage woke another one.",
	  offsetof(struct stage_view, rings), 8 },
	{ "ontime_stage_rescued_packets", "counter", NULL,
	  "Datagrams a killed predecessor had handled without counting them.",
	  offsetof(struct stage_view, rescued_pkts), 8 },
};

static uint64_t stage_figure(const struct stage_view *s, const struct stage_figure *g)
{
	uint32_t narrow;
	uint64_t wide;

	if (g->bytes == sizeof(narrow)) {
		memcpy(&narrow, (const char *)s + g->offset, sizeof(narrow));
		return narrow;
	}
	memcpy(&wide, (const char *)s + g->offset, sizeof(wide));
	return wide;
}

static void print_stages(const struct page *p)
{
	const struct stage_view *stages = p->feed->now.stages;

	family(p, "ontime_stage_up", "gauge", NULL, "1: the stage is ready.");
	for (int i = 0; i < N_STAGES; i++)
		fprintf(p->out, "ontime_stage_up{stage=\"%s\"} %d\n", stage_name((enum stage_id)i),
			strcmp(stages[i].state, "ready") == 0);
	family(p, "ontime_stage_sched", "gauge", NULL, "1: the scheduling policy the stage runs at.");
	for (int i = 0; i < N_STAGES; i++)
		fprintf(p->out, "ontime_stage_sched{stage=\"%s\",policy=\"%s\"} 1\n", stage_name((enum stage_id)i),
			sched_name(stages[i].sched_policy));
	for (size_t k = 0; k < sizeof(stage_figures) / sizeof(stage_figures[0]); k++) {
		const struct stage_figure *g = &stage_figures[k];

		family(p, g->name, g->type, g->unit, g->help);
		for (int i = 0; i < N_STAGES; i++) {
			fprintf(p->out, "%s%s{stage=\"%s\"} ", g->name, *g->type == 'c' ? "_total" : "",
				stage_name((enum stage_id)i));
			if (g->unit)
				print_seconds(p->out, stage_figure(&stages[i], g));
			else
				fprintf(p->out, "%" PRIu64, stage_figure(&stages[i], g));
			fputc('\n', p->out);
		}
	}
}

/* Always all kinds of causes, so that an alert has a series to look at before it has a reason. */
static void print_health(const struct page *p)
{
	const struct health *h = &p->feed->health;

	family(p, "ontime_healthy", "gauge", NULL,
	       "1: the instance runs and nothing is wrong with it, as /healthz says.");
	fprintf(p->out, "ontime_healthy %d\n", feed_is_healthy(p->feed));
	family(p, "ontime_unhealthy", "gauge", NULL,
	       "How many classes or stages are ill, by cause; /healthz names them.");
	fprintf(p->out, "ontime_unhealthy{cause=\"not_running\"} %d\n", !p->feed->runs);
	for (int kind = 0; kind < N_CAUSE_KINDS; kind++) {
		int n = 0;

		for (int i = 0; p->feed->runs && i < h->n_causes; i++)
			n += h->causes[i].kind == (enum cause_kind)kind;
		fprintf(p->out, "ontime_unhealthy{cause=\"%s\"} %d\n", cause_name((enum cause_kind)kind), n);
	}
}

/* Of the dashboard's own process: its CPU time, for whoever asks what watching costs. */
static void print_self(const struct page *p, uint32_t n_streams)
{
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	family(p, "process_cpu_seconds", "counter", "seconds", "CPU time of the dashboard itself, user and system.");
	fputs("process_cpu_seconds_total ", p->out);
	print_seconds(p->out, (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * NS_PER_S +
				      (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * NS_PER_US);
	fputc('\n', p->out);
	family(p, "ontime_dash_looks", "counter", NULL, "Times the dashboard looked at the instance.");
	fprintf(p->out, "ontime_dash_looks_total %" PRIu64 "\n", p->feed->n_looks);
	family(p, "ontime_dash_streams", "gauge", NULL, "Clients of /events now.");
	fprintf(p->out, "ontime_dash_streams %u\n", n_streams);
}

void metrics_print(FILE *out, const struct feed *f, uint32_t n_streams, int open)
{
	const struct page p = { .out = out, .feed = f, .open = open };

	family(&p, open ? "ontime_build" : "ontime_build_info", open ? "info" : "gauge", NULL,
	       "Version of the dashboard.");
	fprintf(out, "ontime_build_info{version=\"%s\"} 1\n", ONTIME_VERSION);
	family(&p, "ontime_up", "gauge", NULL,
	       "1: the instance runs and can be read. If 0, what is known of it only then is absent.");
	fprintf(out, "ontime_up{name=\"%s\"} %d\n", f->viewer.instance, f->runs);
	print_health(&p);
	print_self(&p, n_streams);
	if (f->runs) {
		family(&p, "ontime_launch_time_seconds", "gauge", "seconds",
		       "When the instance was launched, Unix time.");
		fputs("ontime_launch_time_seconds ", out);
		print_seconds(out, f->now.at_unix_ns - (f->now.at_ns - f->now.created_at_ns));
		fputc('\n', out);
		family(&p, "ontime_supervised", "gauge", NULL,
		       "1: a supervisor watches the stages; under systemd none does.");
		fprintf(out, "ontime_supervised %d\n", f->now.is_supervised);
		print_class_figures(&p);
		print_drops(&p);
		print_spans(&p);
		print_lanes(&p);
		family(&p, "ontime_latency_seconds", "histogram", "seconds",
		       "From arrival in the kernel to the end of the send call; one edge is the class's budget.");
		for (uint32_t i = 0; i < f->now.n_classes; i++)
			print_histogram(out, &f->now.classes[i]);
		print_stages(&p);
	}
	if (open)
		fputs("# EOF\n", out);
}
