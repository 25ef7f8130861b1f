/*
 * session_index.h - which session a sender has, which one the next sender gets, and which has been idle longest.
 *
 * Memory:  private to ingress, made again from the segment at each start; one allocation, never freed.
 * Rules:   a session is in one of four lists, oldest first: free (by when it became so), unanswered and answered (by
 *          their newest datagram), closing. So each step is a few stores, however many sessions there are.
 *          The hash is keyed with a random number, so that nobody can choose addresses that meet in one chain.
 * Source:  hash chains; lists as in any LRU cache.
 */
#ifndef ONTIME_INGRESS_SESSION_INDEX_H
#define ONTIME_INGRESS_SESSION_INDEX_H

#include <stdint.h>

/* Who it is: the sender, and the address it wrote to. No padding, since keys are compared as bytes. */
struct session_key {
	uint8_t address[16]; /* of the sender, as on the wire; 4 bytes of IPv4 */
	uint8_t local[16]; /* zeros where `listen` is that address */
	uint32_t scope; /* interface, if the sender or `local` is link-local */
	uint16_t port;
	uint8_t family, listen;
};

enum session_list { LIST_FREE, LIST_UNANSWERED, LIST_ANSWERED, LIST_CLOSING, N_SESSION_LISTS };

struct session_index {
	uint32_t n, mask; /* sessions; chains - 1 */
	uint64_t seed;
	struct session_place *places; /* one for each session */
	struct session_source *sources; /* one for each address that has a session */
	uint16_t *by_key, *by_source; /* first of each chain */
	uint16_t free_source;
	uint16_t first[N_SESSION_LISTS], last[N_SESSION_LISTS];
};

/* session_index_init - n sessions, none of them in a list. 0 or -ENOMEM. */
int session_index_init(struct session_index *x, uint32_t n, uint64_t seed);

/* session_index_find - the session of that sender, or -1. */
int session_index_find(const struct session_index *x, const struct session_key *key);

/* session_index_count - sessions of the key's address; of IPv6: of its network of 64 bits, link-local ones apart. */
uint32_t session_index_count(const struct session_index *x, const struct session_key *key);

/* session_index_open - session k, which is free or in no list, is that sender's. */
void session_index_open(struct session_index *x, uint32_t k, const struct session_key *key, int is_answered,
			uint64_t last_ns);

/*
 * session_index_touch - a datagram came at last_ns, or now is as good as that; of one that is nobody's nothing is
 * noted.
 */
void session_index_touch(struct session_index *x, uint32_t k, int is_answered, uint64_t last_ns);

/* session_index_close - it is nobody's any more. */
void session_index_close(struct session_index *x, uint32_t k);

/* session_index_put - to the end of a list that has no sender: free or closing. */
void session_index_put(struct session_index *x, uint32_t k, enum session_list list);

/* session_index_oldest - the first of a list, or -1; session_index_last_ns - when its newest datagram came. */
int session_index_oldest(const struct session_index *x, enum session_list list);
uint64_t session_index_last_ns(const struct session_index *x, uint32_t k);

#endif
