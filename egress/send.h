/*
 * send.h - sendmmsg and UDP_SEGMENT: a class's next packets to the kernel, and what each errno means here.
 *
 * Memory:  payloads leave straight from their slots; the vector the kernel marks is the journal's.
 * Rules:   one call carries packets of one class to one destination, in order. Runs of equal size go as one
 *          super-datagram (only its last part may be shorter); where the kernel refuses that, they go singly.
 *            EAGAIN, ENOBUFS, ENOMEM      no room: wait and try again, for a few ms per destination (output.h); this may be
 *                                         a rule that drops, and then it never ends
 *            ENETUNREACH and its like     another address, route or interface: the socket is connected again (output.h), and
 *                                         this datagram tried once more
 *            an ICMP error (error queue)  tells of an EARLIER datagram: counted as an event, this one is sent
 *            anything else, or again      this datagram cannot be sent: dropped, counted send_error by errno
 * Crash:   send_recover() releases what the predecessor's last call had sent (journal.h).
 * Source:  sendmmsg(2), udp(7) UDP_SEGMENT, ip(7) IP_RECVERR. Without IP_RECVERR the kernel hides ENOBUFS.
 */
#ifndef ONTIME_SEND_H
#define ONTIME_SEND_H

#include "egress.h"
#include "output.h"
#include "stage.h"
#include "unread.h"

#define GSO_MOST_BYTES 65000 /* of one super-datagram; the kernel's limit is 65535 with headers */
struct sender {
	struct stage *stage;
	struct egress_journal *journal;
	struct output outputs[MAX_CLASSES][MAX_DESTS];
	uint64_t word[MAX_CLASSES]; /* own commit words */
	uint64_t retry_at_ns[MAX_CLASSES]; /* the kernel had no room: not before this */
	uint64_t look_at_ns; /* at the next output's way */
	int is_starvable; /* softnet.h */
	struct unread unread;
	uint32_t n_outputs, next_output;
	struct output *all_outputs[MAX_CLASSES * MAX_DESTS];
	uint32_t rescued_wire_bytes; /* sent by a predecessor's last call: when in it is not known */
	struct egress_tally tally[MAX_CLASSES];
	/* private copy of the latency histogram; the shared one gets absolute values from it */
	uint64_t latency[MAX_CLASSES][HISTOGRAM_BUCKETS];
};

/* send_init - sockets, own counts, and what a predecessor left. 0, or the exit status after one line. */
int send_init(struct sender *s, struct stage *stage);

/*
 * send_oldest_bytes - wire bytes of the class's oldest packet that is to be sent; 0: none. Releases dropped packets
 * before it, and packets that are late with `late = drop`.
 */
uint32_t send_oldest_bytes(struct sender *s, uint32_t class, uint64_t now);

/* send_is_idle - does nothing wait to be sent, not even for a retry? */
int send_is_idle(struct sender *s);

/* send_look_at_ways - at each output's once a second; call it at least that often. */
void send_look_at_ways(struct sender *s, uint64_t now);

/*
 * send_again_at_ns - when a packet of that class may go, later than now while this CPU's queue to local sockets is as good as full
 * (unread.h); else 0.
 */
uint64_t send_again_at_ns(struct sender *s, uint32_t class, uint64_t now);

/* send_batch - send packets of a class, at most `most_bytes` on the wire. Returns the wire bytes sent. */
uint32_t send_batch(struct sender *s, uint32_t class, uint32_t most_bytes, uint64_t now);

#endif
