/*
 * output.h - one destination's socket: made, found to point the wrong way, connected again in place; and how long its
 * packets wait for room.
 *
 * Memory:  the socket is one for all processes that hold it (an open file description), so it is never replaced, only
 *          connected again: what a stage repairs is repaired for its successors and for the supervisor. The rest is
 *          private.
 * Rules:   a connected UDP socket keeps the local address, the interface and the route of the moment it was connected.
 *          So once a second, and when a datagram cannot go, its local address is compared with the one that a fresh
 *          socket gets; where they differ it is dissolved (connect to AF_UNSPEC), bound to its port again and
 *          connected. A scope given by name is looked up anew each time. A route that is better without an error is
 *          found that way too.
 *          A destination that this machine takes nothing for (ENOBUFS: a full queue, or a rule that drops, which look
 *          the same) is waited for a few ms. Then each of its packets gets one try and no wait, until one is taken.
 * Crash:   a death between dissolving and connecting leaves a socket without a destination; the next send says so.
 * Source:  udp(7), ip(7) IP_RECVERR, connect(2) AF_UNSPEC; __udp_disconnect() of Linux also forgets the interface.
 */
#ifndef ONTIME_OUTPUT_H
#define ONTIME_OUTPUT_H

#include "config/config.h"

#define GSO_NO_LIMIT UINT32_MAX
#define ROOM_ALONE_NS (25 * NS_PER_MS) /* longest wait for room: a queue of 3 kB at 1 Mbit/s frees a packet in 12 ms */
#define ROOM_SHARED_NS (2 * NS_PER_MS) /* ... when packets to other destinations wait behind */

struct output {
	int fd;
	const struct address *to; /* as configured */
	const struct class_config *options; /* of its class */
	const char *class;
	uint32_t overhead_bytes; /* IP and UDP header */
	uint8_t tos; /* what the socket sends with; a message may say otherwise */
	uint32_t gso_below_bytes; /* packets of this size or more go singly; 0: all */
	uint64_t gso_again_at_ns; /* until then all go singly */
	uint32_t refusals; /* in a row, without an ICMP error in between, and without a datagram sent */
	/* Refused for lack of room; refused_since_ns 0: the last datagram was taken. */
	uint64_t refused_since_ns, refused_at_ns; /* the first refusal of this row, and the last */
	uint64_t pause_ns; /* doubles while there is no room */
	uint64_t said_at_ns;
	int gives_up; /* no packet waits any more */
	/* The way. */
	uint32_t session_number; /* of the sender that it was made for (layout.h); 0: for none */
	struct session_ports *ports; /* of a session: those that rest */
	const struct sockaddr_in6 *seen; /* likewise: the sender whose address it is bound to; NULL: not bound */
	int is_peerless; /* the socket of a listen address, which replies leave by: each message says where to */
	int has_way; /* as of the last look */
	uint32_t interface; /* to a group: the index of the one that is sent by; 0: the kernel's choice */
	uint32_t n_remade; /* reconnections to another local address; sender_count_remade() resets it */
	uint32_t aims; /* of a session: as of which choice it leads where it should (target.h) */
	int is_retried; /* the packet at the head has had its second try */
	uint64_t mend_at_ns, mend_pause_ns; /* after errors: not before; doubles while nothing helps */
};

/* output_make - the socket that hold made, or a new one in a stage that was started by hand. 0 or -errno. */
int output_make(struct output *o, const struct class_config *c, uint32_t i, int gso);

/* output_take - a socket that is there; `to`: what it is connected to, or for one without a peer: bound to. */
void output_take(struct output *o, const struct class_config *c, const struct address *to, int fd, int gso);

/*
 * output_accept_replies - of a session with a fixed port that is connected: should a predecessor have died before it
 * let them in.
 */
void output_accept_replies(const struct output *o);

/* output_set_tos - the socket sends with what the class's dscp says, or 0 where each datagram keeps its own. */
void output_set_tos(struct output *o);

/*
 * output_look - is the way still the one that a new socket would get? If not, the socket is connected again. 20 to 40
 * us; to a loopback address there is but one way, and no look.
 */
void output_look(struct output *o);

/* output_follow - if the destination is not where the socket leads, it is connected again. */
void output_follow(struct output *o);

/*
 * output_mend - a send failed with err, which another address, route or interface may end. Returns 0 when the socket
 * was connected again: one more try is due. Else the errno under which the packet is dropped.
 */
int output_mend(struct output *o, int err, uint64_t now);

/*
 * output_room_wait_ns - a send failed with err, for want of room: how long to wait before the next try; 0: it is given
 * up.
 * most_ns: ROOM_ALONE_NS or ROOM_SHARED_NS. left_ns: until the packet is worthless.
 */
uint64_t output_room_wait_ns(struct output *o, int err, uint64_t now, uint64_t most_ns, uint64_t left_ns);

/* output_taken - a datagram was sent. */
void output_taken(struct output *o);

/* output_dropped - the packet at the head was not. */
void output_dropped(struct output *o);

#endif
