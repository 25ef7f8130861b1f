/*
 * bucket.h - `fair`: which of a class's receive buffers a sender's datagrams go to, here and as a part of the program
 * by which the kernel chooses a socket.
 *
 * Rules:   pure. By the first bits of the sender's address, as many as `source_prefix` says, and nothing else: a sender
 *          stays in its bucket as long as an instance lives. The multiplier is drawn at a launch (config.seed), so
 *          that nobody can know beforehand who shares a bucket with whom.
 */
#ifndef ONTIME_CONFIG_BUCKET_H
#define ONTIME_CONFIG_BUCKET_H

#include <stdbool.h>

#include "program.h"

struct bucket_rule {
	uint32_t n; /* buckets, 2 to MOST_BUCKETS */
	uint32_t bits; /* of the address */
	uint32_t seed;
};

/* bucket_of - of an address of 4 or 16 bytes. */
uint32_t bucket_of(const struct bucket_rule *rule, bool is_v6, const uint8_t *address);

/* bucket_program - returns `first` + the bucket. */
void bucket_program(struct program *p, const struct bucket_rule *rule, bool is_v6, uint32_t first);

#endif
