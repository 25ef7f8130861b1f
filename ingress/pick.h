/*
 * pick.h - pure step: which socket to read next, and how much.
 *
 * Memory:  plain private state; not durable.
 * Rules:   byte-based deficit round robin over sockets, each with its class's quantum. A socket does not say how long
 *          its datagrams are, so a flow may overdraw by at most one batch and pays it back (drr.h).
 *          A flow whose lane has no room is left alone: its datagrams wait in the kernel, and their wait counts.
 */
#ifndef ONTIME_INGRESS_H
#define ONTIME_INGRESS_H

#include "config/config.h"
#include "drr.h"

#define LEAST_ASKED 4 /* datagrams: to prepare each takes 10 ns, whether it comes or not */

struct ingress {
	struct drr drr;
	uint32_t n_inputs; /* the first flows: one per listen address */
	uint32_t n_flows; /* ... then one per way back, for the sockets of its sessions together */
	uint64_t ready; /* bit per flow: it may have datagrams */
	uint8_t class_of[MAX_FLOWS];
	uint8_t listen_of[MAX_FLOWS]; /* which of its class's listen addresses */
	uint8_t asks_pkts[MAX_FLOWS]; /* how many datagrams the next call asks for */
};

/*
 * ingress_init - flows in the order of the config: all addresses of the first class, then the next; then the ways back.
 */
void ingress_init(struct ingress *in, const struct config *c);

/*
 * ingress_pick - choose a flow among those that are ready and whose class has room.
 * room_pkts[class]: packets that may be read for it now. Returns the flow, or -1.
 */
int ingress_pick(struct ingress *in, const uint32_t *room_pkts);

/*
 * ingress_asks_pkts - how many datagrams of a flow the next call asks for: LEAST_ASKED to BATCH, by what came with the
 * last ones, and no more than there is room for.
 */
uint32_t ingress_asks_pkts(const struct ingress *in, int flow, uint32_t room_pkts);

/* ingress_learn - that many were asked for, and that many came. More of them are asked for when all came. */
void ingress_learn(struct ingress *in, int flow, uint32_t asked, uint32_t got);

/* ingress_charge - n bytes were read; drained: the flow had no more. */
void ingress_charge(struct ingress *in, int flow, uint32_t bytes, int drained);

#endif
