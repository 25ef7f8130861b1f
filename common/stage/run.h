/*
 * run.h - a stage from its first line to its exit status: what each stage's main() calls, and what it must bring along.
 *
 * Memory:  the stage's private object, zeroed, begins with its struct stage: the operations get a pointer to that.
 * Rules:   the order is stage_open(), open, stage_ready(), then reload and step until a signal, then close and
 *          stage_close().
 *          A test that drives a stage by itself calls stage_begin(), and then the operations.
 */
#ifndef ONTIME_STAGE_RUN_H
#define ONTIME_STAGE_RUN_H

#include "stage.h"

struct stage_ops {
	enum stage_id id;

	/*
	 * open - what the stage needs beyond stage_open(), recovery from its predecessor's death included. 0, or the
	 * exit status after one line.
	 */
	int (*open)(struct stage *s);

	/* reload - s->config has changed. */
	void (*reload)(struct stage *s);

	/*
	 * step - do what there is to do, at most about one batch of it; if there is nothing, sleep. Calls stage_beat().
	 */
	void (*step)(struct stage *s);

	/*
	 * ring - wake the stages that wait for what this one has passed on and not yet rung for. Called before anything
	 * that takes long: a pause after a failed call, a reload.
	 */
	void (*ring)(struct stage *s);

	/* is_drained - asked before each step once SIGUSR1 came: does nothing wait for this stage? */
	int (*is_drained)(struct stage *s);

	/*
	 * close - give back what open took, also if a test ended it halfway. Stores nothing to the segment. NULL:
	 * nothing to do.
	 */
	void (*close)(struct stage *s);
};

/* stage_begin - open the stage and report it ready. 0, or 1 + the exit status. */
int stage_begin(const struct stage_ops *ops, struct stage *s, int argc, char **argv);

/* stage_step - one step, and the pause that a failed call in it asks for. */
void stage_step(const struct stage_ops *ops, struct stage *s);

/* stage_run - all of a stage's life. Returns the exit status. */
int stage_run(const struct stage_ops *ops, struct stage *s, int argc, char **argv);

#endif
