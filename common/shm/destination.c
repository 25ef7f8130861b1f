/* destination.c - what a scout knows of a destination, written and read whole. */
#include "destination.h"

#include <stdio.h>
#include <string.h>

#include "log.h"

#define MOST_TRIES 100 /* a scout writes some times a second at most */

static int makes_sense(struct destination_state *s)
{
	s->name[DESTINATION_NAME_BYTES - 1] = '\0';
	for (char *at = s->name; *at; at++)
		if (*at < ' ' || *at > '~')
			return 0;
	return s->is < N_DESTINATION_STATES && s->why < N_DESTINATION_REASONS &&
	       (s->address.sin6_family == AF_INET || s->address.sin6_family == AF_INET6);
}

int destination_read(const struct destination *d, struct destination_state *s)
{
	uint64_t words[DESTINATION_WORDS];

	for (int i = 0; i < MOST_TRIES; i++) {
		/* ORDER destination: acquire; pairs with the release in destination_write(). */
		uint64_t serial = atomic_load_explicit(&d->serial, memory_order_acquire);

		if (serial == 0)
			return 0;
		for (size_t w = 0; w < DESTINATION_WORDS; w++) /* relaxed: checked by reading the serial again */
			words[w] = atomic_load_explicit(&d->banks[serial & 1][w], memory_order_relaxed);
		/* ORDER destination: acquire; pairs with the fence in destination_write(). */
		atomic_thread_fence(memory_order_acquire);
		if (atomic_load_explicit(&d->serial, memory_order_relaxed) != serial)
			continue;
		memcpy(s, words, sizeof(*s));
		return makes_sense(s);
	}
	return 0;
}

void destination_write(struct destination *d, const struct destination_state *s)
{
	/* relaxed: its one writer */
	uint64_t next = atomic_load_explicit(&d->serial, memory_order_relaxed) + 1, words[DESTINATION_WORDS];

	next += next == 0 ? 2 : 0;
	memcpy(words, s, sizeof(words));
	/*
	 * ORDER destination: release; pairs with the acquire fence in destination_read(). Who sees a word of this bank
	 * sees that the serial has left it.
	 */
	atomic_thread_fence(memory_order_release);
	for (size_t w = 0; w < DESTINATION_WORDS; w++) /* relaxed: published by the serial */
		atomic_store_explicit(&d->banks[next & 1][w], words[w], memory_order_relaxed);
	/* ORDER destination: release; pairs with the acquire in destination_read(). */
	atomic_store_explicit(&d->serial, next, memory_order_release);
}

void destination_raise(struct destinations *all)
{
	/* relaxed: its one writer */
	uint64_t n = atomic_load_explicit(&all->changes, memory_order_relaxed);

	/* ORDER destinations: release; pairs with the acquire in choice_look(). */
	atomic_store_explicit(&all->changes, (n + 1) & INT64_MAX, memory_order_release);
}

const char *destination_is_name(uint32_t is)
{
	static const char *const names[N_DESTINATION_STATES] = { "up", "down", "drained" };

	return is < N_DESTINATION_STATES ? names[is] : "unknown";
}

const char *destination_why_name(uint32_t why)
{
	static const char *const names[N_DESTINATION_REASONS] = { "first",  "answers", "errno", "refused", "silent",
								  "status", "wrong",   "quiet", "tried",   "asked" };

	return why < N_DESTINATION_REASONS ? names[why] : "unknown";
}

const char *destination_tell(const struct destination_state *s, char text[DESTINATION_TELL_BYTES])
{
	static const char *const words[N_DESTINATION_REASONS] = {
		[WHY_FIRST] = "nothing was seen of it yet",
		[WHY_ANSWERS] = "nothing is wrong with it",
		[WHY_REFUSED] = "nobody is there (ICMP)",
		[WHY_SILENT] = "no answer in time",
		[WHY_WRONG] = "it answers otherwise than expected",
		[WHY_QUIET] = "its sessions ask, and none is answered",
		[WHY_TRIED] = "it was quiet, and gets another try",
		[WHY_ASKED] = "drain names it",
	};

	if (s->why == WHY_ERRNO)
		snprintf(text, DESTINATION_TELL_BYTES, "%s", log_text_of((int)s->number));
	else if (s->why == WHY_STATUS)
		snprintf(text, DESTINATION_TELL_BYTES, "HTTP status %u", s->number);
	else
		snprintf(text, DESTINATION_TELL_BYTES, "%s",
			 s->why < N_DESTINATION_REASONS ? words[s->why] : "unknown");
	return text;
}
