/*
 * mutate.h - stores to a segment that no stage would make: where, how wide and what is taken from the input.
 *
 * Memory:  struct places is private: what of a mapped segment is stored to, by name of its regions, payload included.
 */
#ifndef ONTIME_TESTS_FUZZ_MUTATE_H
#define ONTIME_TESTS_FUZZ_MUTATE_H

#include "input.h"
#include "shm/segment.h"

#define MOST_PLACES (6 + 8 * MAX_CLASSES)

struct place_bytes {
	uint8_t *at;
	size_t bytes;
};

struct places {
	uint32_t n;
	struct place_bytes all[MOST_PLACES];
};

static inline void places_add(struct places *p, void *at, size_t bytes)
{
	if (at && bytes)
		p->all[p->n++] = (struct place_bytes){ at, bytes };
}

/* places_of - all that is written while an instance runs, and, with_header, what is not. */
static inline void places_of(struct places *p, const struct segment *seg, int with_header)
{
	struct shared *s = seg->shared;

	p->n = 0;
	if (with_header)
		places_add(p, &s->header, sizeof(s->header));
	places_add(p, s->stages, sizeof(s->stages));
	places_add(p, &s->ingress_journal, sizeof(s->ingress_journal));
	places_add(p, &s->ingress_journal_aside, sizeof(s->ingress_journal_aside));
	places_add(p, &s->edf_journal, sizeof(s->edf_journal));
	places_add(p, &s->egress_journal, sizeof(s->egress_journal));
	for (uint32_t i = 0; i < seg->n_classes; i++) {
		const struct lane_view *v = &seg->views[i];

		places_add(p, v->lane, sizeof(*v->lane));
		places_add(p, v->arrivals, v->slots * sizeof(*v->arrivals));
		places_add(p, v->results, v->slots * sizeof(*v->results));
		places_add(p, v->departures, v->slots * sizeof(*v->departures));
		places_add(p, v->sessions, v->n_sessions * sizeof(*v->sessions));
		places_add(p, v->origins, v->origins ? v->slots * sizeof(*v->origins) : 0);
		places_add(p, v->payload, v->slots * (size_t)v->stride_bytes);
		places_add(p, v->ports, v->ports ? sizeof(*v->ports) : 0);
	}
}

/* places_store - one store. */
static inline void places_store(const struct places *p, struct input *in)
{
	static const uint64_t odd[] = { 0, 1, UINT64_MAX, 1ULL << 63, 0x0101010101010101ULL, UINT32_MAX, 1ULL << 32 };
	const struct place_bytes *b = &p->all[input_byte(in) % p->n];
	size_t at = (size_t)input_half(in) * 4 % b->bytes;
	uint8_t how = input_byte(in);
	uint64_t word = 0;
	size_t wide = how & 1 ? 8 : how & 2 ? 4 : 1;

	wide = wide <= b->bytes - at ? wide : b->bytes - at;
	memcpy(&word, b->at + at, wide);
	switch (how >> 2 & 3) {
	case 0:
		word = odd[(how >> 4) % (sizeof(odd) / sizeof(odd[0]))];
		break;
	case 1:
		word ^= 1ULL << (input_byte(in) % 64);
		break;
	case 2:
		word += (uint64_t)input_byte(in) - 128;
		break;
	default:
		word = input_word(in);
	}
	memcpy(b->at + at, &word, wide);
}

#endif
