/* report.c - what became of the packets of a trace: as a table, as JSON, one by one. */
#include "report.h"

#include <inttypes.h>
#include <netinet/in.h>

#include "config/copying.h"

#define IPV4_UDP_BYTES 28u
#define IPV6_UDP_BYTES 48u

double report_percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

/* Of what is sent, to all destinations together, with the headers of IP and UDP. */
static uint64_t copied_wire_bytes(const struct class_config *k, const struct outcome *o)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < copying_count(k); i++)
		bytes +=
			o->sent_bytes + (o->on_time + o->late) *
						(k->dests[i].at.ss_family == AF_INET ? IPV4_UDP_BYTES : IPV6_UDP_BYTES);
	return bytes;
}

static void print_copies(const struct class_config *k, const struct outcome *o, uint64_t trace_ns)
{
	uint32_t n = copying_count(k);
	uint64_t bytes = copied_wire_bytes(k, o);

	if (n == 0 || o->offered == 0)
		return;
	printf("%s: what is sent leaves as %u copies: %" PRIu64 " bytes on the wire", k->name, n, bytes);
	if (trace_ns)
		printf(", %.1f Mbit/s", 8e3 * (double)bytes / (double)trace_ns);
	putchar('\n');
}

/* From its first packet to its last. */
static uint64_t lasts_ns(const struct trace *t)
{
	uint64_t first_ns = UINT64_MAX, last_ns = 0;

	for (size_t i = 0; i < t->n; i++) {
		first_ns = t->packets[i].arrival_ns < first_ns ? t->packets[i].arrival_ns : first_ns;
		last_ns = t->packets[i].arrival_ns > last_ns ? t->packets[i].arrival_ns : last_ns;
	}
	return t->n ? last_ns - first_ns : 0;
}

void report_table(const struct config *c, const struct outcome *outcomes, const struct trace *t)
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
	for (uint32_t i = 0; i < c->n_classes; i++)
		print_copies(&c->classes[i], &outcomes[i], lasts_ns(t));
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
		printf("},\"copies\":%u,\"copied_wire_bytes\":%" PRIu64, copying_count(&c->classes[i]),
		       copied_wire_bytes(&c->classes[i], o));
		printf(",\"latency_ns\":{\"p50\":%" PRIu64 ",\"p99\":%" PRIu64 ",\"p999\":%" PRIu64 "}}",
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
