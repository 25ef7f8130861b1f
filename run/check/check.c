/*
 * check.c - is this config right, and can its classes meet their deadlines at the rates it expects?
 *
 * Rules:   rates, bursts and service times come from the config (expected_*), or --measure takes rates and mean service
 *          times from the running instance. The config is looked at as for a launch: its host names are resolved, and
 *          its plugin must be there. The answer is feasible.h's, for policy edf; guarded protects the higher
 *          classes beyond that, at the cost of the lower ones. Where no work is done (work = none, and no
 *          expected_service) it is relay.h's.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "copies.h"
#include "cost.h"
#include "feasible.h"
#include "measure.h"
#include "guards.h"
#include "ports.h"
#include "relay.h"
#include "room.h"
#include "scouted.h"
#include "ways.h"
#include "clock.h"
#include "config/lookup.h"
#include "config/sharded.h"
#include "config/table.h"
#include "log.h"
#include "look/in_force.h"
#include "options/check.h"

#define EXIT_CANNOT 1
#define EXIT_USAGE 2
#define EXIT_INFEASIBLE 3
#define GLANCE_SECONDS 0.5 /* at an instance that runs, for what a packet costs it */

struct options {
	const char *file, *instance;
	double seconds; /* to measure; 0: not */
	int counterexample, print;
	int argc; /* the keys of the config */
	char **argv;
};

static void take_from_config(const struct config *c, struct feasible_class *classes)
{
	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct class_config *from = &c->classes[i];
		uint64_t margin_ns = config_margin_ns(from);

		classes[i] = (struct feasible_class){
			.service_ns = from->expected_service_ns,
			.period_ns = from->expected_pps ? NS_PER_S / from->expected_pps : 0,
			.deadline_ns = from->budget_ns == BUDGET_NONE ? NO_BOUND
				       : from->budget_ns > margin_ns  ? from->budget_ns - margin_ns
								      : 1,
			.burst_pkts = from->expected_burst_pkts,
		};
	}
}

/* Rates and mean service times of the running instance, in place of the config's. */
static void take_from_instance(const struct config *c, const struct measured *m, struct feasible_class *classes)
{
	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct measured_class *from = &m->classes[i];

		classes[i].period_ns =
			from->received_pkts ? (uint64_t)(m->seconds * 1e9 / (double)from->received_pkts) : 0;
		classes[i].service_ns = from->worked_pkts ? from->work_ns / from->worked_pkts : 0;
	}
}

/*
 * With --measure the instance has to run; else it is asked, if it does, what a packet costs it. 0, or 1 after a line.
 */
static int look_at_instance(const struct config *c, double seconds, struct feasible_class *classes, struct cost *cost)
{
	static struct measured m;
	char why[WHY_BYTES];
	int err = 0;

	*cost = cost_of(NULL);
	if (seconds > 0 || relay_is_plain(c, classes))
		err = measure(c, seconds > 0 ? seconds : GLANCE_SECONDS, &m, why);
	if (err && seconds > 0) {
		log_error("%s", why);
		return EXIT_CANNOT;
	}
	if (!err)
		*cost = cost_of(&m.seen);
	if (seconds > 0)
		take_from_instance(c, &m, classes);
	return 0;
}

static void print_time(const char *format, uint64_t ns)
{
	char text[32] = "-";

	if (ns != NO_BOUND)
		snprintf(text, sizeof(text), "%.1f", (double)ns / 1e3);
	printf(format, text);
}

/* The classes as one worker has them (feasible_share()). */
struct as_one {
	struct feasible_class classes[MAX_CLASSES];
	uint64_t sooner_ns; /* the deadlines there */
};

static uint64_t response_of(const struct config *c, const struct as_one *s, uint32_t class)
{
	uint64_t response_ns = feasible_response_ns(s->classes, c->n_classes, class);

	return response_ns == NO_BOUND ? NO_BOUND : response_ns + s->sooner_ns;
}

