/* json.c - a look at an instance as one line of JSON. */
#include "json.h"

#include <inttypes.h>
#include <sched.h>
#include <string.h>

#define PERCENTILES 4

static const struct {
	const char *name;
	uint32_t per_million;
} percentiles[PERCENTILES] = { { "p50", 500000 }, { "p95", 950000 }, { "p99", 990000 }, { "p999", 999000 } };

const char *send_errno_name(const struct account *a, int i, char text[16])
{
	const char *name = i + 1 < SEND_ERRNOS ? strerrorname_np((int)a->send_errno[i]) : "others";

	if (name)
		return name;
	snprintf(text, 16, "errno %d", (int)a->send_errno[i]);
	return text;
}

void json_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			fputc(' ', out);
		else
			fputc(*text, out);
	}
	fputc('"', out);
}

static void print_reasons(FILE *out, const struct account *a)
{
	char text[16];

	fputs(",\"dropped\":{", out);
	for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++)
		fprintf(out, "%s\"%s\":%" PRIu64, r > 1 ? "," : "", drop_reason_name((enum drop_reason)r),
			a->dropped_pkts[r]);
	fputs("},\"send_errors\":{", out);
	for (int i = 0, n = 0; i < SEND_ERRNOS; i++)
		if (a->send_errno_pkts[i])
			fprintf(out, "%s\"%s\":%" PRIu64, n++ ? "," : "", send_errno_name(a, i, text),
				a->send_errno_pkts[i]);
	fputs("}", out);
}

static void print_spans(FILE *out, const char *key, const uint64_t values[N_SPANS])
{
	fprintf(out, ",\"%s\":{", key);
	for (int s = 0; s < N_SPANS; s++)
		fprintf(out, "%s\"%s\":%" PRIu64, s ? "," : "", span_name((enum span)s), values[s]);
	fputs("}", out);
}

static void print_latency(FILE *out, const struct class_view *c)
{
	fputs(",\"latency_ns\":{", out);
	for (int p = 0; p < PERCENTILES; p++)
		fprintf(out, "\"%s\":%" PRIu64 ",", percentiles[p].name,
			class_percentile_ns(c, percentiles[p].per_million));
	fprintf(out, "\"sum\":%" PRIu64 ",\"max\":%" PRIu64 "}", c->account.latency_sum_ns, c->account.latency_max_ns);
}

static void print_buckets(FILE *out, const struct account *a)
{
	const char *comma = "";

	fputs(",\"latency_buckets\":[", out);
	for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++)
		if (a->latency[b]) {
			fprintf(out, "%s[%" PRIu64 ",%" PRIu64 "]", comma, histogram_edge(b), a->latency[b]);
			comma = ",";
		}
	fputs("]", out);
}

static void print_recent(FILE *out, const struct class_view *now, const struct class_view *before, uint64_t ns)
{
	uint64_t latency[HISTOGRAM_BUCKETS];
	uint64_t sent = class_latency_since(now, before, latency);

	fprintf(out, ",\"recent\":{\"ns\":%" PRIu64 ",\"sent\":%" PRIu64, ns, sent);
	for (int p = 0; p < PERCENTILES; p++)
		fprintf(out, ",\"%s\":%" PRIu64, percentiles[p].name,
			histogram_percentile(latency, percentiles[p].per_million));
	fprintf(out, ",\"max\":%" PRIu64 "}", histogram_percentile(latency, 1000000));
}

