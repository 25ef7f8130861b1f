/*
 * work.h - the work done per packet: none, simulate, or a plugin.
 *
 * Rules:   `simulate` takes 0.2 ms + 0.2 ms * bytes / 1400, at most 0.4 ms: it sleeps for what is long and spins only
 *          for the last stretch that a timer cannot hit. The plugin runs on a copy (plugin.h).
 *          Long work is done in slices when work_slice() says so: between two of them others may go first.
 * Depth:   work on one packet may be interrupted by work on another, and that again, each on the stack of the one
 *          before.
 *          It goes as deep as there are classes and no deeper, since a class whose packet is at work has no other one
 *          begun (plan_interrupt() overlooks it). work_do() asserts that.
 * Crash:   work is redone for a packet whose count was not stored; the poison rule ends endless redoing: however the
 *          plugin ends the stage, the packet at work is noted in the segment (ending.h).
 * Start:   a plugin's file that is missing, half-written or open to others, and an open() that fails, pass: exit status
 *          1, and another try. Only what is no plugin for this version is refused for good. open() may take long: the
 *          stage is STATE_STARTING meanwhile and does not beat, so a watch must not judge it by `hung`, but by how long
 *          it has been starting (stage_block.started_at_ns): a minute is allowed.
 */
#ifndef ONTIME_WORK_H
#define ONTIME_WORK_H

#include "plugin.h"
#include "simulated.h"
#include "stage/stage.h"

struct work {
	enum work_kind kind;
	const struct ontime_plugin *plugin;
	void *state;
	void *object; /* of dlopen */
	struct edf_journal *journal;
	uint64_t slice_ns; /* 0: work is never interrupted */
	uint64_t (*between)(void *arg, uint64_t worked_ns);
	void *arg;
	uint32_t n_classes, depth; /* depth: packets at work now, each but the last one interrupted */
};

/* work_open - 0, or the exit status, after one line. journal: the segment's, or a worker's own (workers.h). */
int work_open(struct work *w, const struct stage *s, struct edf_journal *journal);
void work_close(struct work *w);

/*
 * work_slice - from now on call between(arg, ns of work done on this packet) about every slice_ns; 0: never. It may
 * call work_do() for other packets, and returns how long it took.
 */
void work_slice(struct work *w, uint64_t slice_ns, uint64_t (*between)(void *arg, uint64_t worked_ns), void *arg);

/*
 * work_packet - what the work is done on: the packet in a slot, which is checked against that (stage/damage.h).
 */
struct ontime_packet work_packet(const struct stage *s, uint32_t class, uint32_t index, uint64_t deadline_ns);

/*
 * work_do - work on one packet from started_at_ns on. Fills the result's len_bytes, second and drop.
 * Returns how long it was interrupted.
 */
uint64_t work_do(struct work *w, const struct lane_view *v, uint32_t index, struct ontime_packet *packet,
		 struct result *result, uint64_t started_at_ns);

/* work_is_poison - has this packet (word: its class and count) crashed the stage too often in a row? */
int work_is_poison(const struct work *w, uint32_t class, uint64_t word);

/* work_guard - note the packet now at work, for a crash; 0: none. */
void work_guard(struct work *w, uint32_t class, uint64_t word);

#endif
