/* follow.c - what tape copies behind egress is whole or missed, and from whom to whom it was. */
#include <stdlib.h>
#include <string.h>

#include "addresses.h"
#include "config/shown.h"
#include "proxy.h"
#include "random.h"
#include "suites.h"
#include "tape/ends.h"
#include "tape/follow.h"

#define SLOTS 256u
#define PAYLOAD_BYTES 64u
#define ROUNDS 20000

/* A lane, and ingress and egress of it. */
struct ring {
	struct lane lane;
	struct arrival arrivals[SLOTS];
	struct result results[SLOTS];
	struct departure departures[SLOTS];
	uint8_t payload[SLOTS][PAYLOAD_BYTES];
	struct lane_view view;
	uint64_t received, sent;
};

static struct ring *ring_create(uint64_t begin)
{
	struct ring *r = aligned_alloc(LINE, (sizeof(*r) + LINE - 1) / LINE * LINE);

	CU_ASSERT_PTR_NOT_NULL_FATAL(r);
	memset(r, 0, sizeof(*r));
	r->received = r->sent = begin;
	r->lane.received = r->lane.sent = begin << COUNT_SHIFT;
	r->view = (struct lane_view){ .lane = &r->lane,
				      .arrivals = r->arrivals,
				      .results = r->results,
				      .departures = r->departures,
				      .payload = r->payload[0],
				      .slots = SLOTS,
				      .mask = SLOTS - 1,
				      .stride_bytes = PAYLOAD_BYTES };
	return r;
}

/* The kernel writes up to BATCH payloads ahead; `publish` of them become packets. */
static void receive(struct ring *r, uint32_t ahead, uint32_t publish)
{
	for (uint32_t i = 0; i < ahead; i++) {
		uint64_t number = i < publish ? r->received + i : UINT64_MAX;
		uint32_t at = (uint32_t)(r->received + i) % SLOTS;

		memset(r->payload[at], 0, PAYLOAD_BYTES);
		memcpy(r->payload[at], &number, sizeof(number));
		if (i < publish)
			r->arrivals[at] = (struct arrival){ .arrived_at_ns = r->received + i, .len_bytes = 8 };
	}
	r->received += publish;
	r->lane.received = r->received << COUNT_SHIFT | (r->received & 0xffff);
}

static void release(struct ring *r, uint32_t n)
{
	r->sent += n;
	r->lane.sent = r->sent << COUNT_SHIFT | 3;
}

static uint32_t least(uint64_t a, uint64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

/* As counts of 48 bits. */
static int is_same(uint64_t a, uint64_t b)
{
	return a << COUNT_SHIFT == b << COUNT_SHIFT;
}

/* Is what counts as whole the packet that it is counted as? Returns how many are whole. */
static uint64_t look(struct follower *f, struct place *p, const struct ring *r, int *is_wrong)
{
	uint64_t whole = 0;
	uint32_t first, n = follow_next(f, p, &r->view, BATCH, &first);

	for (uint32_t i = first; i < n; i++, whole++) {
		uint64_t number = (p->word >> COUNT_SHIFT) - n + i, said = 0;

		memcpy(&said, f->copies[i].payload, sizeof(said));
		*is_wrong |= !is_same(said, number) || !is_same(f->copies[i].arrival.arrived_at_ns, number) ||
			     f->copies[i].payload_bytes != 8;
	}
	return whole;
}

static void a_packet_is_whole_or_missed(void)
{
	struct ring *r = ring_create((1ULL << 48) - 5000); /* counts go round */
	uint64_t seed = 11, whole = 0;
	struct follower f;
	struct place p;
	int is_wrong = 0;

	CU_ASSERT_EQUAL_FATAL(follow_open(&f, PAYLOAD_BYTES), 0);
	place_begin(&p, &r->view);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t random = random_next(&seed), room = SLOTS - (r->received - r->sent);
		uint32_t ahead = least(random % (BATCH + 1), room);

		receive(r, ahead, random & 256 ? ahead / 2 : ahead);
		release(r, least(random >> 20 & 127, r->received - r->sent));
		if (random >> 40 & 3)
			whole += look(&f, &p, r, &is_wrong);
	}
	while (follow_waiting(&p, &r->view))
		whole += look(&f, &p, r, &is_wrong);
	CU_ASSERT(!is_wrong);
	CU_ASSERT(whole > 1000 && p.missed_pkts > 1000);
	CU_ASSERT_EQUAL(whole + p.missed_pkts, p.released_pkts);
	CU_ASSERT_EQUAL(p.released_pkts, r->sent - ((1ULL << 48) - 5000));
	follow_close(&f);
	free(r);
}

