/* json.c - a look at an instance as one line of JSON. */
#include "json.h"
#include "destinations.h"

#include <inttypes.h>
#include <string.h>

#include "units.h"

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

static void print_value(FILE *out, const char *comma, const char *key, const struct counter *c, uint64_t value)
{
	if (counter_is_absent(c, value))
		fprintf(out, "%s\"%s\":null", comma, key);
	else if (c->kind == KIND_OFF)
		fprintf(out, "%s\"%s\":%" PRId64, comma, key, (int64_t)value);
	else
		fprintf(out, "%s\"%s\":%" PRIu64, comma, key, value);
}

/* One value, or an object of one for each reason, errno (of those that came) or span. */
static void print_counter(FILE *out, const struct counter *c, const struct account *a)
{
	const uint64_t *values = counter_values_of(c, a);
	int n = counter_values(c);
	char text[ERRNO_NAME_BYTES];
	const char *comma = "";

	if (c->by == BY_NOTHING) {
		print_value(out, ",", c->key, c, values[0]);
		return;
	}
	fprintf(out, ",\"%s\":{", c->key);
	for (int i = 0; i < n; i++) {
		if (c->by == BY_ERRNO && values[i] == 0)
			continue;
		print_value(out, comma, counter_value_name(c, a, i, text), c, values[i]);
		comma = ",";
	}
	fputc('}', out);
}

static void print_latency(FILE *out, const struct class_view *c)
{
	fputs(",\"latency_ns\":{", out);
	for (int p = 0; p < PMAX; p++)
		fprintf(out, "\"%s\":%" PRIu64 ",", percentile_name((enum percentile)p),
			class_percentile_ns(c, percentile_per_million((enum percentile)p)));
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
	for (int p = 0; p < N_PERCENTILES; p++)
		fprintf(out, ",\"%s\":%" PRIu64, percentile_name((enum percentile)p),
			histogram_percentile(latency, percentile_per_million((enum percentile)p)));
	fputc('}', out);
}

static void print_class(FILE *out, const struct class_view *class, uint64_t at_ns)
{
	fprintf(out, "{\"class\":\"%s\"", class->name);
	for (const struct counter *c = counter_next(NULL); c; c = counter_next(c))
		if (c->key)
			print_counter(out, c, &class->account);
	print_latency(out, class);
	destinations_json(out, class, at_ns);
}

static void print_stage(FILE *out, const struct stage_view *s, const char *name)
{
	const char *failing = s->failing_ns ? strerrorname_np((int)s->failing_errno) : NULL;

	fprintf(out, "{\"stage\":\"%s\",\"pid\":%u,\"state\":\"%s\",\"sched\":\"%s\"", name, s->pid, s->state,
		sched_name(s->sched_policy));
	for (const struct counter *c = stage_counter_next(NULL); c; c = stage_counter_next(c))
		print_value(out, ",", c->key, c, stage_counter_value(c, s));
	fprintf(out, ",\"failing_errno\":%s%s%s}", failing ? "\"" : "", failing ? failing : "null",
		failing ? "\"" : "");
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
		",\"shards\":%u,\"balanced\":%s",
		line->instance, now->at_ns, (uint64_t)(now->at_unix_ns / NS_PER_MS), now->created_at_ns,
		view_shards(now), view_is_balanced(now) ? "true" : "false");
	print_health(out, line->health, now->is_supervised);
	fputs(",\"classes\":[", out);
	for (uint32_t i = 0; i < now->n_classes; i++) {
		fputs(i ? "," : "", out);
		print_class(out, &now->classes[i], now->at_ns);
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
