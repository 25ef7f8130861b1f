/*
 * before.h - packets that nobody asked for yet, kept for a while: what came before one that is asked for.
 *
 * Memory:  one ring of bytes of a fixed size, on the heap. When it is full the oldest packets give way, whatever their
 *          age: was_full says that it has happened.
 */
#ifndef ONTIME_TAPE_BEFORE_H
#define ONTIME_TAPE_BEFORE_H

#include <stddef.h>
#include <stdint.h>

struct before {
	uint8_t *bytes; /* NULL: nothing is kept */
	size_t room, first, used; /* where the oldest lies, and how many bytes are used from there on, round the end */
	uint64_t keep_ns;
	int was_full;
	void (*let_go)(void *arg, uint32_t interface); /* a packet that will not be asked for any more */
	void *arg;
};

/* before_open - 0 or -ENOMEM. keep_ns 0: nothing is kept, and before_put() lets go at once. */
int before_open(struct before *b, size_t room, uint64_t keep_ns, void (*let_go)(void *arg, uint32_t interface),
		void *arg);
void before_close(struct before *b);

/* before_put - a packet's block; at_ns: when it came. They come about in that order. */
void before_put(struct before *b, uint64_t at_ns, uint32_t interface, const uint8_t *block, size_t bytes);

/* before_expire - let go of the oldest, as far as they came more than keep_ns before that time. */
void before_expire(struct before *b, uint64_t at_ns);

/*
 * before_take - hand out what came at most keep_ns before at_ns, the oldest first, to take(), as long as that returns
 * 0, and let go of the rest; each is then no more kept. Returns what take() did.
 */
int before_take(struct before *b, uint64_t at_ns, int (*take)(void *arg, const uint8_t *block, size_t bytes),
		void *arg);

/* before_end - let go of all. */
void before_end(struct before *b);

#endif
