/*
 * life.h - the lives of one stage: start, watch, learn how it ended, start the next.
 *
 * Memory:  struct life is private to the supervisor. A stage outlives its supervisor: nothing here is needed to go on.
 * Rules:   a successor is started as soon as the kernel says that its predecessor is gone; no shell, no fork of a fork,
 *          no sleep.
 *          A process that cannot be made (a limit, no memory) is tried again with back-off, for ever.
 *          Exit status 2 before a stage was ready is the one end that keeps it down: it refused its configuration. A
 *          reload, a new binary and restart.sh start it again. Status 3: the binary belongs to a build with another
 *          layout, so the one that this instance was launched with, kept open since, is started instead. Status 0
 *          without having been asked, and 2 of one that was ready, are a plugin's doing, and count as crashes.
 *          A stand-by takes over at the death, if one is prepared (standby.h); else the successor is started cold.
 *          A stage with work that makes no progress for `hung` is ended, with SIGABRT first, so that a plugin's packet
 *          is noted as the culprit; one that is starting has STARTING_MOST_NS instead. One that gets no CPU is left
 *          alone, and the log says so (hang.h).
 * Source:  pidfd_open(2): no signal can hit a stranger, and no death is missed.
 */
#ifndef ONTIME_SUPERVISE_LIFE_H
#define ONTIME_SUPERVISE_LIFE_H

#include <sys/stat.h>
#include <sys/types.h>

#include "shm/segment.h"
#include "stage/waits.h"
#include "standby.h"

#define STARTING_MOST_NS (60 * NS_PER_S) /* a plugin's open() may read much */

enum life_state {
	LIFE_WAITS, /* starts at start_at_ns */
	LIFE_RUNS,
	LIFE_DOWN, /* refused its configuration */
	LIFE_OVER, /* the instance is being stopped: there is no other */
};

struct life {
	enum stage_id id;
	uint32_t shard; /* whose stage it is */
	int is_one_of_many; /* shards; then the process is told which */
	const char *name; /* "edf", or of several shards "edf.1" */
	enum life_state state;
	pid_t pid;
	int pidfd; /* -1: does not run */
	int is_child; /* 0: adopted, its exit status is not ours to know */
	uint64_t began_at_ns, start_at_ns;
	uint64_t passed_at_begin; /* the stage's own counts when it began */
	uint32_t generation_at_begin;
	uint32_t row; /* deaths in a row, see row.h */
	int restart_asked, ended_by_itself, has_told;
	int finish_signal; /* the instance is being stopped: what asks this stage to; 0: not yet */
	pid_t finish_asked; /* who has got it */
	int is_given_up; /* and was killed since it did not */
	uint64_t restart_by_ns; /* a restart waits for a stand-by of the binary that is there now; 0: for none */
	struct standby standby;
	char last_end[32]; /* for the successor: "exited 1", "signal 9", "hung" */
	char binary[PATH_BYTES];
	int kept_fd; /* the binary this instance was launched with, or the one that ran when it was adopted */
	ino_t runs_inode,
		refused_inode; /* of the binary: of this life; of a build with another layout, or that refused */
	/* what was seen of a stage that had not moved */
	uint64_t suspect_beat_ns;
	int suspect, aborted;
	uint64_t suspect_at_ns; /* since when */
	struct waits waits; /* as of then */
	int has_told_starved;
};

/*
 * What the stage itself says in the segment. relaxed: for decisions that are made again; nothing depends on their order
 */
static inline uint32_t life_generation(const struct segment *seg, enum stage_id id)
{
	return atomic_load_explicit(&seg->shared->stages[id].generation, memory_order_relaxed);
}

static inline uint32_t life_stage_state(const struct segment *seg, enum stage_id id)
{
	return atomic_load_explicit(&seg->shared->stages[id].state, memory_order_relaxed);
}

/* life_init - for a stage that may run already: then it is adopted. argv: what the stage is started with. */
void life_init(struct life *l, const struct segment *seg, enum stage_id id, const char *build);

/* life_start - if it is due. */
void life_start(struct life *l, const struct segment *seg, char *const *argv, uint64_t now);

/* life_listen - the stand-by's channel is readable. */
void life_listen(struct life *l, uint64_t now);

/* life_end - the pidfd says that it is gone: learn how, and decide when the next one starts. */
void life_end(struct life *l, const struct segment *seg, uint64_t now);

/* life_tell - say that it ended, after the successor's start: the log takes its time. */
void life_tell(struct life *l);

/* life_restart - somebody asks for another process, of the binary that is there now. */
void life_restart(struct life *l, uint64_t now);

/*
 * life_finish - the instance is being stopped: there is no other life once this one has stopped after `sig`. One that
 * dies before that has a successor, which is asked too.
 */
void life_finish(struct life *l, int sig);

/* life_ask_to_finish - often: whoever is the stage now. */
void life_ask_to_finish(struct life *l, const struct segment *seg);

/* life_give_up - it has had its time: it is killed. */
void life_give_up(struct life *l);

/* life_watch - twice a second: end it if it hangs, and start one that is down if its binary is another by now. */
void life_watch(struct life *l, const struct segment *seg, uint64_t hung_ns, uint64_t now);

/* life_try_again - a new configuration: one that is down may like it. */
void life_try_again(struct life *l, uint64_t now);

#endif
