/*
 * hold.c - binds the sockets, creates the segment, and hands both on to a command; and answers the scripts' questions.
 *
 * Rules:   sockets outlive stages: every process started from here keeps all of them open, as LISTEN_FDS from fd 3 on.
 *          A second launch of a running instance ends before it has touched anything.
 * Source:  sd_listen_fds(3) for the convention; pidfd_getfd(2) for adoption.
 */
#include <errno.h>
#include <sys/stat.h>

#include "act.h"
#include "config/guard.h"
#include "answer.h"
#include "ask.h"
#include "begin.h"
#include "directory.h"
#include "keep.h"
#include "log.h"
#include "stage/stage.h"
#include "unit.h"

/* To a supervisor of another layout nobody can talk; a stop it understands. */
static int stops_other(const struct hold_options *o, const struct config *c, int err)
{
	char why[WHY_BYTES];

	return o->request && strcmp(o->request, "stop") == 0 &&
	       (err == -ESTALE || (err == -EPROTO && !segment_is_named(c->instance, why)));
}

/* The modes that need no segment. -1: none of them. */
static int run_without_segment(const struct hold_options *o, const struct config *c)
{
	if (strcmp(o->mode, "name") == 0)
		puts(c->instance);
	else if (strcmp(o->mode, "classes") == 0)
		answer_classes(c);
	else if (strcmp(o->mode, "user") == 0)
		answer_user(c, &o->hosts);
	else if (strcmp(o->mode, "segment") == 0)
		return begin_segment(c);
	else if (strcmp(o->mode, "bind") == 0)
		return begin_bound(o, c);
	else if (strcmp(o->mode, "") == 0)
		return begin_new(o, c, NULL);
	else if (strcmp(o->mode, "check") == 0)
		return answer_check(o, c);
	else
		return -1;
	return 0;
}

static int run_dir(const struct hold_options *o)
{
	char path[PATH_BYTES], why[WHY_BYTES];
	int err = strcmp(o->mode, "lock-file") == 0 ? directory_make_lock(o->directory, path, why)
						    : directory_make(o->directory, path, why);

	if (err) {
		log_error("%s", why);
		return EXIT_TEMPORARY;
	}
	puts(path);
	return 0;
}

static int run_with_segment(const struct hold_options *o, const struct config *c)
{
	struct segment seg;
	char why[WHY_BYTES];
	int err = segment_observe(&seg, c->instance, why), status = 0;

	if (strcmp(o->mode, "remove") == 0) {
		status = act_remove(o, c, &seg);
	} else if (stops_other(o, c, err)) {
		status = act_stop_other(c);
	} else if (err) {
		log_error("%s", why);
		return err == -EPROTO || err == -ESTALE || err == -EPERM ? EXIT_CONFIG : EXIT_TEMPORARY;
	} else if (strcmp(o->mode, "adopt") == 0) {
		status = begin_adopted(o, c, &seg, NULL);
	} else if (strcmp(o->mode, "supervisor") == 0) {
		status = answer_supervisor(&seg);
	} else if (strcmp(o->mode, "stopping") == 0) {
		status = answer_stopping(&seg);
	} else if (strcmp(o->mode, "holder") == 0) {
		status = answer_holder(&seg);
	} else if (strcmp(o->mode, "scout") == 0) {
		status = answer_scout(&seg);
	} else if (strcmp(o->mode, "standbys") == 0) {
		status = answer_standbys(c, &seg);
	} else if (strcmp(o->mode, "signal") == 0) {
		status = act_signal(o, c, &seg);
	} else if (strcmp(o->mode, "ask") == 0) {
		status = o->request ? ask(o->request, o->at, c, &seg) : EXIT_CONFIG;
	} else if (strcmp(o->mode, "stages") == 0) {
		err = o->own ? segment_must_be_mine(&seg, why) : 0;
		if (err)
			log_error("%s", why);
		status = err ? EXIT_CONFIG : answer_stages(&seg);
	} else if (strcmp(o->mode, "held") == 0) {
		answer_held(&seg);
	}
	if (seg.shared)
		segment_close(&seg);
	return status;
}

/*
 * The overrides of an adoption may be of classes that only the configuration in force has. Names are asked for where
 * addresses matter; an operator checks (launch.sh does) from the directory that a relative plugin counts from.
 */
static int load(struct config *c, struct hold_options *o, char why[CONFIG_WHY_BYTES])
{
	static const char *const asking[] = { "", "check", "classes", "segment", "bind" };
	struct config_source source = {
		.file = o->file, .argc = o->n_overrides, .argv = o->overrides, .hosts = &o->hosts
	};
	char name[128], *arguments[] = { o->overrides[0], name };

	for (size_t i = 0; i < sizeof(asking) / sizeof(asking[0]); i++)
		if (strcmp(o->mode, asking[i]) == 0)
			o->hosts.ask = hosts_ask_resolver;
	if (strcmp(o->mode, "check") == 0)
		source.top = ".";
	if (strcmp(o->mode, "adopt") == 0 && o->instance) {
		snprintf(name, sizeof(name), "--instance=%s", o->instance);
		source = (struct config_source){ .argc = 2, .argv = arguments, .hosts = &o->hosts };
	}
	return config_load_as(c, &source, why, CONFIG_WHY_BYTES);
}

int main(int argc, char **argv)
{
	static struct hold_options o;
	static struct config c;
	char why[CONFIG_WHY_BYTES], instance[128];
	int status, err;

	log_set_name("hold");
	umask(077); /* what it makes is this user's alone, and this user's it is, whatever was inherited */
	status = options_parse(&o, argc, argv);
	if (status >= 0)
		return status;
	if (o.directory)
		return run_dir(&o);
	if (strcmp(o.mode, "instances") == 0)
		return answer_instances();
	if (strcmp(o.mode, "layout") == 0)
		return answer_layout();
	if (o.request)
		log_set_name("ontime"); /* as the scripts that show it to people */
	if (strcmp(o.mode, "beside") == 0)
		return o.command ? keep(o.command, o.supervisor) : EXIT_CONFIG;
	if (strcmp(o.mode, "unit") == 0)
		return unit_start(&o);
	if (o.instance) { /* works while the config file is broken */
		snprintf(instance, sizeof(instance), "--instance=%s", o.instance);
		o.file = NULL;
		o.overrides[o.n_overrides++] = instance;
	}
	err = load(&c, &o, why);
	if (err)
		return options_refuse(err, why);
	c.seed = guard_draw();
	if (strcmp(o.mode, "classes") != 0)
		config_log_hosts(&c, &o.hosts);
	status = run_without_segment(&o, &c);
	return status >= 0 ? status : run_with_segment(&o, &c);
}
