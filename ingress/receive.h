/*
 * receive.h - recvmmsg into slots, kernel receive times, kernel drop counts.
 *
 * Memory:  datagrams land in their lane slot at once; the vector the kernel writes to is the journal's.
 * Rules:   where trains come (train.h) a call may read more datagrams than the lane has room for: the rest is published
 *          as there is room, and meanwhile the class is not read.
 *          A datagram longer than payload_bytes is marked oversize, never forwarded cut. With `full = drop` the newest
 *          of a batch that does not fit the queue limit is counted ingress_full.
 * Crash:   receive_init() publishes what the predecessor's last call had received (journal.h).
 * Source:  recvmmsg(2), socket(7) SO_TIMESTAMPNS and SO_RXQ_OVFL (cumulative, so deltas are counted).
 */
#ifndef ONTIME_RECEIVE_H
#define ONTIME_RECEIVE_H

#include "batch.h"
#include "fair.h"
#include "quota.h"
#include "pick.h"
#include "sessions.h"
#include "stage/stage.h"

#define N_BATCHES 2
#define MOST_STAGED 8 /* messages of a call that may be trains: 8 * 64 KiB fit a second-level cache */
#define MOST_SCATTERED_PKTS 64 /* of each of them, that have a vector each */
#define MAX_LISTENING (2 * MAX_FLOWS + MAX_FAIR_SOCKETS)

/* What is known of a socket and trains (train.h). */
struct train_state {
	uint8_t class;
	uint8_t may; /* it takes none, and could */
	uint8_t is_on; /* UDP_GRO is */
	uint8_t votes; /* batches in a row whose datagrams came together */
	uint8_t dry; /* batches in a row without a train */
	/* batches in a row, one aside, whose messages were as `aim` says, the last one at most that long */
	uint8_t even;
	uint32_t most_pkts; /* of a message, lately */
	struct aim aim; /* how many datagrams of how many bytes the last train had */
};

struct receiver {
	struct stage *stage;
	struct batch batches[N_BATCHES]; /* batch.h: one waits for room in its lane, and calls go to the other */
	struct ingress_journal *journal; /* of the batch that is read or published */
	/* of a way back: the epoll instance of its sessions' sockets, or the one socket of all (via) */
	int fd[MAX_FLOWS];
	int listening[MAX_LISTENING]; /* the sockets of all inputs, and those for what is denied (stage/listen.h) */
	struct fair *fair[MAX_FLOWS]; /* of an input with `fair`; then its fd is the epoll instance of its buckets */
	struct quota quota[MAX_CLASSES];
	uint64_t denies; /* bit per flow: its socket for what is denied is in use */
	uint64_t drained_at_ns[MAX_FLOWS]; /* the socket was empty then: what comes later arrived later */
	uint64_t word[MAX_CLASSES]; /* own commit words */
	uint32_t touched_pkts[MAX_CLASSES]; /* slots this process has written to, up to a lap */
	struct ingress_tally tally[MAX_CLASSES];
	uint32_t n_ways_back;
	struct sessions sessions[MAX_WAYS_BACK];
	struct sessions *forth[MAX_CLASSES], *back[MAX_CLASSES]; /* of a class with replies; of a way back; else NULL */
	uint32_t session; /* on a way back: whose socket is read; with `fair`: the bucket */
	struct train_state trains[MAX_FLOWS];
	/*
	 * the slots of each message's datagrams, and the scratch behind; read by the kernel in a call, and never again
	 */
	struct iovec scattered[MOST_STAGED][MOST_SCATTERED_PKTS + 1];
	int came_in_trains; /* some of what the last receive_batch() published */
	int emptied; /* the call of the last receive_batch() got all there were */
};

/*
 * receive_init - read the own counts from the segment, then settle what a predecessor left. 0, or the exit status after
 * one line.
 */
int receive_init(struct receiver *r, struct stage *s, const struct ingress *in);

/* receive_apply - what the configuration says now of sources that are limited. */
void receive_apply(struct receiver *r);

/* receive_room_pkts - how much may be read for a class now; 0: its lane is full, or both batches wait. */
uint32_t receive_room_pkts(const struct receiver *r, uint32_t class);

/*
 * receive_is_due - on a way back: choose the session to read, with `fair` the bucket; 0: none has a datagram. On any
 * other flow: 1.
 */
int receive_is_due(struct receiver *r, const struct ingress *in, int flow);

/*
 * receive_drained - after receive_batch(), which says in `emptied` whether it got all there were: has the flow no more?
 */
int receive_drained(struct receiver *r, const struct ingress *in, int flow, int emptied);

/*
 * receive_batch - read at most n messages of a flow and publish what they hold; or publish more of what was read of its
 * class before. *bytes: payload bytes published or dropped. Returns datagrams likewise, 0 when there were none.
 */
uint32_t receive_batch(struct receiver *r, const struct ingress *in, int flow, uint32_t n, uint32_t *bytes);

/* receive_is_one_socket - is it a way back whose replies come to one socket? */
static inline int receive_is_one_socket(const struct receiver *r, uint32_t class)
{
	return r->back[class] && r->back[class]->has_one_socket;
}

/* receive_waiting - bit per flow: what was read of it before waits for room. */
uint64_t receive_waiting(const struct receiver *r);

/* receive_publish - n more packets of a class, and what was counted since the last commit. */
void receive_publish(struct receiver *r, uint32_t class, uint32_t n);

/*
 * receive_ask_drops - ask each socket how many datagrams it had no room for. A datagram reports the drops before it;
 * drops after the last datagram would never be reported. A system call per socket; call it now and then.
 */
void receive_ask_drops(struct receiver *r, const struct ingress *in);

/* receive_begin_drops - find out which sockets for what is denied are in use, and ask them. */
void receive_begin_drops(struct receiver *r, const struct ingress *in);

#endif
