/* run.c - a stage from its first line to its exit status. */
#include "run.h"

int stage_begin(const struct stage_ops *ops, struct stage *s, int argc, char **argv)
{
	int status = stage_open(s, ops, argc, argv);

	if (status)
		return status;
	stage_prepare_cage(s, ops);
	stage_drop_rights(s);
	status = ops->open(s);
	if (status == EXIT_CONFIG)
		stage_refuse(s);
	if (status)
		return 1 + status;
	stage_ready(s);
	return 0;
}

static int must_end(const struct stage_ops *ops, struct stage *s)
{
	return asked_to_stop() || (asked_to_drain() && ops->is_drained(s));
}

/* It takes milliseconds, and nobody is to wait for a ring that long. */
static void reload(const struct stage_ops *ops, struct stage *s)
{
	ops->ring(s);
	if (!stage_reload(s))
		return;
	ops->reload(s);
	stage_reloaded(s);
}

void stage_step(const struct stage_ops *ops, struct stage *s)
{
	ops->step(s);
	if (s->failing.owed_pause_ns == 0)
		return;
	ops->ring(s);
	failing_pause(&s->failing);
}

int stage_run(const struct stage_ops *ops, struct stage *s, int argc, char **argv)
{
	int status = stage_begin(ops, s, argc, argv);

	if (status)
		return status - 1;
	place_keep(&s->place);
	stage_shut(s, ops);
	while (!must_end(ops, s)) {
		if (stage_reload_asked(s))
			reload(ops, s);
		stage_step(ops, s);
	}
	if (ops->close)
		ops->close(s);
	return stage_close(s);
}
