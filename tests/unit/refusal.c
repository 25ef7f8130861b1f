/* refusal.c - what follows when a super-datagram is refused. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "egress/refusal.h"
#include "log.h"
#include "stage/icmp.h"
#include "suites.h"

#define NOW 1000

static struct stage stage;
static struct sender sender;

/* A batch whose first message is a run of two of 500 bytes. Where err may be ICMP's, it comes twice. */
static void refuse(struct output *o, int err)
{
	struct batch b = { .to = o, .common = o, .n_msgs = 1, .n_pkts = 2, .first_len_bytes = 500, .pkts = { 2 } };

	config_defaults(&stage.config);
	sender.stage = sender.settled.stage = &stage;
	for (int i = 0; i <= icmp_is_told(err); i++) {
		CU_ASSERT_EQUAL(o->gso_again_at_ns, 0);
		CU_ASSERT_EQUAL(o->gso_below_bytes, UINT32_MAX);
		refusal_handle(&sender, &b, err, NOW);
	}
}

static void what_is_longer_than_the_way_takes_goes_singly_from_then_on(void)
{
	struct output o = { .fd = -1, .has_way = 1, .gso_below_bytes = UINT32_MAX };

	refuse(&o, EMSGSIZE);
	CU_ASSERT_EQUAL(o.gso_below_bytes, 500);
	CU_ASSERT_EQUAL(o.gso_again_at_ns, 0);
}

static void the_way_to_one_sender_says_nothing_of_the_others(void)
{
	static const int refused[] = { EMSGSIZE, EINVAL, EPERM };

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct output o = { .fd = -1, .has_way = 1, .gso_below_bytes = UINT32_MAX, .is_peerless = 1 };

		refuse(&o, refused[i]);
		CU_ASSERT_EQUAL(o.gso_below_bytes, UINT32_MAX);
		CU_ASSERT(o.gso_again_at_ns > NOW);
	}
}

static struct sockaddr_in6 sender_at(uint8_t last_byte)
{
	return (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_addr = { { { 0xfd, [15] = last_byte } } } };
}

/* Where destinations see who sent a datagram. Returns whether the next ones of a sender may go as a run. */
static int goes_in_runs(const struct output *o, const struct sockaddr_in6 *from)
{
	return NOW >= o->gso_again_at_ns && !seen_is_in_doubt(&sender, from, NOW);
}

static void the_address_of_one_sender_says_nothing_of_the_others(void)
{
	struct output o = { .fd = -1, .has_way = 1, .gso_below_bytes = UINT32_MAX, .mend_at_ns = NOW + 1 };
	struct sockaddr_in6 bad = sender_at(1), good = sender_at(2);
	struct batch b = { .to = &o, .common = &o, .n_msgs = 1, .n_pkts = 2, .pkts = { 2 }, .first_sender = &bad };

	memset(&sender, 0, sizeof(sender));
	config_defaults(&stage.config);
	sender.stage = sender.settled.stage = &stage;
	CU_ASSERT(goes_in_runs(&o, &bad));
	refusal_handle(&sender, &b, EINVAL, NOW);
	CU_ASSERT(!goes_in_runs(&o, &bad));
	CU_ASSERT(goes_in_runs(&o, &good));
	b.first_sender = &good; /* and what is taken of others does not clear it */
	refusal_end(&sender, &b, 1, NOW);
	CU_ASSERT(!goes_in_runs(&o, &bad));
	CU_ASSERT(goes_in_runs(&o, &good));
	CU_ASSERT_EQUAL(o.gso_below_bytes, UINT32_MAX);
}

static void a_run_is_at_fault_if_its_first_packet_is_taken_alone(void)
{
	struct output o = { .fd = -1, .has_way = 1, .gso_below_bytes = UINT32_MAX };
	struct sockaddr_in6 from = sender_at(1), other = sender_at(2);
	struct batch b = { .to = &o, .common = &o, .n_msgs = 1, .n_pkts = 2, .pkts = { 2 }, .first_sender = &from };

	memset(&sender, 0, sizeof(sender));
	config_defaults(&stage.config);
	sender.stage = sender.settled.stage = &stage;
	refusal_handle(&sender, &b, EIO, NOW);
	b.pkts[0] = 1;
	refusal_end(&sender, &b, 1, NOW);
	CU_ASSERT(!goes_in_runs(&o, &other));
	CU_ASSERT(!seen_is_in_doubt(&sender, &from, NOW));
}

