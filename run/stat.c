/*
 * stat.c - watch a running instance: live, as a table, as JSON, as a recording.
 *
 * Rules:   maps the segment read-only; each class is read at one instant (account.h). Status 1 when an identity is broken.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "stat_json.h"
#include "stat_live.h"
#include "stat_stream.h"
#include "stat_table.h"
#include "version.h"

struct options {
	const char *instance;
	const char *record; /* NULL: no recording */
	uint64_t interval_ns; /* 0: not given */
	int once, json;
};

static void print_help(void)
{
	puts("stat - watch a running instance: what came, went, was late or dropped, and why.\n\n"
	     "usage: stat [OPTIONS]                 live, on a terminal; ? shows the keys\n"
	     "       stat [OPTIONS] --once          a table; also without a terminal\n"
	     "       stat [OPTIONS] --json          one JSON object; with --interval a stream\n"
	     "       stat [OPTIONS] --record FILE   append a JSON line an interval until ended\n\n"
	     "  -i INSTANCE    which instance (default: default)\n"
	     "  --interval S   seconds between looks, 0.1 to 60 (default 1)\n"
	     "  --record FILE  all counts, each interval's percentiles, no histograms:\n"
	     "                 about 1 KB a class and line; goes on over restarts, relaunches\n"
	     "  --version      print the version\n\n"
	     "received = sent + dropped + held: the last line says balanced, or what is not.\n\n"
	     "examples: build/stat\n"
	     "          build/stat -i stress --json | jq .classes[0].sent\n"
	     "          build/stat --record incident.jsonl --interval 0.5\n\n"
	     "Exit status: 0 balanced, or asked to end; 1 not balanced, not running, or it\n"
	     "cannot write; 2 usage, or a terminal that cannot show it.");
}

static int parse_interval(const char *text, uint64_t *out)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end || !(seconds >= 0.1 && seconds <= 60)) {
		log_error("--interval %s: use seconds from 0.1 to 60", text);
		return -EINVAL;
	}
	*out = (uint64_t)(seconds * 1e9);
	return 0;
}

/* One option and its value; returns how many words it took, or -EINVAL after it said why. */
static int parse_option(struct options *o, const char *word, const char *value)
{
	if (strcmp(word, "--once") == 0)
		return o->once = 1;
	if (strcmp(word, "--json") == 0)
		return o->json = 1;
	if (strcmp(word, "-i") && strcmp(word, "--interval") && strcmp(word, "--record")) {
		log_error("%s: unknown option; see stat --help", word);
		return -EINVAL;
	}
	if (!value || !*value) {
		log_error("%s: it needs a value; see stat --help", word);
		return -EINVAL;
	}
	if (strcmp(word, "--interval") == 0)
		return parse_interval(value, &o->interval_ns) ? -EINVAL : 2;
	if (strcmp(word, "--record") == 0)
		o->record = value;
	else if (strlen(value) < INSTANCE_NAME_BYTES)
		o->instance = value;
	else {
		log_error("-i %s: a name has at most %d characters", value, INSTANCE_NAME_BYTES - 1);
		return -EINVAL;
	}
	return 2;
}

/* -1: go on, else the exit status. */
static int parse(struct options *o, int argc, char **argv)
{
	for (int i = 1, took; i < argc; i += took) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help();
			return 0;
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("ontime %s\n", ONTIME_VERSION);
			return 0;
		}
		took = parse_option(o, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
		if (took < 0)
			return 2;
	}
	if (o->record && (o->json || o->once))
		log_error("--record with %s: one of them; see stat --help", o->json ? "--json" : "--once");
	else if (o->once && o->interval_ns)
		log_error("--once with --interval: one look has no interval; see stat --help");
	else
		return -1;
	return 2;
}

/* One look, printed. A reader that is gone has seen enough. */
static int show(const char *instance, int json)
{
	static struct view view;
	struct viewer viewer;
	char why[WHY_BYTES];

	viewer_open(&viewer, instance);
	if (viewer_look(&viewer, &view, why)) {
		log_error("%s", why);
		return 1;
	}
	viewer_close(&viewer);
	signal(SIGPIPE, SIG_IGN);
	if (json)
		stat_json(stdout, instance, &view, NULL, 1);
	else
		stat_table(&view);
	if (fflush(stdout) && errno != EPIPE) {
		log_error("write to standard output: %s", strerror(errno));
		return 1;
	}
	return view_is_balanced(&view) ? 0 : 1;
}

int main(int argc, char **argv)
{
	struct options o = { .instance = "default" };
	int status;

	log_set_name("stat");
	status = parse(&o, argc, argv);
	if (status >= 0)
		return status;
	if (o.record || (o.json && o.interval_ns && !o.once)) {
		struct stream s = { o.instance, o.record, o.interval_ns ? o.interval_ns : NS_PER_S, !o.record };

		return stat_stream(&s);
	}
	if (o.once || o.json || !isatty(STDOUT_FILENO))
		return show(o.instance, o.json);
	return stat_live(o.instance, o.interval_ns ? o.interval_ns : NS_PER_S);
}
