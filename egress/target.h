/*
 * target.h - which of several destinations the packets of a class go to, where more than the sender's hash decides
 * (stage/choice.h).
 *
 * Memory:  a choice for each such class, private; that the others have none is all that this costs them.
 * Rules:   a packet goes to no destination that is down. While there is none for the packet at the head, its class
 *          waits, until its deadline at most, and not at all with `full = drop`; then it is dropped as no_destination.
 *          A packet of a session goes where its session does, which ingress changes when that destination is down.
 *          What a call was made for has left, whatever is up by the time it is counted.
 *          When a destination has another address, its held sockets are connected again, those of sessions when their
 *          next packet leaves.
 * Crash:   which destination is chosen is not durable: packets that a predecessor's call did not send are sent to the
 *          one that is chosen then. Those that it sent are counted, and sent no second time.
 */
#ifndef ONTIME_EGRESS_TARGET_H
#define ONTIME_EGRESS_TARGET_H

#include "sender.h"

/* target_open - of a class that has destinations. 0, or the exit status after one line. */
int target_open(struct sender *s, uint32_t class);

/* target_apply - after a reload: weights, and what is drained, may be other ones. */
void target_apply(struct sender *s);

/* target_look - once in a step: has the scout found anything out? */
void target_look(struct sender *s, uint32_t class);

/* target_is_stale - it has, since then. */
int target_is_stale(const struct sender *s, uint32_t class);

/* target_is_missing - is there no destination now for the packet in a slot? */
int target_is_missing(const struct sender *s, uint32_t class, uint32_t index);

/* target_is_lost - and it does not wait for one any more. */
int target_is_lost(const struct sender *s, uint32_t class, uint32_t index, uint64_t now);

/* target_wait - what is lost has been shed: if the head has no destination, the class is not tried for a while. */
void target_wait(struct sender *s, uint32_t class, uint64_t now);

/* target_aim - before a packet of a session leaves by its socket: does that lead where the session's packets go? */
void target_aim(const struct way *w, struct output *o, const struct address *to);

/* target_refused - ICMP errors that told of packets sent by an output of a class, or of a session there. */
void target_refused(struct sender *s, uint32_t class, const struct output *o, uint32_t index, uint32_t n);

#endif