/* One sender on two links is two. */
static void senders_are_told_apart_by_link_too(void)
{
	struct sockaddr_in6 one = { .sin6_family = AF_INET6, .sin6_addr = { { { 0xfe, 0x80 } } }, .sin6_scope_id = 2 };
	struct sockaddr_in6 other = one;

	CU_ASSERT(seen_is_same(&one, &other));
	other.sin6_scope_id = 3;
	CU_ASSERT(!seen_is_same(&one, &other));
	CU_ASSERT_EQUAL(seen_scope(&other), 3);
}

/* Ingress, which reads a session's socket, may have taken the error meanwhile, and counted it. */
static void an_error_that_is_not_in_the_queue_is_counted_where_nobody_else_reads_it(void)
{
	for (uint32_t session = 0; session < 2; session++) {
		struct output o = { .fd = -1, .has_way = 1, .session_number = session };
		struct batch b = { .to = &o, .common = &o, .n_msgs = 1, .n_pkts = 1, .pkts = { 1 } };

		memset(&sender, 0, sizeof(sender));
		sender.stage = sender.settled.stage = &stage;
		refusal_handle(&sender, &b, ECONNREFUSED, NOW);
		CU_ASSERT_EQUAL(sender.settled.tally[0].refused_events, session ? 0 : 1);
	}
}

/* They come by the thousand, and have one way. */
static void what_one_session_learns_of_the_way_is_logged_once_and_known_to_others(void)
{
	struct output common = { .fd = -1, .gso_below_bytes = UINT32_MAX }, sessions[2];
	char text[1024];
	struct log_copy lines = { text, sizeof(text), 0 };

	config_defaults(&stage.config);
	memset(&sender, 0, sizeof(sender));
	sender.stage = sender.settled.stage = &stage;
	log_copy(&lines);
	for (uint32_t i = 0; i < 2; i++) {
		struct batch b = { .to = &sessions[i], .common = &common, .n_msgs = 1, .n_pkts = 2, .pkts = { 2 } };

		b.first_len_bytes = 500;
		sessions[i] = (struct output){ .fd = -1, .has_way = 1, .session_number = i + 1 };
		sessions[i].gso_below_bytes = UINT32_MAX;
		refusal_handle(&sender, &b, EMSGSIZE, NOW);
		refusal_handle(&sender, &b, EMSGSIZE, NOW);
		CU_ASSERT_EQUAL(sessions[i].gso_below_bytes, 500);
		CU_ASSERT_EQUAL(common.gso_below_bytes, 500);
	}
	log_copy(NULL);
	CU_ASSERT_PTR_NOT_NULL_FATAL(strchr(text, '\n'));
	CU_ASSERT_EQUAL(strchr(text, '\n')[1], '\0');
}

static void a_new_session_begins_with_what_others_have_learnt(void)
{
	static struct session session = { .number = 1 };
	static struct arrival arrival;
	static struct output own;

	config_defaults(&stage.config);
	memset(&sender, 0, sizeof(sender));
	sender.stage = &stage;
	stage.seg.views[0].arrivals = &arrival;
	sender.ways[0].sessions = &session;
	sender.ways[0].n_sessions = 1;
	sender.ways[0].outputs = &own;
	sender.ways[0].first_fd = 400; /* of no socket */
	sender.outputs[0][0].gso_below_bytes = 500;
	CU_ASSERT_PTR_EQUAL(sender_output(&sender, 0, 0), &own);
	CU_ASSERT_EQUAL(own.gso_below_bytes, 500);
	memset(&stage.seg, 0, sizeof(stage.seg));
}

SUITE(refusal, TEST(what_is_longer_than_the_way_takes_goes_singly_from_then_on),
      TEST(the_way_to_one_sender_says_nothing_of_the_others),
      TEST(the_address_of_one_sender_says_nothing_of_the_others),
      TEST(what_one_session_learns_of_the_way_is_logged_once_and_known_to_others),
      TEST(a_new_session_begins_with_what_others_have_learnt),
      TEST(a_run_is_at_fault_if_its_first_packet_is_taken_alone), TEST(senders_are_told_apart_by_link_too),
      TEST(an_error_that_is_not_in_the_queue_is_counted_where_nobody_else_reads_it))
