/* flows.c - a rig's test traffic: exact, in order, and its account. */

#include "harness.h"
#include <errno.h>
#include <poll.h>
#include "traffic/packet.h"
#include "random.h"

#define IN_FLIGHT_PKTS 32 /* fits the smallest socket buffer there is without privileges */

static uint32_t random_below(struct rig *r, uint32_t n)
{
	return (uint32_t)(random_next(&r->random) >> 32) % n;
}

void send_pkts(struct rig *r, uint32_t class, uint32_t n, uint32_t bytes)
{
	struct rig_flow *f = &r->flows[class];
	uint8_t payload[LARGEST_BYTES];

	for (uint32_t i = 0; i < n; i++) {
		uint32_t len = bytes == ANY_SIZE ? random_below(r, LARGEST_BYTES + 1) : bytes;

		expect(f->sent_pkts < MAX_SENT_PKTS && len <= LARGEST_BYTES);
		packet_fill(payload, len, f->sent_pkts, class);
		if (send(f->out_fd[0], payload, len, 0) != (ssize_t)len)
			test_fail(__LINE__, "send %u bytes: %s", len, strerror(errno));
		f->bytes[f->sent_pkts++] = (uint16_t)len;
	}
}

/* The datagram that is due, or the end of the test. */
static void check_next(struct rig_flow *f, uint32_t class, const uint8_t *payload, ssize_t len)
{
	uint8_t should[LARGEST_BYTES];

	expect(f->next_pkts < f->sent_pkts);
	if (len != f->bytes[f->next_pkts])
		test_fail(__LINE__, "class %u: datagram %u has %zd bytes, not %u", class, f->next_pkts, len,
			  f->bytes[f->next_pkts]);
	packet_fill(should, (uint32_t)len, f->next_pkts, class);
	if (memcmp(payload, should, (size_t)len) != 0)
		test_fail(__LINE__, "class %u: datagram %u has other content", class, f->next_pkts);
	f->next_pkts++;
}

void receive_pkts(struct rig *r, uint32_t class, uint32_t n)
{
	struct rig_flow *f = &r->flows[class];
	struct pollfd poll_in = { .fd = f->sink_fd[0], .events = POLLIN };
	uint8_t payload[2048];

	while (n > 0) {
		ssize_t len = recv(f->sink_fd[0], payload, sizeof(payload), MSG_DONTWAIT);

		if (len >= 0) {
			check_next(f, class, payload, len);
			n--;
		} else if (poll(&poll_in, 1, (int)(PATIENCE_NS / NS_PER_MS)) == 0) {
			test_fail(__LINE__, "class %u: datagram %u never came", class, f->next_pkts);
		}
	}
}

uint32_t drain_sink(struct rig *r, uint32_t class)
{
	uint8_t payload[2048];
	uint32_t n = 0;

	while (recv(r->flows[class].sink_fd[0], payload, sizeof(payload), MSG_DONTWAIT) >= 0)
		n++;
	return n;
}

void relay_pkts(struct rig *r, uint32_t n, uint32_t bytes)
{
	while (n > 0) {
		uint32_t now = n < IN_FLIGHT_PKTS ? n : IN_FLIGHT_PKTS;

		for (uint32_t class = 0; class < r->n_classes; class++)
			send_pkts(r, class, now, bytes);
		for (uint32_t class = 0; class < r->n_classes; class++)
			receive_pkts(r, class, now);
		n -= now;
	}
}

struct account account_of(const struct rig *r, uint32_t class)
{
	struct account a;

	expect(account_read(&r->seg, class, &a) == 0);
	expect_equal(a.unbalanced_pkts, 0);
	return a;
}

void expect_balanced(const struct rig *r)
{
	for (uint32_t class = 0; class < r->n_classes; class++) {
		/*
		 * What was sent arrives before egress counts it; where nothing arrives it may not even have been
		 * received.
		 */
		await(account_of(r, class).held_pkts == 0 &&
		      account_of(r, class).received_pkts >= r->flows[class].sent_pkts);
		expect_equal(account_of(r, class).received_pkts, r->flows[class].sent_pkts);
	}
}
