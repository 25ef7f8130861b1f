/* columns.c - what stands in which column of the monitor's tables. */
#include "columns.h"

#include <stdio.h>
#include <string.h>

#include "look/number.h"

#define N_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define BAR_CHARS 18 /* of "[####..] 120/256" */

static void set(struct cell *c, enum look look, const char *text)
{
	snprintf(c->text, sizeof(c->text), "%s", text);
	c->look = look;
}

static void set_rate(struct cell *c, double per_s, enum look when_any)
{
	char text[NUMBER_BYTES];

	set(c, per_s > 0 ? when_any : LOOK_PLAIN, number_of(per_s, text));
}

static void set_count(struct cell *c, uint64_t count, int width)
{
	char text[NUMBER_BYTES];

	set(c, LOOK_PLAIN, number_of_count(count, width, text));
}

static void fill_class(const void *row, struct cell *c)
{
	const struct class_row *r = row;

	set(c, LOOK_STRONG, r->now->name);
}

static void fill_received(const void *row, struct cell *c)
{
	set_rate(c, ((const struct class_row *)row)->change->received_pps, LOOK_PLAIN);
}

static void fill_sent(const void *row, struct cell *c)
{
	set_rate(c, ((const struct class_row *)row)->change->sent_pps, LOOK_PLAIN);
}

static void fill_mbits(const void *row, struct cell *c)
{
	set_rate(c, ((const struct class_row *)row)->change->sent_bits_per_s / 1e6, LOOK_PLAIN);
}

static void fill_dropped(const void *row, struct cell *c)
{
	set_rate(c, ((const struct class_row *)row)->change->dropped_pps, LOOK_BAD);
}

static void fill_late(const void *row, struct cell *c)
{
	set_rate(c, ((const struct class_row *)row)->change->late_pps, LOOK_WARN);
}

static void fill_on_time(const void *row, struct cell *c)
{
	double on_time = ((const struct class_row *)row)->change->on_time;
	char text[NUMBER_BYTES];

	set(c,
	    on_time < 0 || on_time >= 1 ? LOOK_PLAIN
	    : on_time >= 0.99		? LOOK_WARN
					: LOOK_BAD,
	    number_of_share(on_time, text));
}

static void set_latency(const struct class_row *r, uint64_t ns, struct cell *c)
{
	int over = r->now->budget_ns != BUDGET_NONE && ns > r->now->budget_ns;
	char text[NUMBER_BYTES];

	if (r->change->sent_pkts == 0) {
		set(c, LOOK_FAINT, "-");
		return;
	}
	snprintf(c->text, sizeof(c->text), "%s%s", over ? "!" : "", number_of_ns(ns, text));
	c->look = over ? LOOK_BAD : LOOK_PLAIN;
}

static void set_percentile(const void *row, enum percentile p, struct cell *c)
{
	const struct class_row *r = row;

	set_latency(r, r->change->percentile_ns[p], c);
}

static void fill_p50(const void *row, struct cell *c)
{
	set_percentile(row, P50, c);
}

static void fill_p95(const void *row, struct cell *c)
{
	set_percentile(row, P95, c);
}

static void fill_p99(const void *row, struct cell *c)
{
	set_percentile(row, P99, c);
}

static void fill_p999(const void *row, struct cell *c)
{
	set_percentile(row, P999, c);
}

static void fill_max(const void *row, struct cell *c)
{
	set_percentile(row, PMAX, c);
}

static void fill_mean(const void *row, struct cell *c)
{
	const struct class_row *r = row;

	set_latency(r, r->change->mean_ns, c);
}

static void fill_budget(const void *row, struct cell *c)
{
	const struct class_row *r = row;
	char text[NUMBER_BYTES];

	set(c, LOOK_FAINT, r->now->budget_ns == BUDGET_NONE ? "none" : number_of_ns(r->now->budget_ns, text));
}

static void fill_held(const void *row, struct cell *c)
{
	set_count(c, ((const struct class_row *)row)->now->account.held_pkts, 6);
}

static void fill_received_total(const void *row, struct cell *c)
{
	set_count(c, ((const struct class_row *)row)->now->account.received_pkts, 13);
}

static void fill_sent_total(const void *row, struct cell *c)
{
	set_count(c, ((const struct class_row *)row)->now->account.sent_pkts, 13);
}

static void fill_dropped_total(const void *row, struct cell *c)
{
	set_count(c, account_dropped_pkts(&((const struct class_row *)row)->now->account), 11);
}

