/*
 * sender.h - what the files of the way out share: the outputs, what waits for them, and the journal of the call.
 *
 * Memory:  struct sender is private to egress, a part of its loop.
 * Rules:   send.h says what may be done with it; batch.h, refusal.h and way.c are parts of that.
 */
#ifndef ONTIME_SENDER_H
#define ONTIME_SENDER_H

#include "output.h"
#include "settle.h"
#include "stage/choice.h"
#include "unread.h"

#define DOUBTS 64 /* senders in doubt that are told apart */
#define LONGEST_SCAN 512 /* slots judged at once, dropped ones included; must fit egress_journal.released[] */

struct sender {
	struct stage *stage;
	struct egress_journal *journal;
	struct settled settled;
	struct way {
		const struct session *sessions; /* of a class with replies, or of the one whose replies it carries */
		uint32_t n_sessions; /* 0: it has none to do with */
		const struct class_config *forth; /* of a way back: the class whose replies it carries; else NULL */
		int first_fd; /* of the sockets of its sessions */
		struct output *outputs; /* one for each of these; NULL on a way back, and with `via` */
		const struct class_config *via; /* the class, if one socket serves all its sessions; else NULL */
		struct output all; /* that one */
		/* beside `all`: takes what no destination has sent (hold/unexpected.h); -1: there is none */
		int unexpected_fd;
		struct output *peers; /* one for each session, where one socket serves many: sender_peer(); else NULL */
		uint64_t known_until_ns; /* what is known of these is of no use any more */
		struct choice *choice; /* of one of several destinations (target.h); NULL: the sender's hash decides */
		uint32_t aims; /* how often that has changed */
	} ways[MAX_CLASSES];
	/* Senders of which a run was refused, each at a place that follows from its address; sender_seen.h. */
	struct doubt {
		struct sockaddr_in6 sender; /* or a sockaddr_in */
		uint64_t until_ns;
	} doubts[DOUBTS];
	uint64_t in_doubt_until_ns; /* the last of them */
	uint64_t retry_at_ns[MAX_CLASSES]; /* the kernel had no room: the class is not tried before this */
	uint32_t n_outputs, next_output;
	uint64_t look_at_ns; /* when the way of the next output is looked at */
	int softnet_fd; /* of softnet.h, on a kernel that may keep what was sent; -1: it does not */
	struct unread unread;
	uint32_t rescued_wire_bytes; /* sent by a predecessor's last call, at an unknown time */
	/*
	 * Last, since the most there can be are many: each is whole when it is taken, and no page of the others is
	 * touched.
	 */
	struct output *all_outputs[MAX_ALL_DESTS + MAX_FLOWS + MAX_CLASSES];
	struct output outputs[MAX_CLASSES][MAX_DESTS]; /* of a way back: by its listen addresses */
};

/* sender_index - the slot of the packet that is `ahead` places behind the head of a class. */
static inline uint32_t sender_index(const struct sender *s, uint32_t class, uint32_t ahead)
{
	return lane_index(&s->stage->seg.views[class], s->settled.sent[class], ahead);
}

/* sender_waiting_pkts - packets that edf has passed on and egress has not released; LONGEST_SCAN at most. */
static inline uint32_t sender_waiting_pkts(const struct sender *s, uint32_t class)
{
	uint64_t n = lane_distance_pkts(lane_processed(s->stage->seg.views[class].lane), s->settled.sent[class]);

	stage_check_counts(s->stage, class, n);
	return n < LONGEST_SCAN ? (uint32_t)n : LONGEST_SCAN;
}

/* sender_session - of a packet in a class with replies, or on the way back. */
const struct session *sender_session(const struct sender *s, uint32_t class, uint32_t index);

/*
 * sender_output - which socket the packet in a slot leaves by: in a class with replies its session's, on the way back
 * that of the address its sender wrote to; else all packets of a source go to the same destination.
 */
struct output *sender_output(struct sender *s, uint32_t class, uint32_t index);

/*
 * sender_peer - what is known of the way to whom the packet in a slot is for: the kernel may refuse what is for one
 * sender of many that a socket serves, and that says nothing of the others.
 */
struct output *sender_peer(struct sender *s, uint32_t class, uint32_t index, uint64_t now);

/* sender_known_peer - of that session, if anything is known of it; else NULL. */
struct output *sender_known_peer(const struct sender *s, uint32_t class, const struct session *session, uint64_t now);

/* sender_common - of a class with sessions: what is known of the way that the packet has in common with others'. */
struct output *sender_common(struct sender *s, uint32_t class, uint32_t index);

/* sender_overhead_bytes - IP and UDP header of that packet. */
uint32_t sender_overhead_bytes(const struct sender *s, uint32_t class, uint32_t index);

/* sender_count_remade - for observers: how often an output was connected again. */
static inline void sender_count_remade(struct sender *s, struct output *o)
{
	if (o->n_remade) /* relaxed: stands alone */
		atomic_fetch_add_explicit(&s->stage->self->remade_sockets, o->n_remade, memory_order_relaxed);
	o->n_remade = 0;
}

#endif
