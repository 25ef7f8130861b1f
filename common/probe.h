/*
 * probe.h - the point in each stage that a tracer attaches to: hit once per batch, just before the batch is committed.
 *
 * Memory:  struct probes is private to its process. `probe_watchers` is written by the kernel, in this process's memory:
 *          two 16-bit reference counts (ref_ctr_offset of a uprobe), the first for probe_batch, the second for
 *          probe_batch_nop1.
 * Rules:   nobody attached: one load and a branch that is always predicted. Somebody: a call of an empty function. Its first
 *          instruction is a nop of 5 bytes, which Linux 6.18 and newer replace by a call; older ones emulate the nop of 1
 *          byte of the twin, and would single-step the other. Who attaches chooses (run/latency.c). At a function's
 *          entry, because a call there does not overwrite the red zone. Both names survive strip (-rdynamic).
 * Order:   before the commit: until then all slots of the batch belong to this stage, whatever the tracer reads of them.
 * Crash:   a stage killed between the probe and the commit leaves the batch to its successor, which probes it again, from
 *          the same first packet: who counts can tell, and take the first time back (run/latency.bpf.c).
 * Source:  the semaphores of SystemTap's sdt.h; Documentation/trace/uprobetracer.rst.
 */
#ifndef ONTIME_PROBE_H
#define ONTIME_PROBE_H

#ifndef __bpf__
#include <stdatomic.h>
#include <stdint.h>
#endif

/* Where a class's packets are in the stage's memory: all that a tracer needs beside the arguments. */
struct probe_lane {
	uint64_t arrivals, results, departures; /* addresses of the arrays, one entry per slot (packet.h) */
	uint32_t mask; /* slots - 1; packet n is in slot n & mask */
	uint32_t class;
};

#ifndef __bpf__
#include "lane.h"

struct segment;

struct probes {
	uint64_t segment; /* which instance this is: the checksum of the segment's header */
	struct probe_lane lanes[MAX_CLASSES];
	uint64_t next_pkts[MAX_CLASSES]; /* behind the last batch that was watched */
	uint32_t touched_pkts[MAX_CLASSES]; /* slots that are surely mapped, up to a lap */
};

extern _Atomic uint32_t probe_watchers;

/*
 * probe_batch, probe_batch_nop1 - where to attach. Empty.
 *
 * lane: the class; first_pkts: number of the batch's first packet in its lane, ever (a commit word's count);
 * n_pkts: packets, dropped ones included; 0: a heartbeat, about no packet; at_ns: the last time stamp of the stage's work on
 * the batch; segment: which instance.
 */
void probe_batch(const struct probe_lane *lane, uint64_t first_pkts, uint32_t n_pkts, uint64_t at_ns, uint64_t segment);
void probe_batch_nop1(const struct probe_lane *lane, uint64_t first_pkts, uint32_t n_pkts, uint64_t at_ns,
		      uint64_t segment);

/* probe_init - where the packets of a segment's classes are. */
void probe_init(struct probes *p, const struct segment *seg);

/* probe_call - hit those of the two points that are watched. */
void probe_call(struct probes *p, uint32_t class, uint64_t first_pkts, uint32_t n_pkts, uint64_t at_ns);

/* probe_commit - the stage is about to commit n packets of a class, from `word` on. */
static inline void probe_commit(struct probes *p, uint32_t class, uint64_t word, uint32_t n, uint64_t at_ns)
{
#ifndef ONTIME_NO_PROBES
	/* relaxed: a flag; the batch that is under way when it is raised need not be seen */
	if (__builtin_expect(atomic_load_explicit(&probe_watchers, memory_order_relaxed) != 0, 0))
		probe_call(p, class, word >> COUNT_SHIFT, n, at_ns);
#else
	(void)p, (void)class, (void)word, (void)n, (void)at_ns;
#endif
}
#endif

#endif
