/*
 * place.h - where a stage runs and before whom: its CPU, real time while that leaves room, and a word when it is
 * starved.
 *
 * Memory:  struct place is private, in struct stage. What is in force stands in the stage's block: sched_policy,
 *          cpu_ns.
 * Rules:   fifo = auto takes the first that it may: SCHED_FIFO, a better nice value, a shorter slice. One line says
 *          what would allow more. Children of a stage get nothing of it (SCHED_RESET_ON_FORK).
 *          With work on packets egress comes before ingress, and ingress before edf: what arrives must be able to
 *          interrupt work. Without work priority rises downstream.
 *          Nobody is starved. Each stage looks, at its beats, at what all stages on its CPU used of it, and gives real
 *          time back while that leaves too little (room.h). A stage that makes no look for one to two BOUND_NS of its
 *          own CPU time (a plugin that loops) loses real time by a signal; SIGXCPU by RLIMIT_RTTIME does the same.
 *          A stage that waited for its CPU for long, while others than stages had it, says so in one line.
 * Crash:   nothing is left behind; a successor begins anew.
 * Source:  sched(7), sched_setattr(2), timer_create(2).
 */
#ifndef ONTIME_PLACE_H
#define ONTIME_PLACE_H

#include "config/config.h"
#include "shm/layout.h"
#include "room.h"
#include "waits.h"

/* What a stage may have before others. */
enum rank { RANK_PLAIN, RANK_SLICE, RANK_NICE, RANK_FIFO };

struct place {
	enum stage_id id;
	int cpu; /* pinned to that one; -1: not pinned */
	uint32_t n_cpus; /* it and its mates may run on */
	uint32_t mates; /* bit per stage: those that share the CPU, this one included */
	enum rank may;
	int priority; /* of SCHED_FIFO */
	_Atomic int has; /* 1: what it may have is in force; cleared by a signal handler too */
	_Atomic int looked; /* since the last signal of the CPU timer; relaxed: for a signal handler */
	struct stage_block *blocks; /* of all stages */
	struct room room;
	uint64_t due_ns, seen_at_ns, seen_cpu_ns[N_STAGES]; /* of the looks at the CPU */
	uint64_t told_ns[3]; /* when a line of each kind may come again */
	struct waits waits; /* as of the last look at the run queue */
	int waits_fd; /* of place_keep(); -1: the kernel has none; 0: not asked yet, as in a test */
	uint64_t waits_at_ns, waits_cpu_ns[N_STAGES];
};

/*
 * place_stand_by - the CPU, and real time where that is allowed, for a process that sleeps until it is its turn: that
 * is not to wait for a busy CPU. place_open() comes then, with the bounds.
 */
void place_stand_by(struct place *p, const struct config *c, enum stage_id id);

/* place_open - pin this process and give it what it may have; says in one line what it may not. Once, at the start. */
void place_open(struct place *p, const struct config *c, enum stage_id id, struct stage_block *blocks);

/*
 * place_allow - that this process takes real time again by its limits, without CAP_SYS_NICE. 0 if it may, or has no
 * such right to lose; -errno.
 */
int place_allow(void);

/* place_keep - open now what later looks read, for a process that cannot open files then. */
void place_keep(struct place *p);

/*
 * place_close - an ordinary process again, and no signal that writes to the segment: before that goes, and however the
 * process ends. What a sanitizer or a plugin does at the very end may wait for others, and would keep them off the CPU.
 */
void place_close(void);

/*
 * place_look - call at beats; does something about every 25 ms: tells what was used, and gives real time back or takes
 * it.
 */
void place_look(struct place *p, uint64_t now);

/* place_holds_up_others - 1 while a spinning stage would keep other stages off their CPU. */
int place_holds_up_others(const struct place *p);

/*
 * place_priority - of SCHED_FIFO for this stage when `most` is allowed: the order of the stages as far as there is
 * room.
 */
int place_priority(enum stage_id id, enum work_kind work, int most);

#endif
