/*
 * stat.c - watch a running instance: live, as a table, as JSON, as a recording.
 *
 * Rules:   maps the segment read-only; each class is read at one instant (account.h). run/look/health.h
 *          decides what is wrong.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "config/instance.h"
#include "log.h"
#include "look/in_force.h"
#include "look/json.h"
#include "live.h"
#include "sessions.h"
#include "stream.h"
#include "table.h"
#include "options/stat.h"

#define EXIT_CANNOT 1
#define EXIT_NOT_WELL 3
#define NO_SHARD UINT64_MAX
#define LOOK_AGAIN_NS (50 * 1000 * 1000)

struct stat_options {
	char instance[INSTANCE_NAME_BYTES];
	const char *record; /* NULL: no recording */
	uint64_t interval_ns; /* 0: not given */
	int once, json, sessions;
	int shard; /* -1: all together */
};

/* -1: go on, else the exit status. */
static int parse(struct stat_options *o, int argc, char **argv)
{
	const char *instance = NULL, *file = NULL;
	double seconds = 0;
	uint64_t shard = NO_SHARD;
	void *const places[N_COMMAND_OPTIONS] = {
		[OPTION_INSTANCE] = &instance,	  [OPTION_CONFIG] = &file,	[OPTION_ONCE] = &o->once,
		[OPTION_JSON] = &o->json,	  [OPTION_INTERVAL] = &seconds, [OPTION_RECORD] = &o->record,
		[OPTION_SESSIONS] = &o->sessions, [OPTION_SHARD] = &shard,
	};
	struct command_line line;
	int status;

	command_open(&line, &command, argc, argv, places, NULL);
	status = command_read(&line, NULL);
	if (status >= 0)
		return status;
	o->interval_ns = (uint64_t)(seconds * 1e9);
	o->shard = shard == NO_SHARD ? -1 : (int)shard;
	if (instance_choose(o->instance, instance, file))
		return COMMAND_USAGE;
	if (o->record && (o->json || o->once))
		log_error("--record with %s: one of them; see %s --help", o->json ? "--json" : "--once", command.name);
	else if (o->sessions && (o->record || o->once || o->interval_ns))
		log_error("--sessions with %s: it is one look of its own; see %s --help",
			  o->record ? "--record"
			  : o->once ? "--once"
				    : "--interval",
			  command.name);
	else if (o->once && o->interval_ns)
		log_error("--once with --interval: one look has no interval; see %s --help", command.name);
	else
		return -1;
	return COMMAND_USAGE;
}

/* A look, and more of them while they may tell of an illness: as a rule one does, and it takes 2 s at most. */
static int look_until_decided(const struct stat_options *o, struct view *view, struct health *health)
{
	struct timespec pause = { .tv_nsec = LOOK_AGAIN_NS };
	static struct viewer viewer;
	char why[WHY_BYTES];
	int err;

	viewer_open(&viewer, o->instance);
	viewer_shard(&viewer, o->shard);
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

static uint32_t marks_of(const struct view *view)
{
	static struct in_force in_force;

	in_force_look(&in_force, view);
	return in_force_marks(&in_force, view);
}

/* Printed once. A reader that is gone has seen enough. */
static int show(const struct stat_options *o)
{
	static struct view view;
	static struct health health;
	const struct stat_line line = { .instance = o->instance, .now = &view, .health = &health, .buckets = 1 };

	if (look_until_decided(o, &view, &health))
		return EXIT_CANNOT;
	signal(SIGPIPE, SIG_IGN);
	if (o->json)
		stat_json(stdout, &line);
	else
		stat_table(stdout, &view, &health, marks_of(&view));
	if (!view_is_balanced(&view))
		return EXIT_CANNOT;
	return health.n_causes ? EXIT_NOT_WELL : 0;
}

static int show_sessions(const struct stat_options *o)
{
	signal(SIGPIPE, SIG_IGN);
	return stat_sessions(stdout, o->instance, o->json) ? EXIT_CANNOT : 0;
}

int main(int argc, char **argv)
{
	static struct stat_options o;
	int status;

	log_set_name("stat");
	status = parse(&o, argc, argv);
	if (status >= 0)
		return status;
	if (o.sessions)
		return show_sessions(&o);
	if (o.record || (o.json && o.interval_ns && !o.once)) {
		struct recorder s = { o.instance, o.record, o.interval_ns ? o.interval_ns : NS_PER_S, !o.record,
				      o.shard };

		return stat_stream(&s);
	}
	if (o.once || o.json || !isatty(STDOUT_FILENO))
		return show(&o);
	return stat_live(o.instance, o.shard, o.interval_ns ? o.interval_ns : NS_PER_S);
}
