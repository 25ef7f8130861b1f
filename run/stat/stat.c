/*
 * stat.c - watch a running instance: live, as a table, as JSON, as a recording.
 *
 * Rules:   maps the segment read-only; each class is read at one instant (account.h). run/look/health.h
 *          decides what is wrong.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "decimal.h"
#include "log.h"
#include "look/json.h"
#include "live.h"
#include "stream.h"
#include "table.h"
#include "version.h"

#define EXIT_CANNOT 1
#define EXIT_NOT_WELL 3
#define LOOK_AGAIN_NS (50 * 1000 * 1000)

struct stat_options {
	const char *instance;
	const char *record; /* NULL: no recording */
	uint64_t interval_ns; /* 0: not given */
	int once, json;
};

static void print_help(void)
{
	puts("stat - watch a running instance: what came, went, was late or dropped, and why.\n"
	     "usage: stat [OPTIONS]                 live, on a terminal; ? shows the keys\n"
	     "       stat [OPTIONS] --once          a table; also without a terminal\n"
	     "       stat [OPTIONS] --json          one JSON object; with --interval a stream\n"
	     "       stat [OPTIONS] --record FILE   append a JSON line an interval until ended\n\n"
	     "  -i INSTANCE    which instance (default: default)\n"
	     "  --interval S   seconds between looks, 0.1 to 60 (default 1)\n"
	     "  --record FILE  all counts, each interval's percentiles, no histograms:\n"
	     "                 about 1 KB a class and line; goes on over restarts, relaunches\n"
	     "  --version      print the version\n\n"
	     "received = sent + dropped + held: the last line says balanced, or what is not.\n"
	     "Before it: NOT well, and why: a class stands still, all of it is refused, a\n"
	     "stage is down, hangs, or a system call of it keeps failing.\n\n"
	     "examples: build/stat\n"
	     "          build/stat -i stress --json | jq .classes[0].sent\n"
	     "          build/stat --record incident.jsonl --interval 0.5\n\n"
	     "Exit status: 0 all is well, or asked to end; 3 balanced, but not well; 1 not\n"
	     "balanced, not running, or it cannot write; 2 usage, or an unfit terminal.");
}

static int parse_interval(const char *text, uint64_t *out)
{
	double seconds;

	if (decimal_real(text, 0.1, 60, &seconds)) {
		log_error("--interval %s: use seconds from 0.1 to 60", text);
		return -EINVAL;
	}
	*out = (uint64_t)(seconds * 1e9);
	return 0;
}

/* One option and its value; returns how many words it took, or -EINVAL after it said why. */
static int parse_option(struct stat_options *o, const char *word, const char *value)
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
static int parse(struct stat_options *o, int argc, char **argv)
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

/* A look, and more of them while they may tell of an illness: as a rule one does, and it takes 2 s at most. */
static int look_until_decided(const char *instance, struct view *view, struct health *health)
{
	struct timespec pause = { .tv_nsec = LOOK_AGAIN_NS };
	struct viewer viewer;
	char why[WHY_BYTES];
	int err;

	viewer_open(&viewer, instance);
	for (;;) {
		err = viewer_look(&viewer, view, why);
		if (err)
			break;
		health_note(health, view);
		if (!health_is_undecided(health))
			break;
		nanosleep(&pause, NULL);
	}
	viewer_close(&viewer);
	if (err)
		log_error("%s", why);
	return err;
}

/* Printed once. A reader that is gone has seen enough. */
static int show(const char *instance, int json)
{
	static struct view view;
	static struct health health;
	const struct stat_line line = { .instance = instance, .now = &view, .health = &health, .buckets = 1 };

	if (look_until_decided(instance, &view, &health))
		return EXIT_CANNOT;
	signal(SIGPIPE, SIG_IGN);
	if (json)
		stat_json(stdout, &line);
	else
		stat_table(stdout, &view, &health);
	if (!view_is_balanced(&view))
		return EXIT_CANNOT;
	return health.n_causes ? EXIT_NOT_WELL : 0;
}

int main(int argc, char **argv)
{
	struct stat_options o = { .instance = "default" };
	int status;

	log_set_name("stat");
	status = parse(&o, argc, argv);
	if (status >= 0)
		return status;
	if (o.record || (o.json && o.interval_ns && !o.once)) {
		struct recorder s = { o.instance, o.record, o.interval_ns ? o.interval_ns : NS_PER_S, !o.record };

		return stat_stream(&s);
	}
	if (o.once || o.json || !isatty(STDOUT_FILENO))
		return show(o.instance, o.json);
	return stat_live(o.instance, o.interval_ns ? o.interval_ns : NS_PER_S);
}
