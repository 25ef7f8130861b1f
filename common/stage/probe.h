/*
 * probe.h - the point in each stage that a tracer attaches to: hit once per batch, just before the batch is committed.
 *
 * Memory:  struct probes is private to its process. `probe_watchers` is written by the kernel, in this process's
 *          memory:
 *          two 16-bit reference counts (ref_ctr_offset of a uprobe), the first for probe_batch, the second for
 *          probe_batch_nop1.
 * Rules:   nobody attached: one load and a branch that is always predicted. Somebody: the spans of the batch's packets,
 *          by the slots' own time stamps, are laid side by side, and an empty function is called with their address:
 *          one copy of user memory costs a BPF program 90 ns, and from the slots it would take two to four.
 *          The function's first instruction is a nop of 5 bytes, which Linux 6.18 and newer replace by a call; older
 *          ones emulate the nop of 1 byte of the twin, and would single-step the other. Who attaches chooses
 *          (run/latency/latency.c). At a function's entry, because a call there does not overwrite the red zone. Both
 *          names survive strip (-rdynamic).
 *          A note names the first as the USDT point ontime:batch, so that bpftrace raises the counter itself.
 * Order:   before the commit: until then all slots of the batch belong to this stage.
 * Crash:   a stage killed between the probe and the commit leaves the batch to its successor, which probes it again,
 *          from the same first packet: who counts can tell, and take the first time back (run/latency/latency.bpf.c).
 * Source:  the semaphores of SystemTap's sdt.h; Documentation/trace/uprobetracer.rst.
 */
#ifndef ONTIME_PROBE_H
#define ONTIME_PROBE_H

#include "shm/lane.h"
#include "shm/layout.h"

#define PROBE_SPANS 3 /* that one stage ends, at most */

struct segment;

struct probes {
	const struct lane_view *views; /* of each class */
	uint64_t segment; /* which instance this is: the checksum of the segment's header */
	enum stage_id stage;
	uint64_t spans_ns[BATCH * PROBE_SPANS];
};

extern _Atomic uint32_t probe_watchers;

/*
 * probe_batch, probe_batch_nop1 - where to attach. Empty.
 *
 * spans_ns: per packet that the stage does not drop, the spans that end here: socket and ingress; edf_wait and
 * edf_work; or egress_wait, egress_send and the whole way. n_counted: how many such packets. first_pkts: number of the
 * batch's first packet in its lane, ever (a commit word's count). batch: packets, dropped ones included, and from bit
 * 32 on the class; no packets: a heartbeat.
 */
void probe_batch(const uint64_t *spans_ns, uint64_t n_counted, uint64_t first_pkts, uint64_t batch, uint64_t segment);
void probe_batch_nop1(const uint64_t *spans_ns, uint64_t n_counted, uint64_t first_pkts, uint64_t batch,
		      uint64_t segment);

/* probe_init - for a stage that works on this segment, which must stay where it is. */
void probe_init(struct probes *p, const struct segment *seg, enum stage_id stage);

/* probe_call - lay out the spans, and hit those of the two points that are watched. */
void probe_call(struct probes *p, uint32_t class, uint64_t word, uint32_t n_pkts, uint64_t at_ns);

/*
 * probe_commit - the stage is about to commit n packets of a class, from `word` on. at_ns: with egress, when they were
 * sent.
 */
static inline void probe_commit(struct probes *p, uint32_t class, uint64_t word, uint32_t n, uint64_t at_ns)
{
#ifndef ONTIME_NO_PROBES
	/* relaxed: a flag; the batch that is under way when it is raised need not be seen */
	if (__builtin_expect(atomic_load_explicit(&probe_watchers, memory_order_relaxed) != 0, 0))
		probe_call(p, class, word, n, at_ns);
#else
	(void)p, (void)class, (void)word, (void)n, (void)at_ns;
#endif
}

/* probe_beat - hit the point without packets, so that a tracer that attaches to an idle stage sees that it works. */
static inline void probe_beat(struct probes *p, uint64_t now)
{
	probe_commit(p, 0, 0, 0, now);
}

#endif
