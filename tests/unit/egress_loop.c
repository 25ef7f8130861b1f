/* egress_loop.c - the egress stage's steps: when the stages that wait for room are woken. */
#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "egress/loop.h"
#include "loops.h"
#include "suites.h"

#define LIMIT_PKTS 256 /* of the queue to egress; a step sends a batch of 64 */
#define BYTES 10

static struct egress_loop loop;
static struct edf_tally edf_tally;
static int sink;

/* One class; its destination takes what comes. */
static void open_loop(void)
{
	struct stage *s = &loop.stage;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	memset(&loop, 0, sizeof(loop));
	sink = socket(AF_INET, SOCK_DGRAM, 0);
	CU_ASSERT_EQUAL_FATAL(bind(sink, (struct sockaddr *)&at, len), 0);
	CU_ASSERT_EQUAL_FATAL(getsockname(sink, (struct sockaddr *)&at, &len), 0);
	config_defaults(&s->config);
	s->config.n_classes = 1;
	s->config.classes[0].edf_to_egress_pkts = s->config.classes[0].ingress_to_edf_pkts = LIMIT_PKTS;
	memcpy(&s->config.classes[0].dests[0].at, &at, sizeof(at));
	begin_loop(s, &egress_ops);
}

static void close_loop(void)
{
	close(loop.sender.outputs[0][0].fd);
	close(sink);
	segment_close(&loop.stage.seg);
}

/* Edf passes n packets on, and waits for room behind them. */
static void pass(uint32_t n)
{
	const struct lane_view *v = &loop.stage.seg.views[0];
	uint64_t now = now_ns();

	for (uint32_t i = 0; i < n; i++) {
		v->arrivals[i] = (struct arrival){ .arrived_at_ns = now, .len_bytes = BYTES };
		v->results[i] = (struct result){ .len_bytes = BYTES };
	}
	lane_pass(v->lane, 0, n, &edf_tally);
	/* relaxed, here and below: one thread */
	atomic_store_explicit(&loop.stage.blocks[STAGE_EDF].parked, PARKED_FOR_SPACE, memory_order_relaxed);
}

/* After a step that sent as many as are left out of `left`: does edf still wait? */
static int waits_with(uint32_t left)
{
	const struct lane *lane = loop.stage.seg.views[0].lane;

	egress_ops.step(&loop.stage);
	CU_ASSERT_EQUAL(lane_distance_pkts(lane_processed(lane), lane_sent(lane)), left);
	return atomic_load_explicit(&loop.stage.blocks[STAGE_EDF].parked, memory_order_relaxed) == PARKED_FOR_SPACE;
}

static void who_waits_for_room_is_woken_when_half_of_the_queue_is_free(void)
{
	open_loop();
	pass(LIMIT_PKTS);
	CU_ASSERT(waits_with(192));
	CU_ASSERT(!waits_with(128));
	close_loop();
}

/* No step that sends follows, and a stage that sleeps rings for nobody. */
static void who_waits_for_room_is_woken_before_egress_sleeps(void)
{
	open_loop();
	pass(LIMIT_PKTS);
	CU_ASSERT(waits_with(192));
	/* what has been sent keeps it from sending on */
	loop.limit.shaper = (struct shaper){ .rate_bits_per_s = 8000, .empty_at_ns = now_ns() + NS_PER_S };
	loop.stage.config.heartbeat_ms = 1;
	CU_ASSERT(!waits_with(192));
	close_loop();
}

SUITE(egress_loop, TEST(who_waits_for_room_is_woken_when_half_of_the_queue_is_free),
      TEST(who_waits_for_room_is_woken_before_egress_sleeps))
