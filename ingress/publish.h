/*
 * publish.h - what was read becomes packets of a lane: as far as there is room, in order, by one commit.
 *
 * Rules:   with `full = wait` the rest waits in its batch; with `full = drop` it is dropped, as ingress_full.
 * Crash:   see batch.h: all that is done before the commit is done again, from what stays as it is.
 */
#ifndef ONTIME_INGRESS_PUBLISH_H
#define ONTIME_INGRESS_PUBLISH_H

#include "receive.h"

/* publish_most_pkts - packets of the class that may still be published. */
uint32_t publish_most_pkts(const struct receiver *r, uint32_t class);

/*
 * publish_batch - publish what there is room for of a batch, and close it when that is all; used after a call, when
 * there is room again, and by a successor alike. Returns packets published or dropped, *bytes: their payload.
 */
uint32_t publish_batch(struct receiver *r, const struct ingress *in, struct batch *b, uint32_t *bytes);

#endif
