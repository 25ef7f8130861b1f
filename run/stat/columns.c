/* columns.c - the columns of the monitor's tables. */
#include "columns.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "look/number.h"

#define N_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define BAR_CHARS 18 /* of "[####..] 120/256" */

/* Which figure a column shows: `what` of its fill(). */
#define RATE(field) .what = offsetof(struct class_change, field)
#define COUNT(field) .what = offsetof(struct account, field)
#define STAGE_RATE(field) .what = offsetof(struct stage_change, field)
#define STAGE_COUNT(field) .what = offsetof(struct stage_view, field)

static double real_at(const void *from, size_t offset)
{
	double value;

	memcpy(&value, (const char *)from + offset, sizeof(value));
	return value;
}

static uint64_t whole_at(const void *from, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)from + offset, sizeof(value));
	return value;
}

static void set(struct cell *c, enum style style, const char *text)
{
	snprintf(c->text, sizeof(c->text), "%s", text);
	c->style = style;
}

static void set_rate(struct cell *c, double per_s, enum style when_any)
{
	char text[NUMBER_BYTES];

	set(c, per_s > 0 ? when_any : STYLE_PLAIN, number_of(per_s, text));
}

static void set_count(struct cell *c, uint64_t count, int width)
{
	char text[NUMBER_BYTES];

	set(c, STYLE_PLAIN, number_of_count(count, width - 1, text));
}

static void fill_class(const void *row, const struct column *column, struct cell *c)
{
	(void)column;
	set(c, STYLE_STRONG, ((const struct class_row *)row)->now->name);
}

static void fill_rate(const void *row, const struct column *column, struct cell *c)
{
	set_rate(c, real_at(((const struct class_row *)row)->change, column->what), column->when_any);
}

static void fill_mbits(const void *row, const struct column *column, struct cell *c)
{
	set_rate(c, real_at(((const struct class_row *)row)->change, column->what) / 1e6, column->when_any);
}

static void fill_count(const void *row, const struct column *column, struct cell *c)
{
	set_count(c, whole_at(&((const struct class_row *)row)->now->account, column->what), column->width);
}

static void fill_dropped_total(const void *row, const struct column *column, struct cell *c)
{
	set_count(c, account_dropped_pkts(&((const struct class_row *)row)->now->account), column->width);
}

static void fill_on_time(const void *row, const struct column *column, struct cell *c)
{
	double on_time = ((const struct class_row *)row)->change->on_time;
	enum style style = STYLE_BAD;
	char text[NUMBER_BYTES];

	(void)column;
	if (on_time < 0 || on_time >= 1)
		style = STYLE_PLAIN;
	else if (on_time >= 0.99)
		style = STYLE_WARN;
	set(c, style, number_of_share(on_time, text));
}

static void set_latency(const struct class_row *r, uint64_t ns, struct cell *c)
{
	uint64_t budget_ns = r->now->account.budget_ns;
	int over = budget_ns != BUDGET_NONE && ns > budget_ns;
	char text[NUMBER_BYTES];

	if (r->change->sent_pkts == 0) {
		set(c, STYLE_FAINT, "-");
		return;
	}
	snprintf(c->text, sizeof(c->text), "%s%s", over ? "!" : "", number_of_ns(ns, text));
	c->style = over ? STYLE_BAD : STYLE_PLAIN;
}

static void fill_percentile(const void *row, const struct column *column, struct cell *c)
{
	const struct class_row *r = row;

	set_latency(r, r->change->percentile_ns[column->what], c);
}

static void fill_mean(const void *row, const struct column *column, struct cell *c)
{
	const struct class_row *r = row;

	(void)column;
	set_latency(r, r->change->mean_ns, c);
}

static void fill_budget(const void *row, const struct column *column, struct cell *c)
{
	uint64_t budget_ns = ((const struct class_row *)row)->now->account.budget_ns;
	char text[NUMBER_BYTES];

	(void)column;
	set(c, STYLE_FAINT, budget_ns == BUDGET_NONE ? "none" : number_of_ns(budget_ns, text));
}

