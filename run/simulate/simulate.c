/*
 * simulate.c - replay a trace through a policy: what would be in time, what late, what dropped and why.
 *
 * Rules:   the edf stage's own plan (edf/plan.h) on a virtual clock, one worker, service times from the trace. Packets
 *          wait in an unbounded socket until the class has room (ingress_to_edf); egress is taken to be instant, so
 *          that nothing needs a margin unless one is asked for. Arrivals during a service are seen when it ends, or
 *          after the slice, as in the stage.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edf/plan.h"
#include "clock.h"
#include "config/value.h"
#include "histogram.h"
#include "traffic/trace.h"
#include "log.h"
#include "version.h"

#define ANCESTOR_PKTS 16 /* depth of the queues of the program ontime descends from */

/* What became of one class. */
struct outcome {
	uint64_t offered, on_time, late;
	uint64_t dropped[N_DROP_REASONS];
	uint64_t latency[HISTOGRAM_BUCKETS];
};

/* A class's packets on their way: in the socket [head_of_lane + queued, ...), in the lane before that. */
struct line {
	uint32_t *waiting; /* indices into the trace, in order of arrival */
	size_t first, queued, last;
};

struct options {
	const char *file;
	int json, compare, per_packet, margins;
	uint64_t overhead_ns; /* between two packets */
};

static void print_help(void)
{
	puts("simulate - replay a trace through a scheduling policy.\n\n"
	     "usage: simulate [-c FILE] [--policy POLICY] [--compare] [--per-packet] [--json] [--KEY=VALUE]... "
	     "TRACE\n\n"
	     "  TRACE          CSV with the columns arrival_ns,class,bytes,service_ns, sorted; - reads standard input\n"
	     "  -c FILE        classes, budgets, limits (default: the built-in four classes)\n"
	     "  --policy P     edf, edf-drop or guarded; short for --policy=P. Any option of the config is accepted\n"
	     "  --compare      all policies side by side, and the ancestor's: edf with queues of 16, newest dropped\n"
	     "  --per-packet   the fate of each packet instead of the sums\n"
	     "  --overhead T   time the stage needs between two packets, such as 15us (default 0us)\n"
	     "  --margins      keep the margins of the config; else they are 0, since nothing comes after edf here\n"
	     "  --json         one JSON object instead of the table\n\n"
	     "examples: build/simulate --compare trace.csv\n"
	     "          build/simulate --policy guarded --evict=largest --json trace.csv\n\n"
	     "Exit status: 0 done, 1 cannot run, 2 usage, configuration or a bad trace.");
}

struct simulation {
	const struct config *config;
	uint64_t overhead_ns;
	struct trace *trace;
	size_t next; /* packet of the trace that arrives next */
	struct line lines[MAX_CLASSES];
	uint32_t room_pkts[MAX_CLASSES]; /* behind edf: egress is instant */
	struct plan plan;
};

static uint64_t deadline_of(const struct config *c, const struct packet *p)
{
	uint64_t budget_ns = c->classes[p->class].budget_ns;

	return budget_ns == BUDGET_NONE ? NO_DEADLINE : p->arrival_ns + budget_ns;
}

/* Ingress: from the socket into the lane, as far as there is room. */
static void fill_lane(struct simulation *s, uint32_t class, uint64_t now)
{
	struct line *l = &s->lines[class];
	uint32_t limit = s->config->classes[class].ingress_to_edf_pkts;

	while (l->queued < l->last && l->queued - l->first < limit) {
		struct packet *p = &s->trace->packets[l->waiting[l->queued++]];

		plan_arrive(&s->plan, class, now, deadline_of(s->config, p), p->bytes, 0);
	}
}

/* All that has arrived by now. */
static void let_arrive(struct simulation *s, uint64_t now)
{
	struct trace *t = s->trace;

	for (; s->next < t->n && t->packets[s->next].arrival_ns <= now; s->next++) {
		struct packet *p = &t->packets[s->next];
		struct line *l = &s->lines[p->class];

		if (s->config->full == FULL_DROP &&
		    l->last - l->first >= s->config->classes[p->class].ingress_to_edf_pkts)
			p->drop = DROP_INGRESS_FULL;
		else
			l->waiting[l->last++] = (uint32_t)s->next;
		fill_lane(s, p->class, now);
	}
}

