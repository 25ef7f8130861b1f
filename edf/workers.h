/*
 * workers.h - processes that work on packets at one time: `workers = N`.
 *
 * Memory:  a mapping that edf shares with them and nobody else: a box for each, gone with edf. struct workers is
 *          private to edf.
 * Rules:   edf stays the one scheduler and the only one that writes to lanes. A worker has one packet at a time: it
 *          reads the slot, writes to the slot's second half and to its box, and says that it is done. Workers are
 *          ordinary processes, on any CPU that the supervisor may use: work that takes long, at real time and on all
 *          CPUs, would leave others nothing. Each has the plugin opened for itself; edf does not load it.
 *          One that has had a packet for `hung`, and the CPU for it, is ended, and so is one that opens its plugin for
 *          a minute.
 * Order:   edf                       worker
 *            task
 *            given (release) ------>  given (acquire)
 *            ring the box             work, result
 *            done (acquire) <-------  done (release)
 *                                     ring edf
 *          Edges "given" and "done"; the bells are those of bell.h.
 * Crash:   a worker that dies costs its packet another try: edf starts another one, at once, or after a pause that
 *          doubles to a second while none gets anything done. When edf dies they die with it (PR_SET_PDEATHSIG), and
 *          the stage's lock, which they have inherited, ends with the last of them: no successor begins while one of
 *          them can write. It begins with new workers, and with all packets that were not passed on.
 * Source:  fcntl(2), "Open file description locks"; prctl(2).
 */
#ifndef ONTIME_EDF_WORKERS_H
#define ONTIME_EDF_WORKERS_H

#include <stdbool.h>
#include <sys/types.h>

#include "stage/waits.h"
#include "work.h"

struct task {
	uint32_t class;
	uint64_t count; /* of the packets of the class before it, as in a commit word */
	uint64_t deadline_ns; /* UINT64_MAX: none */
	uint64_t given_at_ns;
	uint32_t crashes; /* of workers that had it, in a row */
};

struct worker_box; /* worker.h */

struct worker {
	pid_t pid; /* 0: it does not run */
	uint64_t since_ns; /* since when it runs; while it does not: when it is started again */
	uint64_t pause_ns; /* before the next start; doubles while none gets anything done */
	bool has_task, is_ended; /* is_ended: by edf, since it hung */
	uint64_t suspected_at_ns; /* since then it seems to hang; 0: it does not */
	struct waits waits; /* as of then */
	struct task task;
};

struct workers {
	uint32_t n; /* 0: the stage works by itself */
	struct stage *stage;
	struct worker_box *boxes; /* n */
	struct worker all[MOST_WORKERS];
	uint64_t look_at_ns; /* when those that hang, or are to be started, are looked for next */
	uint64_t say_at_ns; /* what has become of one is not said before */
	bool cannot_open; /* the last one that opened its plugin died of that: they try one by one */
};

/* What became of a task. */
struct task_end {
	struct task task;
	bool is_done; /* else its worker died with it: task.crashes says how often in a row that was */
	struct result result; /* if it is done */
};

/* workers_open - start them, and wait until one is ready. 0, or the exit status after one line. */
int workers_open(struct workers *w, struct stage *s);

/* workers_close - end them, also if they have tasks: these count for nothing then. */
void workers_close(struct workers *w);

/* workers_idle - one that has nothing to do; -1: there is none. */
int workers_idle(const struct workers *w);

/* workers_give - a task to that one. */
void workers_give(struct workers *w, int k, const struct task *task);

/* workers_next - a task that has ended; false: there is none. Looks after the workers as well. */
bool workers_next(struct workers *w, uint64_t now, struct task_end *end);

/* workers_due_ns - when one is to be started again; UINT64_MAX: all run. */
uint64_t workers_due_ns(const struct workers *w);

/* workers_have_news - would workers_next() find a task? Cheap: asked before each sleep. */
bool workers_have_news(const struct workers *w);

#endif
