/* report.c - what became of the packets of a trace: as a table, as JSON, one by one. */
#include "report.h"

#include <inttypes.h>

double report_percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

void report_table(const struct config *c, const struct outcome *outcomes)
{
	printf("%-12s %9s %9s %7s %7s %9s %10s %10s %10s  %s\n", "class", "offered", "on time", "%", "late", "dropped",
	       "p50 (us)", "p99", "p99.9", "reasons");
	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct outcome *o = &outcomes[i];

		if (o->offered == 0)
			continue;
		printf("%-12s %9" PRIu64 " %9" PRIu64 " %7.2f %7" PRIu64 " %9" PRIu64 " %10.1f %10.1f %10.1f ",
		       c->classes[i].name, o->offered, o->on_time, report_percent(o->on_time, o->offered), o->late,
		       o->offered - o->on_time - o->late, (double)histogram_percentile(o->latency, 500000) / 1e3,
		       (double)histogram_percentile(o->latency, 990000) / 1e3,
		       (double)histogram_percentile(o->latency, 999000) / 1e3);
		for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++)
			if (o->dropped[r])
				printf(" %s %" PRIu64, drop_reason_name((enum drop_reason)r), o->dropped[r]);
		putchar('\n');
	}
	for (uint32_t i = 0; i < c->n_classes; i++)
		if (c->classes[i].ecn == ECN_MARK && outcomes[i].offered)
			printf("%s: %" PRIu64 " of %" PRIu64 " sent would be marked CE\n", c->classes[i].name,
			       outcomes[i].marked, outcomes[i].on_time + outcomes[i].late);
}

void report_json(const struct config *c, const struct outcome *outcomes, const char *policy)
{
	const char *between = "";

	printf("{\"policy\":\"%s\",\"classes\":[", policy);
	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct outcome *o = &outcomes[i];
		const char *comma = "";

		if (o->offered == 0)
			continue;
		printf("%s{\"class\":\"%s\",\"offered\":%" PRIu64 ",\"on_time\":%" PRIu64 ",\"late\":%" PRIu64
		       ",\"marked\":%" PRIu64 ",\"dropped\":{",
		       between, c->classes[i].name, o->offered, o->on_time, o->late, o->marked);
		for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++)
			if (o->dropped[r]) {
				printf("%s\"%s\":%" PRIu64, comma, drop_reason_name((enum drop_reason)r),
				       o->dropped[r]);
				comma = ",";
			}
		printf("},\"latency_ns\":{\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"p999\":%" PRIu64 "}}",
		       histogram_percentile(o->latency, 500000), histogram_percentile(o->latency, 990000),
		       histogram_percentile(o->latency, 999000));
		between = ",";
	}
	printf("]}");
}

void report_packets(const struct config *c, const struct trace *t)
{
	puts("arrival_ns,class,bytes,fate,latency_ns");
	for (size_t i = 0; i < t->n; i++) {
		const struct packet *p = &t->packets[i];
		const char *fate = p->drop				   ? drop_reason_name((enum drop_reason)p->drop)
				   : p->done_ns <= model_deadline_ns(c, p) ? "on_time"
									   : "late_sent";

		printf("%" PRIu64 ",%s,%u,%s,%" PRIu64 "\n", p->arrival_ns, c->classes[p->class].name, p->bytes, fate,
		       p->drop ? 0 : p->done_ns - p->arrival_ns);
	}
}
