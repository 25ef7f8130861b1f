/* packet.h - one released packet: is it asked for, and its block. */
#ifndef ONTIME_TAPE_PACKET_H
#define ONTIME_TAPE_PACKET_H

#include "comment.h"
#include "record.h"

/* A copy, and where it is from. */
struct taken {
	const struct copy *copy;
	uint32_t shard, class;
	uint64_t number; /* which packet of its lane */
};

/* packet_is_wanted - by --late and --dropped. */
int packet_is_wanted(const struct tape_options *o, const struct fate *f);

/* packet_block - into r->block, with as many missed before it; its length. */
size_t packet_block(struct record *r, const struct taken *p, const struct fate *f, uint64_t missed_pkts);

#endif