static void print_classes(const struct config *c, const struct feasible_class *classes, const struct as_one *s,
			  const struct feasible *f)
{
	printf("%-12s %10s %7s %13s %15s %8s %20s\n", "class", "pkts/s", "burst", "service (us)", "deadline (us)",
	       "load %", "worst response (us)");
	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct feasible_class *k = &classes[i];
		uint64_t response_ns = NO_BOUND;

		if (f->verdict != VERDICT_OVERLOAD && k->period_ns && k->service_ns && k->deadline_ns != NO_BOUND)
			response_ns = response_of(c, s, i);
		printf("%-12s %10.0f %7u", c->classes[i].name, k->period_ns ? 1e9 / (double)k->period_ns : 0.0,
		       k->burst_pkts);
		print_time(" %13s", k->service_ns);
		print_time(" %15s", k->deadline_ns);
		printf(" %8.2f", k->period_ns ? 100.0 * (double)k->service_ns / (double)k->period_ns : 0.0);
		print_time(" %20s\n", response_ns);
	}
}

/* What would make it fit, one change at a time. */
static void print_advice(const struct config *c, const struct as_one *s, const struct feasible *f)
{
	const struct feasible_class *classes = s->classes;
	uint32_t class = f->tightest_class;
	uint64_t response_ns = NO_BOUND, period_ns;

	if (f->verdict == VERDICT_MISSES) {
		response_ns = response_of(c, s, class);
		if (response_ns != NO_BOUND)
			printf("  it fits with: %s.budget of %.1f us and more\n", c->classes[class].name,
			       (double)(response_ns + config_margin_ns(&c->classes[class])) / 1e3);
		if (config_workers(c) == 1 && f->blocker < c->n_classes &&
		    classes[f->blocker].service_ns > (uint64_t)-f->slack_ns)
			printf("  less blocking by %s, whose packet of %.1f us cannot be interrupted, helps: %.1f us "
			       "and less\n",
			       c->classes[f->blocker].name, (double)classes[f->blocker].service_ns / 1e3,
			       ((double)classes[f->blocker].service_ns + (double)f->slack_ns) / 1e3);
	}
	for (uint32_t i = 0; i < c->n_classes; i++) {
		if (classes[i].period_ns == 0 || classes[i].service_ns == 0 || classes[i].deadline_ns == NO_BOUND)
			continue;
		period_ns = feasible_period_ns(classes, c->n_classes, i);
		if (period_ns != NO_BOUND && period_ns > classes[i].period_ns)
			printf("  it fits with: at most %.0f packets/s of %s\n", 1e9 / (double)period_ns,
			       c->classes[i].name);
	}
}

/* Overload: some time after which more was due than could be done. */
static uint64_t overdue_ns(const struct feasible_class *c, uint32_t n)
{
	for (uint64_t t = NS_PER_MS;; t *= 2) {
		uint64_t due_ns = 0;

		for (uint32_t i = 0; i < n; i++)
			if (c[i].period_ns && c[i].deadline_ns <= t)
				due_ns += c[i].service_ns * (c[i].burst_pkts + (t - c[i].deadline_ns) / c[i].period_ns);
		if (due_ns > t || t > 3600 * NS_PER_S)
			return t;
	}
}

