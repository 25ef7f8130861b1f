/*
 * stat.c - what came in, went out, was dropped and why: the account of a running instance.
 *
 * Rules:   maps the segment read-only; each class is read at one instant (account.h). Status 1 when an identity is broken.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "account.h"
#include "clock.h"
#include "log.h"
#include "segment.h"
#include "version.h"

#define PERCENTILES 3
static const uint32_t percentiles[PERCENTILES] = { 500000, 990000, 999000 };
static const char *const percentile_names[PERCENTILES] = { "p50", "p99", "p999" };

static void print_help(void)
{
	puts("stat - the account of a running instance.\n\n"
	     "usage: stat [--once] [--json] [-i INSTANCE]\n\n"
	     "  --once        print one table (the default)\n"
	     "  --json        print one JSON object\n"
	     "  -i INSTANCE   which instance (default: default)\n"
	     "  --version     print the version\n\n"
	     "received = sent + dropped + held; the last line says `balanced`, or by how many packets not.\n\n"
	     "examples: build/stat --once\n"
	     "          build/stat -i stress --json | jq .classes[0].sent\n\n"
	     "Exit status: 0 balanced, 1 not balanced or not running, 2 usage.");
}

static const char *class_name(const struct segment *seg, uint32_t class)
{
	return seg->shared->header.classes[class].name;
}

/* A bucket's upper edge may lie above the longest latency there was. */
static uint64_t percentile_ns(const struct account *a, int p)
{
	uint64_t ns = histogram_percentile(a->latency, percentiles[p]);

	return ns < a->latency_max_ns ? ns : a->latency_max_ns;
}

/* The errno's name; the last place counts all that had none of their own. */
static const char *errno_name(const struct account *a, int i, char text[16])
{
	const char *name = i + 1 < SEND_ERRNOS ? strerrorname_np((int)a->send_errno[i]) : "others";

	if (name)
		return name;
	snprintf(text, 16, "errno %d", (int)a->send_errno[i]);
	return text;
}

static void print_reasons(const struct account *a, const char *class)
{
	char text[16];

	for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++)
		if (a->dropped_pkts[r])
			printf("  %-12s dropped, %s: %llu\n", class, drop_reason_name((enum drop_reason)r),
			       (unsigned long long)a->dropped_pkts[r]);
	for (int i = 0; i < SEND_ERRNOS; i++)
		if (a->send_errno_pkts[i])
			printf("  %-12s   send_error %s: %llu\n", class, errno_name(a, i, text),
			       (unsigned long long)a->send_errno_pkts[i]);
	if (a->refused_events)
		printf("  %-12s ICMP errors from the destination: %llu\n", class,
		       (unsigned long long)a->refused_events);
	for (int s = 0; s < N_SPANS; s++)
		if (a->late_span_pkts[s])
			printf("  %-12s sent late, most time in %s: %llu\n", class, span_name((enum span)s),
			       (unsigned long long)a->late_span_pkts[s]);
}

static void print_class(const struct account *a, const char *class)
{
	printf("%-12s %12llu %12llu %10llu %6llu %10llu %6.2f", class, (unsigned long long)a->received_pkts,
	       (unsigned long long)a->sent_pkts, (unsigned long long)account_dropped_pkts(a),
	       (unsigned long long)a->held_pkts, (unsigned long long)a->sent_late_pkts,
	       a->sent_pkts ? 100.0 * (double)a->sent_late_pkts / (double)a->sent_pkts : 0.0);
	for (int p = 0; p < PERCENTILES; p++)
		printf(" %9.1f", (double)percentile_ns(a, p) / 1e3);
	printf(" %9.1f\n", (double)a->latency_max_ns / 1e3);
}

struct stage_view {
	uint64_t up_ns, parks, rings, rescued_pkts;
	uint32_t pid, starts;
	const char *state;
};

/* One stage as its block says; relaxed loads, each field stands alone. */
static struct stage_view view_stage(const struct segment *seg, enum stage_id id)
{
	const struct stage_block *b = &seg->shared->stages[id];
	uint64_t started_ns = atomic_load_explicit(&b->started_at_ns, memory_order_relaxed);

	return (struct stage_view){
		.up_ns = started_ns && segment_stage_is_alive(seg, id) ? now_ns() - started_ns : 0,
		.parks = atomic_load_explicit(&b->parks, memory_order_relaxed),
		.rings = atomic_load_explicit(&b->rings, memory_order_relaxed),
		.rescued_pkts = atomic_load_explicit(&b->rescued_pkts, memory_order_relaxed),
		.pid = atomic_load_explicit(&b->pid, memory_order_relaxed),
		.starts = atomic_load_explicit(&b->generation, memory_order_relaxed),
		.state = segment_stage_state(seg, id),
	};
}

static void print_stages(const struct segment *seg)
{
	printf("\n%-12s %8s %-8s %10s %8s %12s %12s %9s\n", "stage", "pid", "state", "up (s)", "starts", "parks",
	       "rings", "rescued");
	for (int i = 0; i < N_STAGES; i++) {
		struct stage_view v = view_stage(seg, (enum stage_id)i);

		printf("%-12s %8u %-8s %10.1f %8u %12llu %12llu %9llu\n", stage_name((enum stage_id)i), v.pid, v.state,
		       (double)v.up_ns / 1e9, v.starts, (unsigned long long)v.parks, (unsigned long long)v.rings,
		       (unsigned long long)v.rescued_pkts);
	}
}