static void fill_late_total(const void *row, struct cell *c)
{
	set_count(c, ((const struct class_row *)row)->now->account.sent_late_pkts, 11);
}

void fit_latency_table(struct table *t, int longest, int cols)
{
	static const struct column columns[] = {
		{ "class", 0, 0, 1, fill_class },
		{ "in/s", 6, 0, 0, fill_received },
		{ "out/s", 6, 0, 0, fill_sent },
		{ "Mbit/s", 7, RANK_EXTRA + 2, 0, fill_mbits },
		{ "drop/s", 7, 1, 0, fill_dropped },
		{ "late/s", 7, RANK_EXTRA, 0, fill_late },
		{ "on-time", 8, 0, 0, fill_on_time },
		{ "mean", 7, RANK_EXTRA + 1, 0, fill_mean },
		{ "p50", 7, 2, 0, fill_p50 },
		{ "p95", 7, 4, 0, fill_p95 },
		{ "p99", 7, 0, 0, fill_p99 },
		{ "p99.9", 7, 3, 0, fill_p999 },
		{ "max", 7, 0, 0, fill_max },
		{ "budget", 7, 0, 0, fill_budget },
		{ "held", 7, RANK_EXTRA + 3, 0, fill_held },
		{ "received", 14, RANK_EXTRA + 4, 0, fill_received_total },
		{ "sent", 14, RANK_EXTRA + 4, 0, fill_sent_total },
		{ "dropped", 12, RANK_EXTRA + 4, 0, fill_dropped_total },
		{ "sent late", 12, RANK_EXTRA + 4, 0, fill_late_total },
	};

	table_fit(t, columns, N_OF(columns), longest, cols);
}

/* "[####..] 120/256": how full a queue is; what waits shows as one # at least, and only a full one as all. */
static void set_bar(struct cell *c, uint64_t waiting, uint32_t limit)
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
	c->look = limit && waiting >= limit ? LOOK_BAD : limit && 2 * waiting >= limit ? LOOK_WARN : LOOK_PLAIN;
}

static void fill_to_edf(const void *row, struct cell *c)
{
	const struct class_view *v = ((const struct class_row *)row)->now;

	set_bar(c, v->account.waiting_edf_pkts, v->ingress_to_edf_pkts);
}

static void fill_to_egress(const void *row, struct cell *c)
{
	const struct class_view *v = ((const struct class_row *)row)->now;

	set_bar(c, v->account.waiting_egress_pkts, v->edf_to_egress_pkts);
}

static void set_span(const void *row, enum span span, struct cell *c)
{
	const struct class_row *r = row;

	if (r->change->sent_pkts == 0) {
		set(c, LOOK_FAINT, "-");
		return;
	}
	snprintf(c->text, sizeof(c->text), "%.0f%%", 100 * r->change->span_share[span]);
	c->look = r->change->span_share[span] >= 0.5 ? LOOK_STRONG : LOOK_PLAIN;
}

static void fill_socket(const void *row, struct cell *c)
{
	set_span(row, SPAN_SOCKET, c);
}

static void fill_ingress(const void *row, struct cell *c)
{
	set_span(row, SPAN_INGRESS, c);
}

static void fill_edf_wait(const void *row, struct cell *c)
{
	set_span(row, SPAN_EDF_WAIT, c);
}

static void fill_edf_work(const void *row, struct cell *c)
{
	set_span(row, SPAN_EDF_WORK, c);
}

static void fill_egress_wait(const void *row, struct cell *c)
{
	set_span(row, SPAN_EGRESS_WAIT, c);
}

static void fill_egress_send(const void *row, struct cell *c)
{
	set_span(row, SPAN_EGRESS_SEND, c);
}

static void fill_slots(const void *row, struct cell *c)
{
	set_count(c, ((const struct class_row *)row)->now->slots, 6);
}

static void fill_send_waits(const void *row, struct cell *c)
{
	set_count(c, ((const struct class_row *)row)->now->account.send_waits, 10);
}

