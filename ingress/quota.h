/*
 * quota.h - `source_rate`: how much of one source passes (GCRA, the generic cell rate algorithm).
 *
 * Memory:  the sources lie in the segment (struct guard), in sets of SOURCES_OF_SET; writer: ingress.
 * Rules:   pure but for the sources that it changes. The time is that of a datagram's arrival.
 *          In any time t at most rate * t + burst datagrams of a source pass. A new source takes the place of that of
 *          its set which has used up least; one whose time is over is forgotten without a loss. So nobody is limited
 *          for what others sent, however many they are. What many others can do is to have a source forgotten that has
 *          used up something: SOURCES_OF_SET of its set must have used up more than that at this moment; then it has
 *          its burst once more.
 *          A source that is over its limit has used up most, and is the last that is forgotten.
 * Crash:   what a batch has used up is stored before the batch is published, with the commit word that it began with. A
 *          successor takes back what bears the word that it finds, since that batch was not published, and counts the
 *          same datagrams again: a kill gives no source a second burst, and takes from none.
 * Source:  ITU-T I.371, annex A.
 */
#ifndef ONTIME_INGRESS_QUOTA_H
#define ONTIME_INGRESS_QUOTA_H

#include <netinet/in.h>

#include "config/config.h"
#include "shm/layout.h"

struct quota {
	struct guard_source *sources; /* NULL: the class limits nobody */
	uint64_t period_ns; /* of a datagram at this rate */
	uint64_t burst_ns; /* of as many as may pass at once */
	uint32_t bits[2]; /* of an address of IPv4, of IPv6 */
	uint64_t seed;
};

/* quota_hash - all datagrams of a source have the same; bits: of an address of IPv4, of IPv6. */
uint16_t quota_hash(const uint32_t bits[2], const struct sockaddr_in6 *from);

/* quota_begin - as the class says now; sources: of its struct guard, or NULL. */
void quota_begin(struct quota *l, const struct class_config *class, struct guard_source *sources, uint64_t seed);

/*
 * quota_passes - one more of that sender (or of the sockaddr_in it is), in the batch of that commit word. now: not
 * before any arrival.
 */
int quota_passes(const struct quota *l, const struct sockaddr_in6 *from, uint64_t word, uint64_t arrived_at_ns,
		 uint64_t now);

/* quota_undo - forget what the batch of that commit word has used up: it was not published. */
void quota_undo(const struct quota *l, uint64_t word);

/* quota_store_late - of builds that break rules (mutant.h): what was used up is stored now, when it is published. */
void quota_store_late(void);

#endif