static void what_keeps_up_misses_nothing(void)
{
	struct ring *r = ring_create(0);
	struct follower f;
	struct place p;
	int is_wrong = 0;
	uint64_t whole = 0;

	CU_ASSERT_EQUAL_FATAL(follow_open(&f, PAYLOAD_BYTES), 0);
	place_begin(&p, &r->view);
	for (int i = 0; i < ROUNDS; i++) {
		receive(r, 40, 20);
		release(r, 20);
		whole += look(&f, &p, r, &is_wrong);
	}
	CU_ASSERT(!is_wrong && whole == 20ULL * ROUNDS && p.missed_pkts == 0);
	follow_close(&f);
	free(r);
}

static void what_is_returned_comes_again(void)
{
	struct ring *r = ring_create(0);
	struct follower f;
	struct place p;
	uint32_t first;

	CU_ASSERT_EQUAL_FATAL(follow_open(&f, 0), 0); /* and without payload */
	place_begin(&p, &r->view);
	receive(r, 10, 10);
	release(r, 10);
	CU_ASSERT(follow_next(&f, &p, &r->view, BATCH, &first) == 10 && first == 0);
	CU_ASSERT(f.copies[9].payload_bytes == 0 && f.copies[9].arrival.len_bytes == 8);
	follow_return(&p, 4);
	CU_ASSERT_EQUAL(p.released_pkts, 6);
	CU_ASSERT_EQUAL(follow_next(&f, &p, &r->view, BATCH, &first), 4);
	CU_ASSERT_EQUAL(f.copies[0].arrival.arrived_at_ns, 6);
	receive(r, 3, 3);
	release(r, 3);
	CU_ASSERT_EQUAL(follow_skip(&p, &r->view), 3);
	CU_ASSERT_EQUAL(p.released_pkts, 13);
	follow_close(&f);
	free(r);
}

/* A segment of one class, and its way back as the second. */
struct world {
	struct segment seg;
	struct config config;
	struct session sessions[2];
	struct arrival a;
};

static void set(struct address *to, struct sockaddr_in6 at)
{
	memcpy(&to->at, &at, sizeof(at));
	to->len = sizeof(at);
}

static struct world *world_create(void)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	w.seg.n_classes = w.config.n_classes = 2;
	w.config.classes[0].n_listen = w.config.classes[0].n_dests = 1;
	set(&w.config.classes[0].listen[0], v4("0.0.0.0", 7777));
	set(&w.config.classes[0].dests[0], v4("10.0.0.5", 9));
	w.seg.views[0].sessions = w.sessions;
	w.a = (struct arrival){ .published_at_ns = 1000, .source = 1 };
	return &w;
}

static int is(const struct sockaddr_in6 *a, struct sockaddr_in6 wanted)
{
	return memcmp(a, &wanted, wanted.sin6_family == AF_INET ? 8 : 24) == 0;
}

