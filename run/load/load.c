/*
 * load.c - open-loop traffic source and sink: what did not come and why, what came twice, out of order or changed, and
 * how long it took.
 *
 * Rules:   open loop: each datagram has its send time from the start, and latency counts from that time, so a slow
 *          receiver cannot hide its delays. Sent means accepted by the kernel. How loss, duplicates and order are told:
 *          run/traffic/flow.h. What became of those that did not come, the relay is asked: named.h.
 * Source:  G. Tene, "How NOT to Measure Latency" (coordinated omission).
 */
#include <signal.h>
#include <stdio.h>

#include "csv.h"
#include "find.h"
#include "options.h"
#include "report.h"
#include "run.h"
#include "config/lookup.h"
#include "log.h"
#include "look/in_force.h"

#define STATUS_LOST 3 /* or twice, out of order, changed */

static volatile sig_atomic_t stop_asked;

static void on_signal(int sig)
{
	(void)sig;
	stop_asked = 1;
}

static int run_once(struct load *l, struct csv *csv)
{
	int status;

	if (load_ask(l))
		return 1;
	status = load_is_named(l) ? 0 : STATUS_LOST;
	if (l->options->json)
		report_json(l);
	else
		report_table(l);
	return csv_append(csv, l) ? 1 : status;
}

/* The classes to drive: those of a file, of the defaults, or of what an instance runs with. */
static int load_config(struct config *c, const struct load_options *o)
{
	char why[CONFIG_WHY_BYTES], path[PATH_BYTES], name[64], *argv[] = { NULL, name };

	if (o->instance && !o->file)
		return in_force_load(c, o->instance, 0, NULL);
	snprintf(name, sizeof(name), "--instance=%s", o->instance ? o->instance : "");
	if (config_load(c, lookup_config(o->file, path), o->instance ? 2 : 0, argv, why, sizeof(why)) == 0)
		return 0;
	config_log_refusals(why, "");
	return 2;
}

int main(int argc, char **argv)
{
	static struct load_options o;
	static struct config c;
	static struct load l;
	struct csv csv;
	struct sigaction act = { .sa_handler = on_signal };
	int status;

	log_set_name("load");
	status = options_parse(&o, argc, argv);
	if (status >= 0)
		return status;
	status = load_config(&c, &o);
	if (status)
		return status;
	sigaction(SIGINT, &act, NULL); /* without SA_RESTART: a sleep ends at once */
	sigaction(SIGTERM, &act, NULL);
	status = options_resolve(&o, &c);
	if (!status)
		status = csv_open(&csv, o.csv);
	if (!status)
		status = load_open(&l, &o, &c, &stop_asked);
	if (status)
		return status;
	return o.find_max ? find_max(&l, &csv) : run_once(&l, &csv);
}