static void print_class(FILE *out, const struct class_view *c)
{
	const struct account *a = &c->account;

	fprintf(out, "{\"class\":\"%s\",\"budget_ns\":", c->name);
	if (c->budget_ns == BUDGET_NONE)
		fputs("null", out);
	else
		fprintf(out, "%" PRIu64, c->budget_ns);
	fprintf(out,
		",\"received\":%" PRIu64 ",\"sent\":%" PRIu64 ",\"sent_bytes\":%" PRIu64 ",\"sent_late\":%" PRIu64
		",\"held\":%" PRIu64 ",\"waiting_edf\":%" PRIu64 ",\"waiting_egress\":%" PRIu64
		",\"ingress_to_edf\":%u,\"edf_to_egress\":%u,\"slots\":%u",
		a->received_pkts, a->sent_pkts, a->sent_bytes, a->sent_late_pkts, a->held_pkts, a->waiting_edf_pkts,
		a->waiting_egress_pkts, c->ingress_to_edf_pkts, c->edf_to_egress_pkts, c->slots);
	fprintf(out,
		",\"unbalanced\":%" PRId64 ",\"refused_events\":%" PRIu64 ",\"send_waits\":%" PRIu64
		",\"work_ns\":%" PRIu64,
		a->unbalanced_pkts, a->refused_events, a->send_waits, a->work_ns);
	print_reasons(out, a);
	print_spans(out, "late_span", a->late_span_pkts);
	print_spans(out, "span_ns", a->span_sum_ns);
	print_latency(out, c);
}

static void print_stage(FILE *out, const struct stage_view *s, const char *name)
{
	const char *failing = s->failing_ns ? strerrorname_np((int)s->failing_errno) : NULL;

	fprintf(out,
		"{\"stage\":\"%s\",\"pid\":%u,\"state\":\"%s\",\"up_ns\":%" PRIu64
		",\"starts\":%u,\"beat_age_ns\":%" PRIu64 ",\"has_work\":%u,\"cpu_ns\":%" PRIu64
		",\"queued_ns\":%" PRIu64,
		name, s->pid, s->state, s->up_ns, s->starts, s->beat_age_ns, s->has_work, s->cpu_ns, s->queued_ns);
	fprintf(out, ",\"parks\":%" PRIu64 ",\"rings\":%" PRIu64 ",\"rescued\":%" PRIu64 ",\"sched\":\"%s\"", s->parks,
		s->rings, s->rescued_pkts, sched_name(s->sched_policy));
	fprintf(out,
		",\"failed_calls\":%" PRIu64 ",\"remade_sockets\":%" PRIu64 ",\"failing_ns\":%" PRIu64
		",\"failing_errno\":",
		s->failed_calls, s->remade_sockets, s->failing_ns);
	if (failing)
		fprintf(out, "\"%s\"}", failing);
	else
		fputs("null}", out);
}

static void print_health(FILE *out, const struct health *h, int is_supervised)
{
	fprintf(out, ",\"healthy\":%s,\"causes\":[", h->n_causes ? "false" : "true");
	for (int i = 0; i < h->n_causes; i++) {
		fprintf(out, "%s{\"cause\":\"%s\",\"text\":", i ? "," : "", cause_name(h->causes[i].kind));
		json_string(out, h->causes[i].text);
		fputc('}', out);
	}
	fprintf(out, "],\"supervised\":%s", is_supervised ? "true" : "false");
}

void stat_json(FILE *out, const struct stat_line *line)
{
	const struct view *now = line->now, *before = line->before;
	int follows = view_follows(now, before);

	fprintf(out,
		"{\"instance\":\"%s\",\"at_ns\":%" PRIu64 ",\"at_unix_ms\":%" PRIu64 ",\"created_at_ns\":%" PRIu64
		",\"balanced\":%s",
		line->instance, now->at_ns, now->at_unix_ns / 1000000, now->created_at_ns,
		view_is_balanced(now) ? "true" : "false");
	print_health(out, line->health, now->is_supervised);
	fputs(",\"classes\":[", out);
	for (uint32_t i = 0; i < now->n_classes; i++) {
		fputs(i ? "," : "", out);
		print_class(out, &now->classes[i]);
		if (line->buckets)
			print_buckets(out, &now->classes[i].account);
		if (follows)
			print_recent(out, &now->classes[i], &before->classes[i], now->at_ns - before->at_ns);
		fputs("}", out);
	}
	fputs("],\"stages\":[", out);
	for (int i = 0; i < N_STAGES; i++) {
		fputs(i ? "," : "", out);
		print_stage(out, &now->stages[i], stage_name((enum stage_id)i));
	}
	fputs("]}\n", out);
}
