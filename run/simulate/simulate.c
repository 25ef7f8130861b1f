/* simulate.c - replay a trace through a policy: what would be in time, what late, what dropped and why. */
#include <string.h>

#include "config/value.h"
#include "log.h"
#include "report.h"
#include "units.h"
#include "version.h"

#define ANCESTOR_PKTS 16 /* depth of the queues of the program ontime descends from */

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
		if (model_run(&mine, t, o->overhead_ns, outcomes))
			return 1;
		if (o->json) {
			fputs(k ? "," : "[", stdout);
			report_json(&mine, outcomes, rivals[k].name);
			continue;
		}
		printf("%-24s", rivals[k].name);
		for (uint32_t i = 0; i < c->n_classes; i++) {
			offered += outcomes[i].offered;
			on_time += outcomes[i].on_time;
			if (outcomes[i].offered)
				printf(" %12.2f", report_percent(outcomes[i].on_time, outcomes[i].offered));
			else
				printf(" %12s", "-");
		}
		printf(" %12.2f\n", report_percent(on_time, offered));
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
	else if (!status && model_run(&c, &t, o.overhead_ns, outcomes))
		status = 1;
	else if (!status && o.per_packet)
		report_packets(&c, &t);
	else if (!status && o.json) {
		report_json(&c, outcomes, policy_name(c.policy));
		putchar('\n');
	} else if (!status)
		report_table(&c, outcomes);
	trace_free(&t);
	return status;
}