static uint64_t carry_out(struct simulation *s, struct edf_choice choice, uint64_t now);

/* Work on a packet, slice by slice; what must go before it goes between two of them. Returns the time then. */
static uint64_t serve(struct simulation *s, uint32_t class, const struct packet *p, uint64_t now)
{
	uint64_t slice_ns = s->config->slice_ns, left_ns = p->service_ns;
	uint64_t predicted_ns = plan_start(&s->plan, class);

	while (slice_ns && left_ns > slice_ns) {
		struct edf_choice other;
		uint64_t done_ns;

		now += slice_ns;
		left_ns -= slice_ns;
		done_ns = p->service_ns - left_ns;
		plan_progress(&s->plan, class, predicted_ns > done_ns ? predicted_ns - done_ns : 0);
		do {
			let_arrive(s, now);
			other = plan_interrupt(&s->plan, class, now, s->room_pkts);
			if (other.class >= 0)
				now = carry_out(s, other, now);
		} while (other.class >= 0);
	}
	return now + left_ns;
}

/* Serve or drop the head of a class; returns the time then. */
static uint64_t carry_out(struct simulation *s, struct edf_choice choice, uint64_t now)
{
	uint32_t class = (uint32_t)choice.class;
	struct line *l = &s->lines[class];
	struct packet *p = &s->trace->packets[l->waiting[l->first]];

	p->drop = (uint8_t)choice.drop;
	if (choice.drop == DROP_NONE) {
		p->done_ns = now = serve(s, class, p, now);
		plan_learn(&s->plan, class, now, p->bytes, p->service_ns);
		if (s->config->late == LATE_DROP && now > deadline_of(s->config, p))
			p->drop = DROP_LATE_EGRESS;
		now += s->overhead_ns;
	}
	plan_take(&s->plan, class);
	l->first++;
	fill_lane(s, class, now);
	return now;
}

static int open_simulation(struct simulation *s, const struct config *c, struct trace *t, uint64_t overhead_ns)
{
	struct plan_entry *entries[MAX_CLASSES] = { NULL };
	uint32_t slots[MAX_CLASSES];

	memset(s, 0, sizeof(*s));
	s->config = c;
	s->trace = t;
	s->overhead_ns = overhead_ns;
	for (uint32_t i = 0; i < c->n_classes; i++) {
		slots[i] = config_slots_pkts(&c->classes[i]);
		s->room_pkts[i] = UINT32_MAX;
		entries[i] = calloc(slots[i], sizeof(*entries[i]));
		s->lines[i].waiting = calloc(t->n + 1, sizeof(uint32_t));
		if (!entries[i] || !s->lines[i].waiting)
			return -ENOMEM;
	}
	plan_init(&s->plan, c, entries, slots);
	return 0;
}

static void close_simulation(struct simulation *s)
{
	for (uint32_t i = 0; i < s->config->n_classes; i++) {
		free(s->plan.classes[i].entries);
		free(s->lines[i].waiting);
	}
}

static void tell(struct outcome *out, const struct config *c, const struct packet *p)
{
	uint64_t latency_ns = p->done_ns - p->arrival_ns;

	out->offered++;
	if (p->drop != DROP_NONE) {
		out->dropped[p->drop]++;
		return;
	}
	out->latency[histogram_bucket(latency_ns)]++;
	if (p->done_ns <= deadline_of(c, p))
		out->on_time++;
	else
		out->late++;
}

/* The whole trace; outcomes[MAX_CLASSES]. 0 or -ENOMEM. */
static int simulate(const struct config *c, struct trace *t, uint64_t overhead_ns, struct outcome *outcomes)
{
	static struct simulation s;
	uint64_t now = t->n ? t->packets[0].arrival_ns : 0;

	if (open_simulation(&s, c, t, overhead_ns))
		return -ENOMEM;
	for (;;) {
		struct edf_choice choice;

		let_arrive(&s, now);
		choice = plan_choose(&s.plan, now, s.room_pkts);
		if (choice.class >= 0)
			now = carry_out(&s, choice, now);
		else if (s.next < t->n)
			now = t->packets[s.next].arrival_ns;
		else
			break;
	}
	memset(outcomes, 0, MAX_CLASSES * sizeof(*outcomes));
	for (size_t i = 0; i < t->n; i++)
		tell(&outcomes[t->packets[i].class], c, &t->packets[i]);
	close_simulation(&s);
	return 0;
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0.0;
}

