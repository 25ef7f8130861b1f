/* looks.c - two looks at an instance that never ran. */
#include "looks.h"

#include <stdio.h>
#include <string.h>

#include "units.h"

void take_looks(struct view *before, struct view *now, uint32_t n)
{
	memset(before, 0, sizeof(*before));
	before->at_ns = 10 * NS_PER_S;
	before->created_at_ns = 5 * NS_PER_S;
	before->n_classes = n;
	for (uint32_t i = 0; i < n; i++) {
		struct class_view *c = &before->classes[i];

		snprintf(c->name, sizeof(c->name), "class%u", i);
		c->account.budget_ns = NS_PER_MS;
		c->account.to_edf_limit_pkts = c->account.to_egress_limit_pkts = 256;
	}
	for (int i = 0; i < N_STAGES; i++)
		before->stages[i] = (struct stage_view){ .state = "ready", .pid = 100 + (uint32_t)i, .starts = 1 };
	*now = *before;
	now->at_ns += NS_PER_S;
	for (uint32_t i = 0; i < n; i++) {
		struct account *a = &now->classes[i].account;

		a->received_pkts = a->sent_pkts = 1000;
		a->latency[histogram_bucket(100000)] = 1000;
		a->latency_max_ns = 100000;
		a->latency_sum_ns = 1000 * 90000;
		a->span_sum_ns[SPAN_EDF_WAIT] = 750;
		a->span_sum_ns[SPAN_SOCKET] = 250;
	}
}
