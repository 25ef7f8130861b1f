/*
 * batch.h - the packets of one system call: of one class, to one destination, in order.
 *
 * Memory:  the vector of messages lies in the journal, where the kernel marks it and a successor reads it. What this
 *          process believes of it is kept apart, in struct batch, because others can write to the segment.
 * Rules:   packets of equal size form a run, which goes as one message (a super-datagram, UDP_SEGMENT) whose last part
 *          may be shorter, and all of whose packets have one type of service. What that is, is said with a message
 *          where it is another one than the socket's. Dropped packets between them are released with the message before
 *          them.
 *          A header that names the sender goes in front of each packet as a vector of its own; what counts of a packet
 *          in a run is its length with the header.
 *          On the way back a message is for one sender, and leaves from the address that it wrote to.
 *          Where a destination sees the sender's address, a message is from one sender; where the port too, a message
 *          is one packet, with an IP and a UDP header as the first of its vectors.
 * Source:  udp(7) UDP_SEGMENT; ip(7) IP_PKTINFO.
 */
#ifndef ONTIME_BATCH_H
#define ONTIME_BATCH_H

#include "sender_seen.h"

#define GSO_MOST_BYTES 65000 /* of one super-datagram; the kernel's limit is 65535 with headers */

struct batch {
	uint32_t class, n_msgs, n_pkts, n_vectors, wire_bytes;
	struct output *to; /* one of the sender's */
	int has_one_way; /* all packets of the class leave by `to` */
	struct output *common; /* what is known of the way there for all senders; `to` where there are no sessions */
	uint32_t gso_below_bytes; /* of whom the last message is for, as of now */
	uint32_t scanned; /* slots judged: packets to send and dropped ones */
	uint32_t run_len_bytes, run_total_bytes, run_pkts; /* of the last message, while it can take more */
	uint8_t run_tos; /* of the last message */
	const struct session *session; /* likewise: on the way back, and with `via`, whose it is; else NULL */
	const struct sockaddr_in6 *sender; /* likewise: whom its destination is to see; NULL: this machine */
	uint32_t control_bytes; /* likewise: what it says beside its payload */
	int is_raw; /* messages have an IP header of ours, which the kernel counts as payload */
	uint32_t first_len_bytes; /* length of the packets of the first message */
	uint16_t released[BATCH]; /* slots released once message i is sent; as in the journal */
	uint8_t pkts[BATCH]; /* packets of message i */
	uint32_t bytes[BATCH]; /* of message i, with all headers that are ours, and those of IP and UDP */
	const struct session *sessions[BATCH]; /* of message i; unset in a class that has none to do with */
	const struct sockaddr_in6 *first_sender; /* as `sender`, of the first message */
	struct sockaddr_in6 names[BATCH]; /* on the way back, and with `via`: who message i is for */
	uint8_t headers[BATCH][UDP_HEADER_MOST_BYTES]; /* of packet i, where is_raw */
};

/*
 * batch_admits - is the packet in a slot to be sent? Not if an earlier stage dropped it. With `late = drop` not if its
 * deadline has passed, which is noted in its departure.
 */
int batch_admits(struct sender *s, uint32_t class, uint32_t index, uint64_t now);

/*
 * batch_build - collect packets from the head of a class on, at most most_bytes on the wire. The head itself was
 * admitted before, and goes whatever most_bytes is.
 */
void batch_build(struct batch *b, struct sender *s, uint32_t class, uint32_t most_bytes, uint64_t now);

/*
 * batch_build_copy - likewise in a class that copies, for the destination whose turn it is: of the batch under copying,
 * from its head on. Nothing is judged again, and released[] counts from the head.
 */
void batch_build_copy(struct batch *b, struct sender *s, uint32_t class, uint32_t most_bytes);

/* batch_is_offered - of a slot of the batch under copying: is it for the destinations? It was judged before. */
static inline int batch_is_offered(const struct lane_view *v, uint32_t index)
{
	return v->results[index].drop == DROP_NONE && v->departures[index].drop != DROP_LATE_EGRESS &&
	       v->departures[index].drop != DROP_NO_DESTINATION;
}

/* batch_wire_bytes - what the first n messages were on the wire. */
uint32_t batch_wire_bytes(const struct batch *b, uint32_t n_msgs);

#endif
