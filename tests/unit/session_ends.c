/* session_ends.c - when a session ends, and when another sender may have it. */
#include "session_world.h"

static void a_session_ends_when_it_was_idle_and_is_free_when_both_lanes_have_passed_its_packets(void)
{
	struct lane *back;
	const struct session *s;

	open_world(1, "any");
	back = stage.seg.views[1].lane;
	s = &stage.seg.views[0].sessions[0];
	CU_ASSERT_EQUAL(find(1, NS_PER_S), 0);
	sessions_note_back(&sessions, 0, 5, NS_PER_S + 1);
	CU_ASSERT_EQUAL(sessions_due_ns(&sessions, NS_PER_S), 2 * NS_PER_S + 1);
	sessions_end_idle(&sessions, 2 * NS_PER_S);
	CU_ASSERT_EQUAL(sessions_state(s), SESSION_OPEN);
	sessions_end_idle(&sessions, 2 * NS_PER_S + 1);
	CU_ASSERT_EQUAL(sessions_state(s), SESSION_CLOSING);
	CU_ASSERT_EQUAL(session_port(fd_of(0)), 0);
	CU_ASSERT_EQUAL(find(2, 3 * NS_PER_S), -1); /* the only one waits for egress */
	atomic_store_explicit(&back->sent, 4ULL << COUNT_SHIFT, memory_order_relaxed);
	sessions_end_idle(&sessions, 3 * NS_PER_S);
	CU_ASSERT_EQUAL(sessions_state(s), SESSION_CLOSING);
	open_again(); /* and a successor waits too */
	sessions_end_idle(&sessions, 3 * NS_PER_S);
	CU_ASSERT_EQUAL(sessions_state(s), SESSION_CLOSING);
	atomic_store_explicit(&back->sent, 5ULL << COUNT_SHIFT, memory_order_relaxed);
	sessions_end_idle(&sessions, 3 * NS_PER_S + NS_PER_MS); /* it is looked at once in that time */
	CU_ASSERT_EQUAL(sessions_state(s), SESSION_FREE);
	CU_ASSERT_EQUAL(find(2, 3 * NS_PER_S), 0);
	CU_ASSERT_EQUAL(s->number, 2);
	close_world();
}

static void a_session_whose_datagram_waits_for_egress_keeps_its_port(void)
{
	open_world(1, "any");
	CU_ASSERT_EQUAL(find(1, NS_PER_S), 0);
	sessions_note_forth(&sessions, 0, 1, NS_PER_S);
	sessions_end_idle(&sessions, 5 * NS_PER_S);
	CU_ASSERT_EQUAL(sessions_state(&stage.seg.views[0].sessions[0]), SESSION_OPEN);
	CU_ASSERT(session_port(fd_of(0)) != 0);
	CU_ASSERT_EQUAL(sessions_due_ns(&sessions, 5 * NS_PER_S), 6 * NS_PER_S); /* no wake-up without end */
	close_world();
}

static void the_time_of_a_session_runs_from_when_its_datagram_left(void)
{
	struct lane_view *v;

	open_world(1, "any");
	v = &stage.seg.views[0];
	CU_ASSERT_EQUAL(find(1, NS_PER_S), 0);
	sessions_note_forth(&sessions, 0, 1, NS_PER_S);
	v->departures[0].handed_at_ns = NS_PER_S + NS_PER_S / 2; /* half a second in the lane */
	atomic_store_explicit(&v->lane->sent, 1ULL << COUNT_SHIFT, memory_order_relaxed);
	sessions_end_idle(&sessions, 2 * NS_PER_S + NS_PER_MS);
	CU_ASSERT_EQUAL(sessions_state(&v->sessions[0]), SESSION_OPEN);
	sessions_end_idle(&sessions, 2 * NS_PER_S + NS_PER_S / 2);
	CU_ASSERT_NOT_EQUAL(sessions_state(&v->sessions[0]), SESSION_OPEN);
	close_world();
}

static void a_successor_gives_up_what_was_being_ended_and_keeps_what_is_open(void)
{
	struct session *all;
	in_port_t port;

	open_world(2, "any");
	all = stage.seg.views[0].sessions;
	CU_ASSERT_EQUAL(find(1, NS_PER_S), 0);
	CU_ASSERT_EQUAL(find(2, NS_PER_S), 1);
	port = session_port(fd_of(1));
	atomic_store_explicit(&all[0].state, SESSION_CLOSING, memory_order_relaxed); /* dead before the port is gone */
	open_again();
	CU_ASSERT_EQUAL(session_port(fd_of(0)), 0);
	CU_ASSERT_EQUAL(session_port(fd_of(1)), port);
	CU_ASSERT_EQUAL(find(2, NS_PER_S), 1);
	CU_ASSERT_EQUAL(find(1, NS_PER_S), -1);
	close_world();
}

/* One of two datagrams fits; nothing else will come, and both senders' sessions must end all the same. */
static void a_session_does_not_wait_for_a_datagram_that_did_not_fit(void)
{
	static struct receiver receiver;
	struct sockaddr_in listen_at, from;
	struct ingress in;
	uint32_t bytes;
	int fd[2];

	open_world(2, "any");
	stage.config.full = FULL_DROP;
	stage.config.classes[0].ingress_to_edf_pkts = 1;
	stage.blocks = stage.seg.shared->stages;
	stage.self = &stage.blocks[STAGE_INGRESS];
	ingress_init(&in, &stage.config);
	CU_ASSERT_EQUAL_FATAL(receive_init(&receiver, &stage, &in), 0);
	receiver.fd[0] = bound_to_loopback(&listen_at);
	for (int i = 0; i < 2; i++) {
		fd[i] = bound_to_loopback(&from);
		CU_ASSERT_EQUAL(sendto(fd[i], "x", 1, 0, (struct sockaddr *)&listen_at, sizeof(listen_at)), 1);
	}
	CU_ASSERT_EQUAL(receive_batch(&receiver, &in, 0, 2, &bytes), 2);
	CU_ASSERT_EQUAL(receiver.tally[0].ingress_full_pkts, 1);
	atomic_store_explicit(&stage.seg.views[0].lane->sent, 1ULL << COUNT_SHIFT, memory_order_relaxed);
	sessions_end_idle(&receiver.sessions[0], now_ns() + 2 * NS_PER_S);
	for (int i = 0; i < 2; i++) {
		CU_ASSERT_EQUAL(sessions_state(&stage.seg.views[0].sessions[i]), SESSION_FREE);
		close(fd[i]);
	}
	close(receiver.fd[0]);
	close_world();
}

SUITE(session_ends, TEST(a_session_ends_when_it_was_idle_and_is_free_when_both_lanes_have_passed_its_packets),
      TEST(a_session_whose_datagram_waits_for_egress_keeps_its_port),
      TEST(the_time_of_a_session_runs_from_when_its_datagram_left),
      TEST(a_successor_gives_up_what_was_being_ended_and_keeps_what_is_open),
      TEST(a_session_does_not_wait_for_a_datagram_that_did_not_fit))
