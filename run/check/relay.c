/* relay.c - the answer for a plain relay. */
#include "relay.h"

#include <inttypes.h>
#include <stdio.h>

#include "copies.h"
#include "look/number.h"
#include "units.h"

#define HEADER_BYTES 28u /* of IP and UDP, which the shaper counts */

int relay_is_plain(const struct config *c, const struct feasible_class *classes)
{
	int any = 0;

	for (uint32_t i = 0; i < c->n_classes; i++) {
		if (classes[i].service_ns)
			return 0;
		any |= classes[i].period_ns != 0;
	}
	return any && c->work == WORK_NONE;
}

/* As it was stated; a period is whole ns. */
static double pps_of(const struct class_config *c, const struct feasible_class *k)
{
	if (c->expected_pps && k->period_ns == NS_PER_S / c->expected_pps)
		return c->expected_pps;
	return k->period_ns ? 1e9 / (double)k->period_ns : 0;
}

static void print_class(const struct class_config *c, const struct feasible_class *k, double load, uint64_t worst_ns)
{
	char pps[GROUPED_BYTES], burst[GROUPED_BYTES];
	int has_deadline = c->budget_ns != BUDGET_NONE, fits = load < 1 && (!has_deadline || worst_ns <= c->budget_ns);

	printf("%s: %s/s in bursts of %s %s", c->name, number_grouped((uint64_t)(pps_of(c, k) + 0.5), pps),
	       number_grouped(k->burst_pkts, burst), fits ? "fit" : "do not fit");
	if (load >= 1)
		printf(": the relay cannot carry all classes together");
	else if (has_deadline)
		printf(": worst %.1f ms of %g ms", (double)worst_ns / 1e6, (double)c->budget_ns / 1e6);
	else
		printf(": worst %.1f ms, no deadline", (double)worst_ns / 1e6);
	if (load < 1 && !fits)
		printf("; it fits with: %s.budget of %.1f ms and more", c->name, (double)worst_ns / 1e6 + 0.05);
	putchar('\n');
}

/* What the sum does not know, as the sizes of packets are not stated. */
static void print_limits(const struct config *c, const struct feasible_class *classes)
{
	double all_pps = 0;
	double most_pps = (double)c->rate_bits_per_s / (8.0 * (c->payload_bytes + HEADER_BYTES));
	char most[GROUPED_BYTES], burst[GROUPED_BYTES];

	for (uint32_t i = 0; i < c->n_classes; i++) /* each copy counts */
		all_pps += pps_of(&c->classes[i], &classes[i]) * copies_of(c, i);
	if (c->rate_bits_per_s && all_pps > most_pps)
		printf("note: `rate` is not reckoned with: of packets of payload_bytes it lets %s/s pass\n",
		       number_grouped((uint64_t)most_pps, most));
	for (uint32_t i = 0; i < c->n_classes; i++)
		if (classes[i].period_ns && (uint64_t)classes[i].burst_pkts * c->payload_bytes > c->socket_buffer_bytes)
			printf("note: %s: a burst of %s packets of payload_bytes is more than socket_buffer can hold\n",
			       c->classes[i].name, number_grouped(classes[i].burst_pkts, burst));
}

int relay_decide(const struct config *c, const struct feasible_class *classes, const struct cost *cost)
{
	double all_pps = 0, load;
	uint64_t all_burst_pkts = 0, worst_ns;
	char most[GROUPED_BYTES];
	int fit = 1;

	for (uint32_t i = 0; i < c->n_classes; i++) {
		double cost_pkts = cost_with_copies(cost, copies_of(c, i));

		all_pps += pps_of(&c->classes[i], &classes[i]) * cost_pkts;
		all_burst_pkts += classes[i].period_ns ? (uint64_t)(classes[i].burst_pkts * cost_pkts + 0.5) : 0;
	}
	load = cost_load(cost, all_pps);
	worst_ns = cost_worst_ns(cost, all_pps, all_burst_pkts);
	printf("a packet costs the relay %.1f us, %s: load %.2f %%, at most %s packets/s\n",
	       (double)cost->packet_ns / 1e3,
	       cost->is_measured ? "measured on the running instance" : "by default (run/check/README.md)", 100 * load,
	       number_grouped(NS_PER_S / cost->packet_ns, most));
	for (uint32_t i = 0; i < c->n_classes; i++) {
		if (!classes[i].period_ns)
			continue;
		print_class(&c->classes[i], &classes[i], load, worst_ns);
		fit &= load < 1 && (c->classes[i].budget_ns == BUDGET_NONE || worst_ns <= c->classes[i].budget_ns);
	}
	print_limits(c, classes);
	return fit;
}