/* The last line: `balanced`, or which class is off by how much. Returns 1 if balanced. */
static int print_verdict(const struct segment *seg, const struct account *accounts)
{
	int balanced = 1;

	for (uint32_t i = 0; i < seg->n_classes; i++)
		if (accounts[i].unbalanced_pkts) {
			printf("%s %s by %+lld", balanced ? "NOT balanced:" : ",", class_name(seg, i),
			       (long long)accounts[i].unbalanced_pkts);
			balanced = 0;
		}
	puts(balanced ? "balanced" : "");
	return balanced;
}

static int print_table(const struct segment *seg, const struct account *accounts)
{
	printf("%-12s %12s %12s %10s %6s %10s %6s %9s %9s %9s %9s\n", "class", "received", "sent", "dropped", "held",
	       "sent late", "late%", "p50 (us)", "p99", "p99.9", "max");
	for (uint32_t i = 0; i < seg->n_classes; i++)
		print_class(&accounts[i], class_name(seg, i));
	for (uint32_t i = 0; i < seg->n_classes; i++)
		print_reasons(&accounts[i], class_name(seg, i));
	print_stages(seg);
	return print_verdict(seg, accounts);
}

static void print_json_class(const struct account *a, const char *class)
{
	char text[16];

	printf("{\"class\":\"%s\",\"received\":%llu,\"sent\":%llu,\"sent_bytes\":%llu,\"sent_late\":%llu,\"held\":%"
	       "llu,",
	       class, (unsigned long long)a->received_pkts, (unsigned long long)a->sent_pkts,
	       (unsigned long long)a->sent_bytes, (unsigned long long)a->sent_late_pkts,
	       (unsigned long long)a->held_pkts);
	printf("\"unbalanced\":%lld,\"refused_events\":%llu,\"dropped\":{", (long long)a->unbalanced_pkts,
	       (unsigned long long)a->refused_events);
	for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++)
		printf("%s\"%s\":%llu", r > 1 ? "," : "", drop_reason_name((enum drop_reason)r),
		       (unsigned long long)a->dropped_pkts[r]);
	printf("},\"send_errors\":{");
	for (int i = 0, n = 0; i < SEND_ERRNOS; i++)
		if (a->send_errno_pkts[i])
			printf("%s\"%s\":%llu", n++ ? "," : "", errno_name(a, i, text),
			       (unsigned long long)a->send_errno_pkts[i]);
	printf("},\"latency_ns\":{");
	for (int p = 0; p < PERCENTILES; p++)
		printf("\"%s\":%llu,", percentile_names[p], (unsigned long long)percentile_ns(a, p));
	printf("\"sum\":%llu,\"max\":%llu}}", (unsigned long long)a->latency_sum_ns,
	       (unsigned long long)a->latency_max_ns);
}

static int print_json(const struct segment *seg, const struct account *accounts, const char *instance)
{
	int balanced = 1;

	printf("{\"instance\":\"%s\",\"classes\":[", instance);
	for (uint32_t i = 0; i < seg->n_classes; i++) {
		printf("%s", i ? "," : "");
		print_json_class(&accounts[i], class_name(seg, i));
		balanced &= accounts[i].unbalanced_pkts == 0;
	}
	printf("],\"stages\":[");
	for (int i = 0; i < N_STAGES; i++) {
		struct stage_view v = view_stage(seg, (enum stage_id)i);

		printf("%s{\"stage\":\"%s\",\"pid\":%u,\"state\":\"%s\",\"up_ns\":%llu,\"starts\":%u,"
		       "\"parks\":%llu,\"rings\":%llu,\"rescued\":%llu}",
		       i ? "," : "", stage_name((enum stage_id)i), v.pid, v.state, (unsigned long long)v.up_ns,
		       v.starts, (unsigned long long)v.parks, (unsigned long long)v.rings,
		       (unsigned long long)v.rescued_pkts);
	}
	printf("],\"balanced\":%s}\n", balanced ? "true" : "false");
	return balanced;
}

static int show(const char *instance, int json)
{
	static struct account accounts[MAX_CLASSES];
	struct segment seg;
	char why[WHY_BYTES];
	int balanced;

	if (segment_observe(&seg, instance, why) || segment_lanes_are_sane(&seg, why)) {
		log_error("%s", why);
		return 1;
	}
	for (uint32_t i = 0; i < seg.n_classes; i++)
		if (account_read(&seg, i, &accounts[i])) {
			log_error("class %s: its counts never held still", class_name(&seg, i));
			return 1;
		}
	balanced = json ? print_json(&seg, accounts, instance) : print_table(&seg, accounts);
	segment_close(&seg);
	return balanced ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *instance = "default";
	int json = 0;

	log_set_name("stat");
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help();
			return 0;
		} else if (strcmp(argv[i], "--version") == 0) {
			printf("ontime %s\n", ONTIME_VERSION);
			return 0;
		} else if (strcmp(argv[i], "--json") == 0) {
			json = 1;
		} else if (strcmp(argv[i], "-i") == 0 && i + 1 < argc && strlen(argv[i + 1]) < INSTANCE_NAME_BYTES) {
			instance = argv[++i];
		} else if (strcmp(argv[i], "--once") != 0) {
			log_error("%s: unknown option; see stat --help", argv[i]);
			return 2;
		}
	}
	return show(instance, json);
}