void fit_latency_table(struct table *t, int longest, int cols, int any_marks)
{
	static const struct column columns[] = {
		{ "class", 0, 0, 1, .fill = fill_class },
		{ "in/s", 6, 0, 0, .fill = fill_rate, RATE(received_pps) },
		{ "out/s", 6, 0, 0, .fill = fill_rate, RATE(sent_pps) },
		{ "Mbit/s", 7, RANK_EXTRA + 2, 0, .fill = fill_mbits, RATE(sent_bits_per_s) },
		{ "drop/s", 7, 1, 0, .fill = fill_rate, RATE(dropped_pps), .when_any = STYLE_BAD },
		{ "late/s", 7, RANK_EXTRA, 0, .fill = fill_rate, RATE(late_pps), .when_any = STYLE_WARN },
		{ "on-time", 8, 0, 0, .fill = fill_on_time },
		{ "mean", 7, RANK_EXTRA + 1, 0, .fill = fill_mean },
		{ "p50", 7, 2, 0, .fill = fill_percentile, .what = P50 },
		{ "p95", 7, 4, 0, .fill = fill_percentile, .what = P95 },
		{ "p99", 7, 0, 0, .fill = fill_percentile, .what = P99 },
		{ "p99.9", 7, 3, 0, .fill = fill_percentile, .what = P999 },
		{ "max", 7, 0, 0, .fill = fill_percentile, .what = PMAX },
		{ "budget", 7, 0, 0, .fill = fill_budget },
		{ "held", 7, RANK_EXTRA + 3, 0, .fill = fill_count, COUNT(held_pkts) },
		{ "received", 14, RANK_EXTRA + 4, 0, .fill = fill_count, COUNT(received_pkts) },
		{ "sent", 14, RANK_EXTRA + 4, 0, .fill = fill_count, COUNT(sent_pkts) },
		{ "dropped", 12, RANK_EXTRA + 4, 0, .fill = fill_dropped_total },
		{ "sent late", 12, RANK_EXTRA + 4, 0, .fill = fill_count, COUNT(sent_late_pkts) },
		{ "mark/s", 7, 2, 0, .fill = fill_rate, RATE(marked_pps), .when_any = STYLE_WARN }, /* if any marks */
	};

	table_fit(t, columns, N_OF(columns) - !any_marks, longest, cols);
}

/* "[####..] 120/256": how full a queue is; what waits shows as one # at least, and only a full one as all. */
static void set_bar(struct cell *c, uint64_t waiting, uint64_t limit)
{
	char numbers[2 * NUMBER_BYTES], a[NUMBER_BYTES], b[NUMBER_BYTES], bar[BAR_CHARS];
	int len = snprintf(numbers, sizeof(numbers), "%s/%s", number_of_count(waiting, 4, a),
			   number_of_count(limit, 4, b));
	int size = BAR_CHARS - 3 - len, filled;

	size = size < 1 ? 1 : size;
	filled = limit == 0 ? 0 : waiting >= limit ? size : (int)((uint64_t)size * waiting / limit);
	if (waiting && filled == 0)
		filled = 1;
	memset(bar, '.', sizeof(bar));
	memset(bar, '#', (size_t)filled);
	snprintf(c->text, sizeof(c->text), "[%.*s] %s", size, bar, numbers);
	c->style = limit && waiting >= limit ? STYLE_BAD : limit && 2 * waiting >= limit ? STYLE_WARN : STYLE_PLAIN;
}

static void fill_to_edf(const void *row, const struct column *column, struct cell *c)
{
	const struct account *a = &((const struct class_row *)row)->now->account;

	(void)column;
	set_bar(c, a->waiting_edf_pkts, a->to_edf_limit_pkts);
}

static void fill_to_egress(const void *row, const struct column *column, struct cell *c)
{
	const struct account *a = &((const struct class_row *)row)->now->account;

	(void)column;
	set_bar(c, a->waiting_egress_pkts, a->to_egress_limit_pkts);
}

static void fill_span(const void *row, const struct column *column, struct cell *c)
{
	const struct class_change *change = ((const struct class_row *)row)->change;

	if (change->sent_pkts == 0) {
		set(c, STYLE_FAINT, "-");
		return;
	}
	snprintf(c->text, sizeof(c->text), "%.0f%%", 100 * change->span_share[column->what]);
	c->style = change->span_share[column->what] >= 0.5 ? STYLE_STRONG : STYLE_PLAIN;
}

#define SPAN_COLUMN(NAME, name, by, title, help) { title, 5, 1, 0, .fill = fill_span, .what = SPAN_##NAME },

void fit_queue_table(struct table *t, int longest, int cols)
{
	static const struct column columns[] = {
		{ "class", 0, 0, 1, .fill = fill_class },
		{ "waiting for edf", BAR_CHARS + 1, 0, 1, .fill = fill_to_edf },
		{ "waiting for egress", BAR_CHARS + 1, 0, 1, .fill = fill_to_egress },
		SPANS(SPAN_COLUMN){ "slots", 8, RANK_EXTRA, 0, .fill = fill_count, COUNT(slots) },
		{ "send waits", 12, RANK_EXTRA, 0, .fill = fill_count, COUNT(send_waits) },
	};

	table_fit(t, columns, N_OF(columns), longest, cols);
}

