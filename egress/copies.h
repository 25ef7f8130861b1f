/*
 * copies.h - a class whose every packet goes to every destination: the batch under copying, and what became of it.
 *
 * Memory:  struct copies_tally (layout.h): durable, in two banks that the commit word of the class switches.
 * Rules:   a batch is begun: its packets are judged once, for all destinations, and stamped as handed over. Then one
 *          destination after the other has its copies, in order, by calls of its own. A call ends in a commit of no
 *          packet that moves `done_slots` and `destination`; after the last destination one commit releases the batch.
 *          A packet is sent when one destination has it, and sent when the first one had it; else it is dropped under
 *          the errno of the last one that did not take it (EDQUOT where that was skipped by its rate).
 *          What a destination does not take costs the others little:
 *            no room      it is waited for, copy_wait in all; then the rest of the batch is skipped for it, by name,
 *                         and until it has had room for COPY_HURRY_NS it is not waited for again
 *            no way       the rest of the batch is counted under that errno, after one call
 *            its rate     what is beyond it is skipped, by name
 *            it is down   (target.h) the rest of the batch is skipped, by name; while all are, the class waits
 *            other errors of the datagram; what an ICMP error says is of an earlier one (refusal.h)
 * Crash:   the commit word changes with each of these commits, so that the journal's base tells the calls apart. What
 *          is known of a packet lies in its departure, written before the commit, and again by a successor.
 */
#ifndef ONTIME_COPIES_H
#define ONTIME_COPIES_H

#include "sender.h"

#define COPY_HURRY_NS (100 * NS_PER_MS) /* with a copy_wait of 2 ms one destination costs the others 2 % at most */

/* copies_load - a successor looks at what its predecessor left: aborts, after one line, if that cannot be. */
void copies_load(struct sender *s, uint32_t class);

/* copies_are_under_way - is a batch begun, and not released? */
static inline int copies_are_under_way(const struct sender *s, uint32_t class)
{
	return s->settled.copies[class].batch_slots > 0;
}

/*
 * copies_prepare - see to it that the head of the class is a packet that a destination is to be sent: begin a batch if
 * none is under way, and skip what is beyond a destination's rate. There must be a packet to send (send_shed()).
 * Returns 1 when that was for nothing: all destinations were skipped, and the batch is released.
 */
int copies_prepare(struct sender *s, uint32_t class, uint64_t now);

/*
 * copies_taken - the destination has that many more slots of the batch, dropped ones included: commit. Returns the
 * packets among them.
 */
uint32_t copies_taken(struct sender *s, uint32_t class, uint32_t n_slots, uint64_t now);

/* copies_failed - the packet at the head cannot be sent to the destination: err says why. */
void copies_failed(struct sender *s, uint32_t class, int err, uint64_t now);

/*
 * copies_refused - there is no room for the packet at the head. Returns 1 if it may be tried again later; else the rest
 * of the batch is skipped.
 */
int copies_refused(struct sender *s, uint32_t class, int err, uint64_t now);

#endif