/* The worst arrivals: the blocker's packet begins, and a nanosecond later all else comes as early as it may. */
static void print_counterexample(const struct config *c, const struct feasible_class *classes, const struct feasible *f)
{
	uint64_t next_ns[MAX_CLASSES] = { NO_BOUND }, until_ns;
	uint32_t burst[MAX_CLASSES];

	until_ns = f->verdict == VERDICT_OVERLOAD ? overdue_ns(classes, c->n_classes) : f->tightest_ns;
	puts("arrival_ns,class,bytes,service_ns");
	for (uint32_t i = 0; i < c->n_classes; i++) {
		next_ns[i] = classes[i].period_ns && classes[i].service_ns && i != f->blocker ? 1 : NO_BOUND;
		burst[i] = classes[i].burst_pkts;
	}
	if (f->blocker < c->n_classes)
		printf("0,%s,100,%" PRIu64 "\n", c->classes[f->blocker].name, classes[f->blocker].service_ns);
	for (;;) {
		uint32_t first = 0;

		for (uint32_t i = 1; i < c->n_classes; i++)
			first = next_ns[i] < next_ns[first] ? i : first;
		if (next_ns[first] > until_ns)
			return;
		printf("%" PRIu64 ",%s,100,%" PRIu64 "\n", next_ns[first], c->classes[first].name,
		       classes[first].service_ns);
		if (--burst[first] == 0) {
			next_ns[first] += classes[first].period_ns;
			burst[first] = 1;
		}
	}
}

static int decide_counterexample(const struct config *c, const struct feasible_class *classes, const struct feasible *f)
{
	if (f->verdict == VERDICT_MISSES || f->verdict == VERDICT_OVERLOAD)
		print_counterexample(c, classes, f);
	else
		log_info(f->verdict == VERDICT_FITS ? "it fits: there is no counterexample"
						    : "no counterexample was found");
	return f->verdict == VERDICT_FITS ? 0 : EXIT_INFEASIBLE;
}

/* No work is done: a packet takes what it costs the relay. */
static int decide_plain(const struct config *c, struct feasible_class *classes, const struct cost *cost,
			int counterexample)
{
	struct feasible f;

	if (!counterexample)
		return relay_decide(c, classes, cost) ? 0 : EXIT_INFEASIBLE;
	for (uint32_t i = 0; i < c->n_classes; i++)
		classes[i].service_ns = cost->packet_ns;
	feasible_check(classes, c->n_classes, &f);
	return decide_counterexample(c, classes, &f);
}

static int decide(const struct config *c, struct feasible_class *classes, const struct cost *cost, int counterexample)
{
	static struct as_one shared;
	struct feasible f;
	uint32_t said = 0;

	if (relay_is_plain(c, classes))
		return decide_plain(c, classes, cost, counterexample);
	if (counterexample && config_workers(c) > 1) {
		log_error("the worst arrivals are known for one worker, and the config has workers = %u: simulate it",
			  config_workers(c));
		return EXIT_USAGE;
	}
	memcpy(shared.classes, classes, sizeof(shared.classes));
	shared.sooner_ns = feasible_share(shared.classes, c->n_classes, config_workers(c));
	for (uint32_t i = 0; i < c->n_classes; i++)
		said += classes[i].period_ns && classes[i].service_ns && classes[i].deadline_ns != NO_BOUND;
	feasible_check(shared.classes, c->n_classes, &f);
	if (counterexample)
		return decide_counterexample(c, classes, &f);
	printf("of %s:\n", c->file[0] ? c->file : "the defaults");
	print_classes(c, classes, &shared, &f);
	if (said == 0) {
		puts("the config is right; no rates and service times of classes with a deadline are known: give "
		     "expected_pps "
		     "and expected_service, or --measure while packets are worked on");
		return 0;
	}
	if (config_workers(c) > sysconf(_SC_NPROCESSORS_ONLN))
		printf("note: this supposes a CPU for each of %u workers, and %ld are here\n", config_workers(c),
		       sysconf(_SC_NPROCESSORS_ONLN));
	printf("load %.2f %%%s; ", (double)f.load_ppm / 1e4,
	       config_workers(c) > 1 ? " of what all workers can do" : "");
	if (f.verdict == VERDICT_FITS && f.points == 0) {
		puts("it fits: every deadline is longer than the longest busy period");
		return 0;
	}
	if (f.verdict != VERDICT_OVERLOAD && config_workers(c) == 1)
		printf("tightest: a packet of %s due %.1f us after the worst moment, with %.1f us of work before "
		       "(slack %.1f us); ",
		       c->classes[f.tightest_class].name, (double)f.tightest_ns / 1e3, (double)f.demand_ns / 1e3,
		       (double)f.slack_ns / 1e3);
	if (f.verdict == VERDICT_FITS) {
		puts("it fits");
		return 0;
	}
	puts(f.verdict == VERDICT_OVERLOAD			     ? "it does not fit: there is more work than time"
	     : f.verdict == VERDICT_MISSES && config_workers(c) == 1 ? "it does not fit"
	     : f.verdict == VERDICT_MISSES
		     ? "not shown to fit, as several workers go; build/simulate shows what happens"
		     : "not shown to fit: the load is too close to 100 %");
	print_advice(c, &shared, &f);
	return EXIT_INFEASIBLE;
}

