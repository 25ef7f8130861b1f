/* table.c - the account of an instance as a plain table. */
#include "table.h"

#include "look/destinations.h"

static void print_reasons(FILE *out, const struct account *a, const char *class)
{
	char text[ERRNO_NAME_BYTES];

	for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++)
		if (a->dropped_pkts[r])
			fprintf(out, "  %-12s dropped, %s: %llu\n", class, drop_reason_name((enum drop_reason)r),
				(unsigned long long)a->dropped_pkts[r]);
	for (int i = 0; i < SEND_ERRNOS; i++)
		if (a->send_errno_pkts[i])
			fprintf(out, "  %-12s   send_error %s: %llu\n", class, send_errno_name(a, i, text),
				(unsigned long long)a->send_errno_pkts[i]);
	if (a->sessions)
		fprintf(out, "  %-12s sessions: %llu open, of %llu\n", class, (unsigned long long)a->sessions_open,
			(unsigned long long)a->sessions);
	if (a->unexpected_reply_pkts)
		fprintf(out, "  %-12s unexpected replies, dropped: %llu\n", class,
			(unsigned long long)a->unexpected_reply_pkts);
	if (a->send_waits)
		fprintf(out, "  %-12s waits for room to send: %llu\n", class, (unsigned long long)a->send_waits);
	if (a->refused_events)
		fprintf(out, "  %-12s ICMP errors from the destination: %llu\n", class,
			(unsigned long long)a->refused_events);
	for (int s = 0; s < N_SPANS; s++)
		if (a->late_span_pkts[s])
			fprintf(out, "  %-12s sent late, most time in %s: %llu\n", class, span_name((enum span)s),
				(unsigned long long)a->late_span_pkts[s]);
}

/* A class that marks has its line, were it none. */
static void print_marked(FILE *out, const struct view *v, uint32_t marks)
{
	for (uint32_t i = 0; i < v->n_classes; i++)
		if (marks >> i & 1)
			fprintf(out, "  %-12s sent with CE set here (marked): %llu\n", v->classes[i].name,
				(unsigned long long)v->classes[i].account.marked_pkts);
}

static void print_class(FILE *out, const struct class_view *c)
{
	static const enum percentile percentiles[] = { P50, P99, P999 };
	const struct account *a = &c->account;

	fprintf(out, "%-12s %12llu %12llu %10llu %6llu %10llu %6.2f", c->name, (unsigned long long)a->received_pkts,
		(unsigned long long)a->sent_pkts, (unsigned long long)account_dropped_pkts(a),
		(unsigned long long)a->held_pkts, (unsigned long long)a->sent_late_pkts,
		a->sent_pkts ? 100.0 * (double)a->sent_late_pkts / (double)a->sent_pkts : 0.0);
	for (int p = 0; p < 3; p++)
		fprintf(out, " %9.1f", (double)class_percentile_ns(c, percentile_per_million(percentiles[p])) / 1e3);
	fprintf(out, " %9.1f\n", (double)a->latency_max_ns / 1e3);
}

static void print_stages(FILE *out, const struct view *v)
{
	fprintf(out, "\n%-12s %8s %-8s %10s %8s %12s %12s %9s %8s %7s %7s\n", "stage", "pid", "state", "up (s)",
		"starts", "parks", "rings", "rescued", "sched", "failed", "remade");
	for (uint32_t i = 0; i < N_STAGES * view_shards(v); i++) {
		const struct stage_view *s = view_stage(v, i / N_STAGES, i % N_STAGES);

		fprintf(out, "%-12s %8u %-8s %10.1f %8llu %12llu %12llu %9llu %8s %7llu %7llu\n",
			view_stage_name(v, i / N_STAGES, i % N_STAGES), s->pid, s->state, (double)s->up_ns / 1e9,
			(unsigned long long)s->starts, (unsigned long long)s->parks, (unsigned long long)s->rings,
			(unsigned long long)s->rescued_pkts, sched_name(s->sched_policy),
			(unsigned long long)s->failed_calls, (unsigned long long)s->remade_sockets);
	}
}

/* The causes, and the last line: `balanced`, or by how many packets which class is off. */
static void print_verdict(FILE *out, const struct view *v, const struct health *h)
{
	const char *before = "NOT balanced:";

	for (int i = 0; i < h->n_causes; i++)
		if (h->causes[i].kind != CAUSE_UNBALANCED)
			fprintf(out, "NOT well: %s\n", h->causes[i].text);

	for (uint32_t i = 0; i < v->n_classes; i++)
		if (class_unbalanced_pkts(&v->classes[i])) {
			fprintf(out, "%s %s by %+lld", before, v->classes[i].name,
				(long long)class_unbalanced_pkts(&v->classes[i]));
			before = ",";
		}
	fputs(view_is_balanced(v) ? "balanced\n" : "\n", out);
}

void stat_table(FILE *out, const struct view *v, const struct health *h, uint32_t marks)
{
	fprintf(out, "%-12s %12s %12s %10s %6s %10s %6s %9s %9s %9s %9s\n", "class", "received", "sent", "dropped",
		"held", "sent late", "late%", "p50 (us)", "p99", "p99.9", "max");
	for (uint32_t i = 0; i < v->n_classes; i++)
		print_class(out, &v->classes[i]);
	for (uint32_t i = 0; i < v->n_classes; i++)
		print_reasons(out, &v->classes[i].account, v->classes[i].name);
	for (uint32_t i = 0; i < v->n_classes; i++)
		destinations_table(out, &v->classes[i], v->at_ns);
	print_marked(out, v, marks);
	print_stages(out, v);
	print_verdict(out, v, h);
}
