/* hung.c - a stage that does not move. */
#include "hung.h"

#include <signal.h>

#include "hang.h"
#include "hold/process.h"
#include "log.h"

/* First seen not to have moved. */
static void suspect(struct life *l, uint64_t beat, uint64_t now)
{
	l->suspect = 1;
	l->suspect_beat_ns = beat;
	l->suspect_at_ns = now;
	waits_read((uint32_t)l->pid, &l->waits); /* if it cannot be read, it waits for nothing */
}

/* Do others have its CPU? Said once. */
static int is_starved(struct life *l, uint64_t hung_ns, uint64_t still_ns, uint64_t now)
{
	uint64_t took_ns = now - l->suspect_at_ns, waited_ns;
	struct waits at;

	if (waits_read((uint32_t)l->pid, &at))
		return 0;
	waited_ns = waits_between(&l->waits, &at, took_ns);
	if (!hang_is_starved(took_ns, waited_ns, hung_ns))
		return 0;
	if (!l->has_told_starved)
		log_error("%s (pid %d) has not moved for %.1f s: it gets no CPU (it waited %llu %% of that time): it "
			  "is not "
			  "ended for that; leave it more of its CPU, or give the stages another (`cpus`)",
			  l->name, l->pid, (double)still_ns / 1e9, (unsigned long long)(waited_ns * 100 / took_ns));
	l->has_told_starved = 1;
	return 1;
}

/*
 * It takes two looks: when all of us were frozen for a while, the first one deceives; and a successor holds the stage's
 * lock a moment before it says who it is, and until then the beat is its predecessor's.
 */
void hung_end(struct life *l, const struct segment *seg, uint64_t hung_ns, uint64_t now)
{
	const struct stage_block *b = &seg->shared->stages[l->id];
	uint64_t beat = atomic_load_explicit(&b->beat_at_ns, memory_order_relaxed);
	uint64_t since = beat > l->began_at_ns ? beat : l->began_at_ns;
	int seen = l->suspect && l->suspect_beat_ns == beat, sig = l->aborted ? SIGKILL : SIGABRT;

	if (life_stage_state(seg, l->id) != STATE_READY || life_generation(seg, l->id) == l->generation_at_begin)
		hung_ns = l->is_child ? STARTING_MOST_NS : hung_ns;
	if (now < since + hung_ns) {
		l->suspect = l->has_told_starved = 0;
		return;
	}
	if (!seen) {
		suspect(l, beat, now);
		return;
	}
	if (!l->aborted && is_starved(l, hung_ns, now - since, now))
		return;
	log_error("%s (pid %d) has not moved for %.1f s: ending it with %s", l->name, l->pid,
		  (double)(now - since) / 1e9, l->aborted ? "SIGKILL" : "SIGABRT");
	process_signal(l->pidfd, sig);
	process_signal(l->pidfd, SIGCONT);
	l->aborted = 1;
}
