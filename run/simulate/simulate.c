/* simulate.c - replay a trace through a policy: what would be in time, what late, what dropped and why. */
#include <string.h>

#include "config/lookup.h"
#include "config/reply.h"
#include "config/sharded.h"
#include "config/table.h"
#include "edf/simulated.h"
#include "log.h"
#include "look/in_force.h"
#include "options/simulate.h"
#include "report.h"
#include "shards.h"
#include "traffic/capture.h"
#include "units.h"

#define ANCESTOR_PKTS 16 /* depth of the queues of the program ontime descends from */

struct options {
	const char *file, *pcap; /* the trace, as CSV or as a capture */
	uint64_t service_ns; /* of a capture: how long the work on each packet takes; UINT64_MAX: by the config */
	const char *config, *instance;
	int json, compare, per_packet, margins;
	struct model_setting setting;
	uint64_t n_workers, n_shards; /* 0: as the config has it */
	uint32_t shards;
	int class_by; /* how a capture says which class a packet is of: port */
};

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
		if (shards_run(&mine, t, &o->setting, o->shards, outcomes))
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
static int parse_time(uint64_t *to, const char *name, const char *text)
{
	const struct option time = { .key = name, .kind = &kind_time, .bytes = sizeof(*to), .max = NS_PER_S };
	char reason[REASON_BYTES];

	if (!text || value_parse(&time, to, text, NULL, reason) == 0)
		return 0;
	log_error("--%s %s: %s", name, text, reason);
	return EXIT_USAGE;
}

/* Which trace there is. -1: go on, else the exit status. */
static int check_trace(const struct options *o, const char *service)
{
	if (!o->file && !o->pcap)
		log_error("which trace? see %s --help", command.name);
	else if (o->file && o->pcap)
		log_error("%s and --pcap %s: one trace; see %s --help", o->file, o->pcap, command.name);
	else if (service && !o->pcap)
		log_error("--service: a trace in CSV says it for each packet; it goes with --pcap");
	else
		return -1;
	return EXIT_USAGE;
}

/* -1: go on, else the exit status. `line` keeps the keys of the config. */
static int parse(struct options *o, struct command_line *line, int argc, char **argv)
{
	const char *overhead = NULL, *service = NULL;
	void *const places[N_COMMAND_OPTIONS] = {
		[OPTION_CONFIG] = &o->config,	  [OPTION_INSTANCE] = &o->instance,
		[OPTION_COMPARE] = &o->compare,	  [OPTION_PER_PACKET] = &o->per_packet,
		[OPTION_OVERHEAD] = &overhead,	  [OPTION_MARGINS] = &o->margins,
		[OPTION_JSON] = &o->json,	  [OPTION_WORKERS] = &o->n_workers,
		[OPTION_SHARDS] = &o->n_shards,	  [OPTION_PCAP] = &o->pcap,
		[OPTION_CLASS_BY] = &o->class_by, [OPTION_SERVICE] = &service,
	};
	int status;

	command_open(line, &command, argc, argv, places, option_changes);
	status = command_read(line, &o->file);
	if (status >= 0)
		return status;
	for (int i = 1; i < line->argc; i++)
		o->margins |= strstr(line->argv[i], ".margin=") != NULL; /* who gives one means it */
	o->service_ns = UINT64_MAX;
	if (parse_time(&o->setting.overhead_ns, "overhead", overhead) || parse_time(&o->service_ns, "service", service))
		return EXIT_USAGE;
	return check_trace(o, service);
}

static int load(struct config *c, const struct options *o, const struct command_line *line)
{
	static struct hosts hosts; /* nobody is asked: nothing is sent */
	char why[CONFIG_WHY_BYTES], path[PATH_BYTES];
	struct config_source source = {
		.file = lookup_config(o->config, path), .argc = line->argc, .argv = line->argv, .hosts = &hosts
	};

	if (o->instance && !o->config)
		return in_force_load(c, o->instance, line->argc, line->argv);
	if (config_load_as(c, &source, why, sizeof(why)) == 0)
		return 0;
	config_log_refusals(why, "");
	return EXIT_USAGE;
}

/* The trace: a capture does not say how long the work on a packet takes. */
static int read_trace(struct trace *t, const struct options *o, const struct config *c)
{
	int status = o->pcap ? capture_read(t, o->pcap, c, 0, 1) : trace_read(t, o->file, c);

	for (size_t i = 0; o->pcap && !status && i < t->n; i++)
		if (o->service_ns != UINT64_MAX)
			t->packets[i].service_ns = o->service_ns;
		else if (c->work == WORK_SIMULATE)
			t->packets[i].service_ns = work_simulated_ns(t->packets[i].bytes);
	return status;
}

/* A way back takes part as any class does, when the trace has its packets. */
static void tell_missing(const struct config *c, const struct outcome *outcomes)
{
	for (uint32_t i = 0; i < c->n_classes; i++) {
		int forth = reply_forth(c, i);

		if (forth >= 0 && outcomes[i].offered == 0 && outcomes[forth].offered)
			log_warn(
				"the trace has no packet of class %s, the replies of class %s: it is simulated without "
				"them",
				c->classes[i].name, c->classes[forth].name);
	}
}

/* What the trace cannot say is no silence: the answer would look like one about these keys. */
static void tell_limits(const struct config *c, const struct trace *t, int is_capture)
{
	for (uint32_t i = 0; i < c->n_classes; i++) {
		if (c->classes[i].match.n && !is_capture)
			log_info("class %s: match: the trace says which class a packet is of, and no rule is asked",
				 c->classes[i].name);
		if (c->classes[i].ecn == ECN_MARK && !t->has_tos)
			log_info("class %s: ecn = mark: the trace has no fifth column, tos, so nothing is marked; 2 is "
				 "a packet whose sender knows ECN",
				 c->classes[i].name);
	}
}

int main(int argc, char **argv)
{
	static struct outcome outcomes[MAX_CLASSES];
	static struct config c;
	struct options o = { 0 };
	struct trace t = { 0 };
	struct command_line line;
	int status;

	log_set_name("simulate");
	status = parse(&o, &line, argc, argv);
	if (status >= 0)
		return status;
	status = load(&c, &o, &line);
	if (status)
		return status;
	o.setting.n_workers = o.n_workers ? (uint32_t)o.n_workers : config_workers(&c);
	o.shards = o.n_shards ? (uint32_t)o.n_shards : sharded_count(&c);
	if (o.shards > 1)
		log_info("%u shards: the trace does not say who sent a packet: chance gives each to one of them",
			 o.shards);
	for (uint32_t i = 0; i < c.n_classes && !o.margins; i++)
		c.classes[i].margin_ns = 0;
	status = read_trace(&t, &o, &c);
	if (!status)
		tell_limits(&c, &t, o.pcap != NULL);
	if (!status && o.compare)
		status = compare(&o, &c, &t);
	else if (!status && shards_run(&c, &t, &o.setting, o.shards, outcomes))
		status = 1;
	else if (!status && o.per_packet)
		report_packets(&c, &t);
	else if (!status && o.json) {
		report_json(&c, outcomes, policy_name(c.policy));
		putchar('\n');
	} else if (!status)
		report_table(&c, outcomes, &t);
	if (!status && !o.compare)
		tell_missing(&c, outcomes);
	trace_free(&t);
	return status;
}
