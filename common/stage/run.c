/* run.c - a stage from its first line to its exit status. */
#include "run.h"

int stage_begin(const struct stage_ops *ops, struct stage *s, int argc, char **argv)
{
	int status = stage_open(s, ops->id, argc, argv);

	if (status)
		return status;
	status = ops->open(s);
	if (status)
		return 1 + status;
	stage_ready(s);
	return 0;
}

static int must_end(const struct stage_ops *ops, struct stage *s)
{
	return asked_to_stop() || (asked_to_drain() && ops->is_drained(s));
}

int stage_run(const struct stage_ops *ops, struct stage *s, int argc, char **argv)
{
	int status = stage_begin(ops, s, argc, argv);

	if (status)
		return stage_fail(s, status - 1);
	while (!must_end(ops, s)) {
		if (stage_reload_asked(s))
			ops->reload(s);
		ops->step(s);
	}
	if (ops->close)
		ops->close(s);
	return stage_close(s);
}
