/*
 * view.h - one look at a running instance: what the observers see of each class and each stage.
 *
 * Memory:  struct viewer is private; it maps the segment read-only. struct view is a plain copy (300 KB: keep it
 *          static).
 * Shards:  a look is at all shards of an instance together: the account of a class is the sum of theirs, its limits
 *          too, and its latencies are of all. It is at one of them when viewer_shard() says so.
 * Rules:   each class is read at one instant (account.h); nothing is written, so an observer costs the stages nothing.
 *          Each look notices that the instance was stopped, or launched anew, and then maps the new segment.
 * Errors:  -errno, and in `why` one line: not running, damaged, or counts that never held still.
 */
#ifndef ONTIME_STAT_VIEW_H
#define ONTIME_STAT_VIEW_H

#include <sys/types.h>

#include "config/sharded.h"
#include "shm/counter.h"
#include "shm/segment.h"

/* What one of several shards has of a class: for who must see that it stands still while others move. */
struct class_part {
	uint64_t sent_pkts, dropped_pkts, held_pkts;
	int64_t unbalanced_pkts;
};

struct class_view {
	char name[CLASS_NAME_BYTES];
	struct account account;
	struct class_part parts[MOST_SHARDS];
	uint32_t n_dests; /* that a scout tells of */
	struct destination_state dests[MAX_DESTS]; /* of all shards alike */
};

struct stage_view {
	const char *state; /* segment_stage_state() */
	uint32_t pid;
	uint64_t starts, has_work;
	uint64_t up_ns; /* 0: not alive */
	uint64_t beat_age_ns;
	uint64_t cpu_ns; /* of this process, user and system; starts from 0 with each start */
	uint64_t queued_ns; /* how long this process was ready to run and another one had its CPU */
	uint32_t is_ready; /* at this moment */
	uint32_t sched_policy; /* SCHED_FIFO, ... */
	uint64_t parks, rings, rescued_pkts;
	uint64_t failed_calls, remade_sockets; /* layout.h */
	uint64_t workers, workers_busy, workers_died; /* likewise */
	uint64_t failing_ns; /* for how long a system call has failed each time; 0: none does */
	uint32_t failing_errno; /* valid while failing_ns is not 0 */
};

struct view {
	uint64_t at_ns; /* CLOCK_MONOTONIC; 0: nothing was read yet */
	uint64_t at_unix_ns;
	uint64_t created_at_ns; /* of the segment: tells one launch from the next */
	int is_supervised; /* somebody restarts its stages when they hang */
	uint32_t n_classes;
	uint32_t n_shards; /* of this look; 0 and 1: one */
	struct class_view classes[MAX_CLASSES];
	/* Of several shards together: the worst state and the longest pause there is, the sum of what is counted; pid,
	   and what has no sum, is that of the first. */
	struct stage_view stages[N_STAGES];
	struct stage_view each[MOST_SHARDS][N_STAGES]; /* of several shards, by itself */
};

struct viewer {
	char instance[INSTANCE_NAME_BYTES];
	int shard; /* the one to look at; -1: all */
	uint32_t n_shards; /* mapped */
	struct segment seg; /* the first part, or the one to look at */
	struct segment parts[MOST_SHARDS]; /* from the second on */
	ino_t inode; /* of the segment that is mapped */
};

/* viewer_open - nothing is mapped yet: the instance may come later. */
void viewer_open(struct viewer *v, const char *instance);

/* viewer_shard - look at that shard alone from now on. */
void viewer_shard(struct viewer *v, int shard);

/* viewer_map - the segment that the instance has now. 0 if one is mapped then, by an earlier call or by this one. */
int viewer_map(struct viewer *v, char why[WHY_BYTES]);

/* viewer_is_current - is what is mapped still the instance's segment? */
int viewer_is_current(const struct viewer *v);

/* viewer_part - the k-th of the n_shards parts that are mapped. */
static inline const struct segment *viewer_part(const struct viewer *v, uint32_t k)
{
	return k ? &v->parts[k] : &v->seg;
}

/* viewer_look - read everything into *out. On failure *out is untouched. */
int viewer_look(struct viewer *v, struct view *out, char why[WHY_BYTES]);

void viewer_close(struct viewer *v);

/* view_shards - how many it is of, 1 or more. view_stage - a stage of one of them. view_stage_name - "edf", "edf.1". */
static inline uint32_t view_shards(const struct view *v)
{
	return v->n_shards > 1 ? v->n_shards : 1;
}

static inline const struct stage_view *view_stage(const struct view *v, uint32_t shard, uint32_t id)
{
	return v->n_shards > 1 ? &v->each[shard][id] : &v->stages[id];
}

static inline const char *view_stage_name(const struct view *v, uint32_t shard, uint32_t id)
{
	return sharded_stage_name((enum stage_id)id, shard, view_shards(v));
}

/*
 * stage_counter_next - the descriptions of what is counted of a stage, with `at` in struct stage_view, by the rules of
 * counter_next().
 */
const struct counter *stage_counter_next(const struct counter *c);
uint64_t stage_counter_value(const struct counter *c, const struct stage_view *s);

/* stage_add - what `one` of several shards adds to them together; is_first: it begins. */
void stage_add(struct stage_view *sum, const struct stage_view *one, int is_first);

/* sched_name - "fifo", "other", ...; "-" for what has no name here. */
const char *sched_name(uint32_t policy);

/* class_unbalanced_pkts - by how much it is off: together, or, where that is 0, in the first shard where it is not. */
int64_t class_unbalanced_pkts(const struct class_view *c);

/* view_is_balanced - does the identity hold in every class, of every shard? */
int view_is_balanced(const struct view *v);

/*
 * view_follows - is `now` a later look at the same launch with the same classes as `before`, so that differences mean
 * something?
 */
int view_follows(const struct view *now, const struct view *before);

/*
 * class_latency_since - the latency histogram of what was sent between two looks; before: NULL for all. Returns its
 * packets.
 */
uint64_t class_latency_since(const struct class_view *now, const struct class_view *before,
			     uint64_t latency[HISTOGRAM_BUCKETS]);

enum percentile { P50, P95, P99, P999, PMAX, N_PERCENTILES };

/* percentile_name - as in JSON: "p50", "max". percentile_per_million - of the packets, how many are at or below it. */
const char *percentile_name(enum percentile p);
uint32_t percentile_per_million(enum percentile p);

/* class_percentile_ns - of all sent so far: a bucket's upper edge, but not above the longest there was. */
uint64_t class_percentile_ns(const struct class_view *c, uint32_t per_million);

#endif