static void fill_stage(const void *row, const struct column *column, struct cell *c)
{
	(void)column;
	set(c, STYLE_STRONG, ((const struct stage_row *)row)->name);
}

static void fill_pid(const void *row, const struct column *column, struct cell *c)
{
	(void)column;
	snprintf(c->text, sizeof(c->text), "%u", ((const struct stage_row *)row)->now->pid);
}

static void fill_state(const void *row, const struct column *column, struct cell *c)
{
	const char *state = ((const struct stage_row *)row)->now->state;

	(void)column;
	set(c, strcmp(state, "ready") == 0 ? STYLE_GOOD : STYLE_BAD, state);
}

static void fill_up(const void *row, const struct column *column, struct cell *c)
{
	char text[NUMBER_BYTES];

	(void)column;
	set(c, STYLE_PLAIN, number_of_age(((const struct stage_row *)row)->now->up_ns, text));
}

static void fill_restarts(const void *row, const struct column *column, struct cell *c)
{
	const struct stage_row *r = row;
	uint64_t restarts = r->now->starts ? r->now->starts - 1 : 0;

	(void)column;
	snprintf(c->text, sizeof(c->text), "%s%llu", r->change->is_new ? "!" : "", (unsigned long long)restarts);
	c->style = r->change->is_new ? STYLE_BAD : STYLE_PLAIN;
}

static void fill_cpu(const void *row, const struct column *column, struct cell *c)
{
	(void)column;
	snprintf(c->text, sizeof(c->text), "%.1f%%", 100 * ((const struct stage_row *)row)->change->cpu);
}

static void fill_starved(const void *row, const struct column *column, struct cell *c)
{
	double share = ((const struct stage_row *)row)->change->starved;

	(void)column;
	snprintf(c->text, sizeof(c->text), "%.0f%%", 100 * share);
	c->style = share >= STARVED ? STYLE_BAD : STYLE_PLAIN;
}

static void fill_stage_rate(const void *row, const struct column *column, struct cell *c)
{
	set_rate(c, real_at(((const struct stage_row *)row)->change, column->what), column->when_any);
}

static void fill_stage_count(const void *row, const struct column *column, struct cell *c)
{
	set_count(c, whole_at(((const struct stage_row *)row)->now, column->what), column->width);
}

static void fill_failed(const void *row, const struct column *column, struct cell *c)
{
	fill_stage_count(row, column, c);
	if (((const struct stage_row *)row)->now->failing_ns)
		c->style = STYLE_BAD;
}

static void fill_beat(const void *row, const struct column *column, struct cell *c)
{
	char text[NUMBER_BYTES];

	(void)column;
	set(c, STYLE_PLAIN, number_of_ns(((const struct stage_row *)row)->now->beat_age_ns, text));
}

static void fill_sched(const void *row, const struct column *column, struct cell *c)
{
	(void)column;
	set(c, STYLE_PLAIN, sched_name(((const struct stage_row *)row)->now->sched_policy));
}

void fit_stage_table(struct table *t, int cols)
{
	static const struct column columns[] = {
		{ "stage", 0, 0, 1, .fill = fill_stage },
		{ "pid", 8, 0, 0, .fill = fill_pid },
		{ "state", 10, 0, 1, .fill = fill_state },
		{ "up", 8, 0, 0, .fill = fill_up },
		{ "restarts", 9, 0, 0, .fill = fill_restarts },
		{ "cpu", 7, 0, 0, .fill = fill_cpu },
		{ "waits", 6, 0, 0, .fill = fill_starved },
		{ "parks/s", 8, 1, 0, .fill = fill_stage_rate, STAGE_RATE(parks_per_s) },
		{ "rings/s", 8, 2, 0, .fill = fill_stage_rate, STAGE_RATE(rings_per_s) },
		{ "rescued", 9, 3, 0, .fill = fill_stage_count, STAGE_COUNT(rescued_pkts) },
		{ "beat ago", 9, 4, 0, .fill = fill_beat },
		{ "sched", 9, RANK_EXTRA, 0, .fill = fill_sched },
		{ "failed", 8, RANK_EXTRA, 0, .fill = fill_failed, STAGE_COUNT(failed_calls) },
		{ "remade", 8, RANK_EXTRA, 0, .fill = fill_stage_count, STAGE_COUNT(remade_sockets) },
	};

	table_fit(t, columns, N_OF(columns), (int)sizeof("ingress") - 1, cols);
}
