/*
 * refusal.h - the kernel did not take the packet at the head of a batch: what each errno means, and what follows.
 *
 * Rules:   EAGAIN, ENOBUFS, ENOMEM      no room: it is tried again for a few ms per destination (output.h); a rule that
 *          drops
 *                                       looks the same, and never ends
 *          ENETUNREACH and its like     another address, route or interface: the socket is connected again (output.h),
 *          and
 *                                       this datagram is tried once more
 *          an ICMP error (icmp.h)       is about an EARLIER datagram: counted as an event, this one is tried again;
 *          where
 *                                       its errno may be this datagram's own, once
 *          a super-datagram             its packets are tried singly: for a moment those of that sender where its
 *                                       address is shown (sender_seen.h), else all of the way
 *          anything else, or again      this datagram cannot be sent: dropped, counted send_error by errno
 * Source:  ip(7) IP_RECVERR; without it the kernel hides ENOBUFS.
 */
#ifndef ONTIME_REFUSAL_H
#define ONTIME_REFUSAL_H

#include "batch.h"

/*
 * refusal_handle - the send call failed with err before its first message: see to it that a later call can do better.
 */
void refusal_handle(struct sender *s, const struct batch *b, int err, uint64_t now);

/*
 * refusal_end - the first n messages were taken: whatever has been refused to their senders, or on that way, is over.
 */
void refusal_end(struct sender *s, const struct batch *b, uint32_t n_msgs, uint64_t now);

#endif