static void a_session_says_who_and_whom(void)
{
	struct world *w = world_create();
	struct ends e;

	w->seg.views[0].n_sessions = w->seg.header.classes[0].n_sessions = 2;
	w->sessions[1].client = v4("192.0.2.1", 50000);
	memcpy(w->sessions[1].local, "\xc6\x33\x64\x09", 4);
	w->sessions[1].is_v4_local = 1;
	ends_find(&e, &w->seg, 0, &w->config, &w->a, NULL);
	CU_ASSERT(is(&e.from, v4("192.0.2.1", 50000)) && is(&e.to, v4("198.51.100.9", 7777)) && e.note[0] == 0);
	w->seg.header.classes[1].forth = 1;
	ends_find(&e, &w->seg, 1, &w->config, &w->a, NULL);
	CU_ASSERT(is(&e.from, v4("10.0.0.5", 9)) && is(&e.to, v4("192.0.2.1", 50000)) && e.note[0] == 0);
	w->sessions[1].freed_at_ns = 1001; /* it may be another's by now */
	ends_find(&e, &w->seg, 0, &w->config, &w->a, NULL);
	CU_ASSERT(is(&e.from, v4("0.0.0.0", 0)) && is(&e.to, v4("0.0.0.0", 7777)));
	CU_ASSERT_STRING_EQUAL(e.note, "sender=unknown");
	w->a.source = 9; /* no session has that number */
	ends_find(&e, &w->seg, 1, &w->config, &w->a, NULL);
	CU_ASSERT_STRING_EQUAL(e.note, "sender=unknown listen=unknown");
}

static void an_origin_says_it_too(void)
{
	struct world *w = world_create();
	struct origin o = { .header_bytes = 0 };
	struct sockaddr_in6 from = v6("2001:db8::1", 5), to = v6("2001:db8::2", 6);
	struct ends e;

	o.header_bytes = (uint8_t)proxy_write(o.header, &from, &to);
	ends_find(&e, &w->seg, 0, &w->config, &w->a, &o);
	CU_ASSERT(is(&e.from, from) && is(&e.to, to) && e.note[0] == 0);
	memset(o.header, 0, 12); /* no such header */
	ends_find(&e, &w->seg, 0, &w->config, &w->a, &o);
	CU_ASSERT_STRING_EQUAL(e.note, "sender=unknown");
	o = (struct origin){ .sender = v4("192.0.2.7", 8) };
	w->config.classes[0].source = SOURCE_TRANSPARENT;
	ends_find(&e, &w->seg, 0, &w->config, &w->a, &o);
	CU_ASSERT(is(&e.from, v4("192.0.2.7", 8)) && is(&e.to, v4("0.0.0.0", 7777)) && e.note[0] == 0);
	o.sender = v6("2001:db8::9", 8); /* not of the family that is listened on */
	ends_find(&e, &w->seg, 0, &w->config, &w->a, &o);
	CU_ASSERT(is(&e.from, v6("2001:db8::9", 8)) && is(&e.to, v6("::", 7777)));
}

static void where_nothing_is_known_a_note_says_so(void)
{
	struct world *w = world_create();
	struct ends e;

	ends_find(&e, &w->seg, 0, &w->config, &w->a, NULL);
	CU_ASSERT(is(&e.from, v4("0.0.0.0", 0)) && is(&e.to, v4("0.0.0.0", 7777)));
	w->config.classes[0].n_listen = 2;
	ends_find(&e, &w->seg, 0, &w->config, &w->a, NULL);
	CU_ASSERT_STRING_EQUAL(e.note, "sender=unknown listen=first_of_several");
	ends_find(&e, &w->seg, 0, NULL, &w->a, NULL);
	CU_ASSERT(is(&e.to, v4("0.0.0.0", 0)));
	CU_ASSERT_STRING_EQUAL(e.note, "sender=unknown listen=unknown");
}

SUITE(follow, TEST(a_packet_is_whole_or_missed), TEST(what_keeps_up_misses_nothing), TEST(what_is_returned_comes_again),
      TEST(a_session_says_who_and_whom), TEST(an_origin_says_it_too), TEST(where_nothing_is_known_a_note_says_so))
