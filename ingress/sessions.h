/*
 * sessions.h - the senders of a class with replies: each has a session, and with it a socket of its own towards the
 * destination, so that a reply can be told whose it is.
 *
 * Memory:  the sessions lie in the segment (layout.h), one writer: ingress. What finds them is private
 *          (session_index.h). The sockets are the holder's, one for each session, and live as long as the instance; so
 *          does an epoll instance with all of them in it.
 * Rules:   an answer never reaches another sender than the one that caused it. A session that has been idle gives up
 *          its port first; then what has come is read; only when both lanes have passed its packets, and its socket is
 *          empty, is it free. The next sender gets the one that has been free longest, with another port; what lies in
 *          its socket before the first datagram has left is dropped and counted.
 *          A port that a session gave up is nobody's for a minute, in no class, as far as there are others: an answer
 *          may still be under way to it. The segment remembers, since that is as likely when ingress has died.
 *          Sockets that have more than one batch are read in turn.
 *          With `source = transparent` a destination sees a sender and no address of ours, so that what it answers
 *          could be for either of two addresses that the sender wrote to, or for either of two senders that have one
 *          address on two links: the second is refused while the first has a session.
 * Crash:   a session is made for a datagram whose sender stands in the journal: a successor finds it, or makes it
 *          again. State is stored last. Where the newest packet of a session lies is stored before the packet is
 *          published: too far only means that it is freed later.
 *          A datagram that is dropped because it is nobody's is counted once: it is taken by a call with a journal.
 */
#ifndef ONTIME_INGRESS_SESSIONS_H
#define ONTIME_INGRESS_SESSIONS_H

#include <sys/epoll.h>

#include "session_index.h"
#include "stage/choice.h"
#include "stage/stage.h"

#define MOST_READY 64 /* sockets that epoll tells of at once */
#define MAX_WAYS_BACK (MAX_CLASSES / 2)

struct sessions {
	struct stage *stage;
	uint32_t forth, back; /* the class with replies, and the one they go back as */
	struct session *all;
	uint32_t n;
	int first_fd, poll_fd; /* the socket of session k is first_fd + k */
	/* with `via`: beside the one that serves all, for ICMP errors alone (hold/unexpected.h); or -1 */
	int second_fd;
	int has_one_socket; /* it serves all: addresses of ours tell them apart (via), or their senders' own */
	const struct via *via; /* or NULL */
	int is_by_sender; /* a sender has one session, whichever address it wrote to (config/shown.h) */
	struct session_index index;
	uint64_t *drained_at_ns; /* the socket was empty then */
	struct session_ports *ports;
	struct choice *choice; /* of one of several destinations (aim.h); NULL: the sender's hash decides */
	struct epoll_event ready[MOST_READY];
	int n_ready, next_ready;
	uint64_t free_at_ns; /* when those that wait to be freed are looked at again */
	uint32_t refusals; /* that ICMP told their sockets of, since they were counted */
	int has_more; /* one of these was read, and had more than a batch */
	uint32_t ask_at; /* whose socket is asked for its drops next */
	int asks_tos; /* as the sockets were told last; -1: by the holder */
};

/* A datagram's sender, and where it came in. */
struct sender_address {
	const struct sockaddr_in6 *from; /* or a sockaddr_in */
	const uint8_t *local; /* 16 bytes; zeros where `listen` is that address */
	uint32_t listen;
	uint8_t is_v4_local;
	uint32_t local_scope;
};

/* sessions_key - what is found by. */
struct session_key sessions_key(const struct sessions *x, const struct sender_address *from);

/* sessions_key_of - likewise of one that there is. */
struct session_key sessions_key_of(const struct sessions *x, const struct session *s);

/* sessions_give_up_port - nothing can come to the socket of session k any more. */
void sessions_give_up_port(const struct sessions *x, uint32_t k);

/* sessions_connect - to the destination of session k, by a port that rests no more, or by its fixed one. */
void sessions_connect(struct sessions *x, uint32_t k, uint64_t now);

/* sessions_give_up - a session's port is given up, and rests from now on. */
void sessions_give_up(struct sessions *x, uint32_t k, uint64_t now);

/* sessions_drop_strays - what lies in the socket of session k, which is nobody's, is for nobody. */
void sessions_drop_strays(struct sessions *x, uint32_t k);

/* sessions_count_stray - the last one that a predecessor took, if it died before it counted it. Before all else. */
void sessions_count_stray(struct stage *s);

static inline uint32_t sessions_state(const struct session *s)
{
	return atomic_load_explicit(&s->state, memory_order_relaxed); /* relaxed: its own word, or a predecessor's */
}

/* sessions_open - those of class `forth`, as a predecessor left them. 0, or the exit status after one line. */
int sessions_open(struct sessions *x, struct stage *s, uint32_t forth);

/*
 * sessions_find - the session of a sender, made if need be; -1: none is free for it. count: of the lane behind the
 * datagram, its first if it is made.
 */
int sessions_find(struct sessions *x, const struct sender_address *from, uint64_t count, uint64_t now);

/*
 * sessions_find_back - with one socket: the session that a reply to that address is for, if `from` is its destination;
 * -1: it is for none. port: of the address, where senders' own tell sessions apart.
 */
int sessions_find_back(const struct sessions *x, const uint8_t local[16], in_port_t port,
		       const struct sockaddr_in6 *from);

/* sessions_is_first - is the packet before `count` the first of session k? Any k. */
static inline int sessions_is_first(const struct sessions *x, uint32_t k, uint64_t count)
{
	return k < x->n && x->all[k].first_forth == count;
}

/*
 * sessions_note_forth, sessions_note_back - a datagram of session k is about to be published; `count`: of the lane
 * behind it.
 */
void sessions_note_forth(struct sessions *x, uint32_t k, uint64_t count, uint64_t now);
void sessions_note_back(struct sessions *x, uint32_t k, uint64_t count, uint64_t now);

/* sessions_next - a session whose socket has a datagram, or -1: no socket has. Errors are taken out, and counted. */
int sessions_next(struct sessions *x);

/* sessions_read - that one was read; emptied: it had no more. Returns 1 when no socket is known to have more. */
int sessions_read(struct sessions *x, int emptied);

/* sessions_end_idle - end what has been idle, and free what has ended. Cheap when called often. */
void sessions_end_idle(struct sessions *x, uint64_t now);

/* sessions_due_ns - when sessions_end_idle() is to be called again, UINT64_MAX: nothing is open. */
uint64_t sessions_due_ns(const struct sessions *x, uint64_t now);

/* sessions_apply - what the configuration says now of sockets that are open. */
void sessions_apply(struct sessions *x);

#endif
