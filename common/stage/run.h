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

#include "cage/cage.h"
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

	/* calls - the system calls that it makes once it is open, beside stage_calls. NULL: no more. */
	const struct calls *calls;

	/* allow - what else it may, as it is configured. NULL: nothing. */
	void (*allow)(const struct stage *s, struct cage *cage);
};

/* stage_calls - the system calls of each stage. stage_calls_by_name: and of one that has no configuration handed on. */
extern const struct calls stage_calls, stage_calls_by_name;

/*
 * stage_drop_rights - what a stage has of root's power, beside what it needs to be opened, is gone (`cage`): before a
 * plugin is loaded. What is left goes when it is shut in, but CAP_NET_BIND_SERVICE where it has a port below 1024, and
 * CAP_NET_RAW where an input is bound to an interface; CAP_SYS_NICE only where no limit can take its place.
 */
void stage_drop_rights(const struct stage *s);

/*
 * stage_shut - shut in the calling process, a stage that is open, if the configuration says so (`cage`).
 * stage_prepare_cage - open what that needs, some time before. stage_shut_worker - likewise a process that the stage
 * has made. stage_shut_opening - before that, while it opens a plugin: so each process has a plugin opened under the
 * same rules, the first ones and those that take their place.
 */
void stage_prepare_cage(struct stage *s, const struct stage_ops *ops);
void stage_shut(struct stage *s, const struct stage_ops *ops);
void stage_shut_opening(const struct stage *s, const char *who, void (*allow)(const struct stage *s, struct cage *c));
void stage_shut_worker(const struct stage *s, const char *who, void (*allow)(const struct stage *s, struct cage *c));

/*
 * stage_log_place - the directory that the run directories are in: it stays, when all below is removed and made again.
 * NULL: the log is no file.
 */
const char *stage_log_place(char path[PATH_BYTES]);

/* stage_begin - open the stage and report it ready. 0, or 1 + the exit status. */
int stage_begin(const struct stage_ops *ops, struct stage *s, int argc, char **argv);

/* stage_step - one step, and the pause that a failed call in it asks for. */
void stage_step(const struct stage_ops *ops, struct stage *s);

/* stage_run - all of a stage's life. Returns the exit status. */
int stage_run(const struct stage_ops *ops, struct stage *s, int argc, char **argv);

#endif