static void print_table(const struct config *c, const struct outcome *outcomes)
{
	printf("%-12s %9s %9s %7s %7s %9s %10s %10s %10s  %s\n", "class", "offered", "on time", "%", "late", "dropped",
	       "p50 (us)", "p99", "p99.9", "reasons");
	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct outcome *o = &outcomes[i];

		if (o->offered == 0)
			continue;
		printf("%-12s %9" PRIu64 " %9" PRIu64 " %7.2f %7" PRIu64 " %9" PRIu64 " %10.1f %10.1f %10.1f ",
		       c->classes[i].name, o->offered, o->on_time, percent(o->on_time, o->offered), o->late,
		       o->offered - o->on_time - o->late, (double)histogram_percentile(o->latency, 500000) / 1e3,
		       (double)histogram_percentile(o->latency, 990000) / 1e3,
		       (double)histogram_percentile(o->latency, 999000) / 1e3);
		for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++)
			if (o->dropped[r])
				printf(" %s %" PRIu64, drop_reason_name((enum drop_reason)r), o->dropped[r]);
		putchar('\n');
	}
}

static void print_json(const struct config *c, const struct outcome *outcomes, const char *policy)
{
	const char *between = "";

	printf("{\"policy\":\"%s\",\"classes\":[", policy);
	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct outcome *o = &outcomes[i];
		const char *comma = "";

		if (o->offered == 0)
			continue;
		printf("%s{\"class\":\"%s\",\"offered\":%" PRIu64 ",\"on_time\":%" PRIu64 ",\"late\":%" PRIu64
		       ",\"dropped\":{",
		       between, c->classes[i].name, o->offered, o->on_time, o->late);
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

static void print_packets(const struct config *c, const struct trace *t)
{
	puts("arrival_ns,class,bytes,fate,latency_ns");
	for (size_t i = 0; i < t->n; i++) {
		const struct packet *p = &t->packets[i];
		const char *fate = p->drop			     ? drop_reason_name((enum drop_reason)p->drop)
				   : p->done_ns <= deadline_of(c, p) ? "on_time"
								     : "late_sent";

		printf("%" PRIu64 ",%s,%u,%s,%" PRIu64 "\n", p->arrival_ns, c->classes[p->class].name, p->bytes, fate,
		       p->drop ? 0 : p->done_ns - p->arrival_ns);
	}
}

/* A row of --compare: a name and how it differs from the config. */
struct rival {
	const char *name;
	enum policy policy;
	enum evict evict;
	int is_ancestor;
};

static void apply_rival(const struct rival *r, struct config *c)
{
	c->policy = r->policy;
	c->evict = r->evict;
	if (!r->is_ancestor)
		return;
	c->full = FULL_DROP;
	for (uint32_t i = 0; i < c->n_classes; i++)
		c->classes[i].ingress_to_edf_pkts = ANCESTOR_PKTS;
}

static int compare(const struct options *o, const struct config *c, struct trace *t)
{
	static const struct rival rivals[] = {
		{ "ancestor", POLICY_EDF, EVICT_NEWEST, 1 },
		{ "edf", POLICY_EDF, EVICT_NEWEST, 0 },
		{ "edf-drop", POLICY_EDF_DROP, EVICT_NEWEST, 0 },
		{ "guarded", POLICY_GUARDED, EVICT_NEWEST, 0 },
		{ "guarded, evict largest", POLICY_GUARDED, EVICT_LARGEST, 0 },
	};
	static struct outcome outcomes[MAX_CLASSES];
	const size_t n_rivals = sizeof(rivals) / sizeof(rivals[0]);

	if (!o->json) {
		printf("%% on time of offered\n%-24s", "policy");
		for (uint32_t i = 0; i < c->n_classes; i++)
			printf(" %12s", c->classes[i].name);
		printf(" %12s\n", "all");
	}
	for (size_t k = 0; k < n_rivals; k++) {
		struct config mine = *c;
		uint64_t offered = 0, on_time = 0;

		apply_rival(&rivals[k], &mine);
		if (simulate(&mine, t, o->overhead_ns, outcomes))
			return 1;
		if (o->json) {
			fputs(k ? "," : "[", stdout);
			print_json(&mine, outcomes, rivals[k].name);
			continue;
		}
		printf("%-24s", rivals[k].name);
		for (uint32_t i = 0; i < c->n_classes; i++) {
			offered += outcomes[i].offered;
			on_time += outcomes[i].on_time;
			printf(" %12.2f", percent(outcomes[i].on_time, outcomes[i].offered));
		}
		printf(" %12.2f\n", percent(on_time, offered));
	}
	if (o->json)
		puts("]");
	return 0;
}

/* A time with its unit, as the config has them. 0, or the exit status after one line. */
static int parse_overhead(struct options *o, const char *text)
{
	const struct option time = {
		.key = "overhead", .kind = &kind_time, .bytes = sizeof(o->overhead_ns), .max = NS_PER_S
	};
	char reason[REASON_BYTES];

	if (value_parse(&time, &o->overhead_ns, text, NULL, reason) == 0)
		return 0;
	log_error("--overhead %s: %s", text, reason);
	return EXIT_USAGE;
}

/* Takes simulate's own words out of argv; the rest is the config's. -1: go on, else the exit status. */
static int parse(struct options *o, int *argc, char **argv, const char **config_file)
{
	static char policy[64];
	int n = 1;

	for (int i = 1; i < *argc; i++) {
		const char *word = argv[i];

		if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
			print_help();
			return 0;
		} else if (strcmp(word, "--version") == 0) {
			printf("ontime %s\n", ONTIME_VERSION);
			return 0;
		} else if (strcmp(word, "--json") == 0) {
			o->json = 1;
		} else if (strcmp(word, "--compare") == 0) {
			o->compare = 1;
		} else if (strcmp(word, "--per-packet") == 0) {
			o->per_packet = 1;
		} else if (strcmp(word, "--margins") == 0) {
			o->margins = 1;
		} else if (strcmp(word, "--overhead") == 0 && i + 1 < *argc) {
			if (parse_overhead(o, argv[++i]))
				return EXIT_USAGE;
		} else if (strcmp(word, "-c") == 0 && i + 1 < *argc) {
			*config_file = argv[++i];
		} else if (strcmp(word, "--policy") == 0 && i + 1 < *argc) {
			snprintf(policy, sizeof(policy), "--policy=%s", argv[++i]);
			argv[n++] = policy;
		} else if (strncmp(word, "--", 2) == 0) {
			o->margins |= strstr(word, ".margin=") != NULL; /* who gives one means it */
			argv[n++] = argv[i];
		} else if (!o->file) {
			o->file = word;
		} else {
			log_error("%s: one trace at a time; see simulate --help", word);
			return EXIT_USAGE;
		}
	}
	*argc = n;
	if (o->file)
		return -1;
	log_error("which trace? see simulate --help");
	return EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static struct outcome outcomes[MAX_CLASSES];
	static struct config c;
	struct options o = { 0 };
	struct trace t = { 0 };
	const char *config_file = NULL;
	static struct hosts hosts; /* nobody is asked: nothing is sent */
	struct config_source source = { .hosts = &hosts };
	char why[CONFIG_WHY_BYTES];
	int status;

	log_set_name("simulate");
	status = parse(&o, &argc, argv, &config_file);
	if (status >= 0)
		return status;
	source.file = config_file;
	source.argc = argc;
	source.argv = argv;
	if (config_load_as(&c, &source, why, sizeof(why))) {
		config_log_refusals(why, "");
		return EXIT_USAGE;
	}
	for (uint32_t i = 0; i < c.n_classes && !o.margins; i++)
		c.classes[i].margin_ns = 0;
	status = trace_read(&t, o.file, &c);
	if (!status && o.compare)
		status = compare(&o, &c, &t);
	else if (!status && simulate(&c, &t, o.overhead_ns, outcomes))
		status = 1;
	else if (!status && o.per_packet)
		print_packets(&c, &t);
	else if (!status && o.json) {
		print_json(&c, outcomes, policy_name(c.policy));
		putchar('\n');
	} else if (!status)
		print_table(&c, outcomes);
	trace_free(&t);
	return status;
}