void fit_queue_table(struct table *t, int longest, int cols)
{
	static const struct column columns[] = {
		{ "class", 0, 0, 1, fill_class },
		{ "waiting for edf", BAR_CHARS + 1, 0, 1, fill_to_edf },
		{ "waiting for egress", BAR_CHARS + 1, 0, 1, fill_to_egress },
		{ "sock", 5, 1, 0, fill_socket },
		{ "ingr", 5, 1, 0, fill_ingress },
		{ "wait", 5, 1, 0, fill_edf_wait },
		{ "work", 5, 1, 0, fill_edf_work },
		{ "outq", 5, 1, 0, fill_egress_wait },
		{ "send", 5, 1, 0, fill_egress_send },
		{ "slots", 8, RANK_EXTRA, 0, fill_slots },
		{ "send waits", 12, RANK_EXTRA, 0, fill_send_waits },
	};

	table_fit(t, columns, N_OF(columns), longest, cols);
}

static void fill_stage(const void *row, struct cell *c)
{
	set(c, LOOK_STRONG, ((const struct stage_row *)row)->name);
}

static void fill_pid(const void *row, struct cell *c)
{
	snprintf(c->text, sizeof(c->text), "%u", ((const struct stage_row *)row)->now->pid);
}

static void fill_state(const void *row, struct cell *c)
{
	const char *state = ((const struct stage_row *)row)->now->state;

	set(c, strcmp(state, "ready") == 0 ? LOOK_GOOD : LOOK_BAD, state);
}

static void fill_up(const void *row, struct cell *c)
{
	char text[NUMBER_BYTES];

	set(c, LOOK_PLAIN, number_of_age(((const struct stage_row *)row)->now->up_ns, text));
}

static void fill_restarts(const void *row, struct cell *c)
{
	const struct stage_row *r = row;

	snprintf(c->text, sizeof(c->text), "%s%u", r->change->is_new ? "!" : "",
		 r->now->starts ? r->now->starts - 1 : 0);
	c->look = r->change->is_new ? LOOK_BAD : LOOK_PLAIN;
}

static void fill_cpu(const void *row, struct cell *c)
{
	snprintf(c->text, sizeof(c->text), "%.1f%%", 100 * ((const struct stage_row *)row)->change->cpu);
}

static void fill_starved(const void *row, struct cell *c)
{
	double share = ((const struct stage_row *)row)->change->starved;

	snprintf(c->text, sizeof(c->text), "%.0f%%", 100 * share);
	c->look = share >= STARVED ? LOOK_BAD : LOOK_PLAIN;
}

static void fill_parks(const void *row, struct cell *c)
{
	set_rate(c, ((const struct stage_row *)row)->change->parks_per_s, LOOK_PLAIN);
}

static void fill_rings(const void *row, struct cell *c)
{
	set_rate(c, ((const struct stage_row *)row)->change->rings_per_s, LOOK_PLAIN);
}

static void fill_rescued(const void *row, struct cell *c)
{
	set_count(c, ((const struct stage_row *)row)->now->rescued_pkts, 8);
}

static void fill_beat(const void *row, struct cell *c)
{
	char text[NUMBER_BYTES];

	set(c, LOOK_PLAIN, number_of_ns(((const struct stage_row *)row)->now->beat_age_ns, text));
}

static void fill_sched(const void *row, struct cell *c)
{
	set(c, LOOK_PLAIN, sched_name(((const struct stage_row *)row)->now->sched_policy));
}

static void fill_failed(const void *row, struct cell *c)
{
	const struct stage_view *s = ((const struct stage_row *)row)->now;

	set_count(c, s->failed_calls, 7);
	if (s->failing_ns)
		c->look = LOOK_BAD;
}

static void fill_remade(const void *row, struct cell *c)
{
	set_count(c, ((const struct stage_row *)row)->now->remade_sockets, 7);
}

void fit_stage_table(struct table *t, int cols)
{
	static const struct column columns[] = {
		{ "stage", 0, 0, 1, fill_stage },
		{ "pid", 8, 0, 0, fill_pid },
		{ "state", 10, 0, 1, fill_state },
		{ "up", 8, 0, 0, fill_up },
		{ "restarts", 9, 0, 0, fill_restarts },
		{ "cpu", 7, 0, 0, fill_cpu },
		{ "waits", 6, 0, 0, fill_starved },
		{ "parks/s", 8, 1, 0, fill_parks },
		{ "rings/s", 8, 2, 0, fill_rings },
		{ "rescued", 9, 3, 0, fill_rescued },
		{ "beat ago", 9, 4, 0, fill_beat },
		{ "sched", 9, RANK_EXTRA, 0, fill_sched },
		{ "failed", 8, RANK_EXTRA, 0, fill_failed },
		{ "remade", 8, RANK_EXTRA, 0, fill_remade },
	};

	table_fit(t, columns, N_OF(columns), (int)sizeof("ingress") - 1, cols);
}
