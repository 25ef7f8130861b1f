/* before.c - what came before. */
#include "before.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN 8

/* In front of each block. A block never goes round the end: what is left there has a head without a block. */
struct head {
	uint64_t at_ns;
	uint32_t bytes, interface; /* bytes 0: the rest up to the end is not used */
};

int before_open(struct before *b, size_t room, uint64_t keep_ns, void (*let_go)(void *arg, uint32_t interface),
		void *arg)
{
	*b = (struct before){ .room = room / ALIGN * ALIGN, .keep_ns = keep_ns, .let_go = let_go, .arg = arg };
	if (keep_ns == 0)
		return 0;
	b->bytes = malloc(b->room);
	return b->bytes ? 0 : -ENOMEM;
}

void before_close(struct before *b)
{
	free(b->bytes);
	b->bytes = NULL;
}

static size_t whole(size_t block_bytes)
{
	return (sizeof(struct head) + block_bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static void skip(struct before *b, size_t bytes)
{
	b->first = (b->first + bytes) % b->room;
	b->used -= bytes;
}

/* The oldest, past what is not used at the end; 0: none is kept. */
static int oldest(struct before *b, struct head *h)
{
	while (b->used) {
		size_t to_end = b->room - b->first;

		if (to_end >= sizeof(*h)) {
			memcpy(h, b->bytes + b->first, sizeof(*h));
			if (h->bytes)
				return 1;
		}
		skip(b, to_end);
	}
	return 0;
}

static void let_go(struct before *b, const struct head *h)
{
	b->let_go(b->arg, h->interface);
	skip(b, whole(h->bytes));
}

static int is_past(const struct before *b, const struct head *h, uint64_t at_ns)
{
	return h->at_ns + b->keep_ns < at_ns;
}

void before_expire(struct before *b, uint64_t at_ns)
{
	struct head h;

	while (b->used && oldest(b, &h) && is_past(b, &h, at_ns))
		let_go(b, &h);
}

void before_end(struct before *b)
{
	struct head h;

	while (b->used && oldest(b, &h))
		let_go(b, &h);
}

/* Room for so many bytes in one piece, behind the newest: where. */
static size_t make_room(struct before *b, size_t bytes)
{
	struct head none = { 0 }, h;

	for (;;) {
		size_t end = (b->first + b->used) % b->room, to_end = b->room - end;
		size_t need = to_end < bytes ? to_end + bytes : bytes;

		if (b->used == 0)
			return b->first = 0;
		if (b->used + need > b->room) {
			b->was_full = 1;
			if (oldest(b, &h))
				let_go(b, &h);
			continue;
		}
		if (to_end >= bytes)
			return end;
		if (to_end >= sizeof(none))
			memcpy(b->bytes + end, &none, sizeof(none));
		b->used += to_end;
	}
}

void before_put(struct before *b, uint64_t at_ns, uint32_t interface, const uint8_t *block, size_t bytes)
{
	struct head h = { at_ns, (uint32_t)bytes, interface };
	size_t at;

	if (!b->bytes || whole(bytes) > b->room) {
		b->let_go(b->arg, interface);
		return;
	}
	at = make_room(b, whole(bytes));
	memcpy(b->bytes + at, &h, sizeof(h));
	memcpy(b->bytes + at + sizeof(h), block, bytes);
	b->used += whole(bytes);
}

int before_take(struct before *b, uint64_t at_ns, int (*take)(void *arg, const uint8_t *block, size_t bytes), void *arg)
{
	struct head h;
	int err = 0;

	while (!err && b->used && oldest(b, &h)) {
		if (is_past(b, &h, at_ns)) {
			let_go(b, &h);
			continue;
		}
		err = take(arg, b->bytes + b->first + sizeof(h), h.bytes);
		if (!err)
			skip(b, whole(h.bytes));
	}
	return err;
}
