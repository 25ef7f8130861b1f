/* refusal.c - what follows when a super-datagram is refused. */
#include <errno.h>
#include <string.h>

#include "egress/refusal.h"
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

SUITE(refusal, TEST(what_is_longer_than_the_way_takes_goes_singly_from_then_on),
      TEST(the_way_to_one_sender_says_nothing_of_the_others))
