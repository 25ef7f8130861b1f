/* pick.c - pure step: which socket to read next, and how much. */
#include "pick.h"

#include <string.h>

#include "config/reply.h"

void ingress_init(struct ingress *in, const struct config *c)
{
	uint32_t quantum_bytes[MAX_FLOWS];

	memset(in, 0, sizeof(*in));
	for (uint32_t class = 0; class < c->n_classes; class++)
		for (uint32_t i = 0; i < c->classes[class].n_listen; i++) {
			in->class_of[in->n_flows] = (uint8_t)class;
			in->listen_of[in->n_flows] = (uint8_t)i;
			quantum_bytes[in->n_flows++] = c->classes[class].ingress_quantum_bytes;
		}
	in->n_inputs = in->n_flows;
	for (uint32_t class = 0; class < c->n_classes; class++) {
		if (reply_forth(c, class) < 0)
			continue;
		in->class_of[in->n_flows] = (uint8_t)class;
		quantum_bytes[in->n_flows++] = c->classes[class].ingress_quantum_bytes;
	}
	memset(in->asks_pkts, LEAST_ASKED, sizeof(in->asks_pkts));
	drr_init(&in->drr, in->n_flows, quantum_bytes);
}

int ingress_pick(struct ingress *in, const uint32_t *room_pkts)
{
	uint32_t oldest_bytes[MAX_FLOWS];
	uint32_t any = 0;

	for (uint32_t flow = 0; flow < in->n_flows; flow++) {
		oldest_bytes[flow] = (in->ready >> flow & 1) && room_pkts[in->class_of[flow]];
		any |= oldest_bytes[flow];
	}
	return any ? drr_pick(&in->drr, oldest_bytes) : -1;
}

uint32_t ingress_asks_pkts(const struct ingress *in, int flow, uint32_t room_pkts)
{
	return room_pkts < in->asks_pkts[flow] ? room_pkts : in->asks_pkts[flow];
}

void ingress_learn(struct ingress *in, int flow, uint32_t asked, uint32_t got)
{
	uint32_t asks = in->asks_pkts[flow];

	if (got >= asks)
		asks = 4 * asks < BATCH ? 4 * asks : BATCH;
	else if (got < asks / 4 && asked >= asks)
		asks = asks / 2 > LEAST_ASKED ? asks / 2 : LEAST_ASKED;
	in->asks_pkts[flow] = (uint8_t)asks;
}

void ingress_charge(struct ingress *in, int flow, uint32_t bytes, int drained)
{
	drr_charge(&in->drr, flow, bytes);
	if (drained)
		in->ready &= ~(1ULL << flow);
}
