/* copies.c - the bandwidth of copies, and of rates of a class and a destination. */
#include "copies.h"

#include <netinet/in.h>
#include <stdio.h>

#include "config/copying.h"

#define BITS 8
#define IPV4_UDP_BYTES 28u
#define IPV6_UDP_BYTES 48u

uint32_t copies_of(const struct config *c, uint32_t class)
{
	uint32_t n = copying_count(&c->classes[class]);

	return n ? n : 1;
}

/* Of a datagram of payload_bytes to one destination, with its headers. */
static double wire_bits(const struct config *c, const struct address *to)
{
	return BITS * (double)(c->payload_bytes + (to->at.ss_family == AF_INET ? IPV4_UDP_BYTES : IPV6_UDP_BYTES));
}

static void print_rate(const char *key, double rate, double needed, const char *what)
{
	if (rate > 0 && rate < needed)
		printf("  %s, %.1f Mbit/s, is less than that: %s\n", key, rate / 1e6, what);
}

/* What leaves of a class at most: of all its copies, or of what goes to one of its destinations. */
static void print_class(const struct config *c, const struct class_config *k, uint32_t n)
{
	double all = 0, most = 0;

	for (uint32_t d = 0; d < k->n_dests; d++) {
		double to = k->expected_pps * wire_bits(c, &k->dests[d]);

		most = to > most ? to : most;
		all += to;
	}
	if (n == 0)
		all = most;
	if (n && all > 0)
		printf("class %s copies to %u destinations: up to %.1f Mbit/s leave, %.1f to each, with datagrams of "
		       "payload_bytes\n",
		       k->name, n, all / 1e6, most / 1e6);
	else if (n)
		printf("class %s copies to %u destinations: %u times what comes leaves; its expected_pps is not said\n",
		       k->name, n, n);
	else if (all > 0)
		printf("class %s: up to %.1f Mbit/s leave, with datagrams of payload_bytes\n", k->name, all / 1e6);
	print_rate("its rate", (double)k->rate_bits_per_s, all, "the class waits");
	print_rate("its destination_rate", (double)k->destination_rate_bits_per_s, most,
		   n ? "what is beyond it is skipped for that destination"
		     : "the class waits, if its senders have not several destinations");
}

void copies_print(const struct config *c)
{
	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct class_config *k = &c->classes[i];
		uint32_t n = copying_count(k);

		if (n || k->rate_bits_per_s || k->destination_rate_bits_per_s)
			print_class(c, k, n);
	}
}