/* -1: go on, else the exit status. */
static int parse(struct options *o, int argc, char **argv)
{
	static char name[64];
	void *const places[N_COMMAND_OPTIONS] = {
		[OPTION_CONFIG] = &o->file,	[OPTION_INSTANCE] = &o->instance,
		[OPTION_MEASURE] = &o->seconds, [OPTION_COUNTEREXAMPLE] = &o->counterexample,
		[OPTION_PRINT] = &o->print,
	};
	struct command_line line;
	int status;

	command_open(&line, &command, argc, argv, places, option_changes);
	status = command_read(&line, NULL);
	if (o->file && o->instance) { /* of the words they were given in one is free */
		snprintf(name, sizeof(name), "--instance=%s", o->instance);
		line.argv[line.argc++] = name;
	}
	o->argc = line.argc;
	o->argv = line.argv;
	return status;
}

/*
 * The config, as a launch would take it, or as an instance has it. 0, or the exit status after a line for each reason.
 */
static int load(struct config *c, const struct options *o)
{
	static struct hosts hosts = { .ask = hosts_ask_resolver };
	char top[PATH_BYTES], path[PATH_BYTES], why[CONFIG_WHY_BYTES];
	struct config_source source = { lookup_config(o->file, path), o->argc, o->argv, &hosts, top, 0 };
	int err;

	if (o->instance && !o->file)
		return in_force_load(c, o->instance, o->argc, o->argv);
	lookup_top(top);
	err = config_load_as(c, &source, why, sizeof(why));
	if (err)
		config_log_refusals(why, "");
	else
		config_log_hosts(c, &hosts);
	return err == -EAGAIN ? EXIT_CANNOT : err ? EXIT_USAGE : 0;
}

/* With several shards one of them is judged: an even part of each class comes to it, and any of its bursts whole. */
static void take_part(struct config *c, struct feasible_class *classes, int counterexample)
{
	uint32_t n = sharded_count(c);

	for (uint32_t i = 0; i < c->n_classes; i++)
		classes[i].period_ns *= n;
	sharded_take_part(c, n);
	if (n > 1 && !counterexample)
		printf("note: this is one of %u shards, to which one packet in %u of each class comes, and its bursts "
		       "whole; a CPU for each is supposed, and %ld are here\n",
		       n, n, sysconf(_SC_NPROCESSORS_ONLN));
}

int main(int argc, char **argv)
{
	static struct feasible_class classes[MAX_CLASSES];
	static struct config c;
	struct options o = { 0 };
	struct cost cost;
	int status;

	log_set_name("check");
	status = parse(&o, argc, argv);
	if (status >= 0)
		return status;
	status = load(&c, &o);
	if (status)
		return status;
	if (o.print) {
		config_print(&c, stdout);
		return 0;
	}
	take_from_config(&c, classes);
	if (!o.counterexample) {
		ports_print(&c);
		scouted_print(&c);
		guards_print(&c);
		ways_print(&c);
		copies_print(&c);
	}
	status = look_at_instance(&c, o.seconds, classes, &cost);
	take_part(&c, classes, o.counterexample);
	if (!status)
		status = decide(&c, classes, &cost, o.counterexample);
	if (!o.counterexample && !room_print(&c) && status == 0)
		status = EXIT_INFEASIBLE;
	return status;
}
