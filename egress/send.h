/*
 * send.h - the way out: shed what is dropped, look at the head of a class, send its next packets with one call.
 *
 * Memory:  payloads leave straight from their slots; the message vector that the kernel marks is the journal's.
 * Rules:   a step sheds first. From then on the head of a class is to be sent, and is not judged again.
 *          send_head_bytes() and send_is_idle() only look: they change nothing.
 *          One call carries packets of one class to one destination, in order (batch.h). refusal.h says what follows
 *          when the kernel does not take them.
 * Crash:   send_init() releases what the predecessor's last call had sent (journal.h).
 * Source:  sendmmsg(2), udp(7).
 */
#ifndef ONTIME_SEND_H
#define ONTIME_SEND_H

#include "sender.h"

/* send_init - sockets, own counts, and what a predecessor left. 0, or the exit status after one line. */
int send_init(struct sender *s, struct stage *stage);

/* send_close - give back what send_init() took, beside what outlives the stage. */
void send_close(struct sender *s);

/*
 * send_shed - release the packets at the head of a class that an earlier stage dropped and, with `late = drop`, those
 * whose deadline has passed. Nothing is shed while the class waits for a retry.
 */
void send_shed(struct sender *s, uint32_t class, uint64_t now);

/*
 * send_head_bytes - wire bytes of the packet at the head of a class. 0: none waits, or the class waits for a retry. The
 * packet may be one to shed, unless send_shed() was called with the same `now`.
 */
uint32_t send_head_bytes(const struct sender *s, uint32_t class, uint64_t now);

/* send_is_idle - does nothing wait to be sent, not even for a retry? */
int send_is_idle(const struct sender *s);

/*
 * send_again_at_ns - when a packet of that class may go: later than now while this CPU's queue to local sockets is as
 * good as full (unread.h), else 0.
 */
uint64_t send_again_at_ns(struct sender *s, uint32_t class, uint64_t now);

/*
 * send_batch - send packets of a class that has a head, at most `most_bytes` on the wire. Returns the wire bytes sent.
 */
uint32_t send_batch(struct sender *s, uint32_t class, uint32_t most_bytes, uint64_t now);

/* send_look_at_ways - look at the way of each output once a second; call it at least that often. */
void send_look_at_ways(struct sender *s, uint64_t now);

/*
 * send_apply - after a reload: the sockets send with the code points in force. is_gso_changed: forget which
 * super-datagrams were refused, or send no more of them.
 */
void send_apply(struct sender *s, int is_gso_changed);

#endif
