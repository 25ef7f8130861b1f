/*
 * ends.h - pure: from whom to whom a captured packet went, as far as the segment and the configuration say.
 *
 * Rules:   of a class with replies, its session says it: the sender's address, and the listen address it wrote to; on
 *          the way back the destination's address, and the sender's. A class whose datagrams leave with their sender's
 *          address, or with a header that names it, has it with each packet. Of any other class nothing is known but
 *          where it listens: the sender is 0.0.0.0 or ::, port 0, and the note says so.
 *          What became another sender's session since is not used.
 */
#ifndef ONTIME_TAPE_ENDS_H
#define ONTIME_TAPE_ENDS_H

#include "config/config.h"
#include "shm/segment.h"

struct ends {
	struct sockaddr_in6 from, to; /* or a sockaddr_in; of one family */
	const char *note; /* what is not known; "": nothing */
};

/* ends_find - c: the configuration; NULL: it is not known. o: NULL in a class without. */
void ends_find(struct ends *e, const struct segment *seg, uint32_t class, const struct config *c,
	       const struct arrival *a, const struct origin *o);

#endif
