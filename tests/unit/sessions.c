/* sessions.c - sessions on real sockets: what comes to them, and what must not reach the next sender. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ingress/receive.h"
#include "loads.h"
#include "segments.h"
#include "stage/session_port.h"

#define FIRST_FD 400 /* of the sockets handed on, past all that a test opens */
#define MOST 8 /* sessions */
#define SENDERS 400
#define APART_NS (3 * NS_PER_S) /* a port rests for a minute */

static struct stage stage;
static struct sessions sessions;
static int server_fd, n_open;
static struct sockaddr_in server_at;

static int bound_to_loopback(struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(*at);

	*at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)at, len), 0);
	CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)at, &len), 0);
	return fd;
}

static void place(int fd, int at)
{
	CU_ASSERT_EQUAL_FATAL(dup2(fd, at), at);
	close(fd);
}

/* As hold does: an epoll instance, and the sockets in a row. */
static void open_sockets(const char *via_ports)
{
	unsigned int first = 0, last = 0;
	char names[64];

	n_open = (int)sessions.n;
	place(epoll_create1(0), FIRST_FD);
	for (int k = 0; k < n_open; k++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = (uint32_t)k };
		uint32_t range;

		place(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), FIRST_FD + 1 + k);
		CU_ASSERT_EQUAL(epoll_ctl(FIRST_FD, EPOLL_CTL_ADD, FIRST_FD + 1 + k, &event), 0);
		if (sscanf(via_ports, "%u-%u", &first, &last) != 2)
			continue;
		range = last << 16 | first;
		setsockopt(FIRST_FD + 1 + k, SOL_IP, 51 /* IP_LOCAL_PORT_RANGE */, &range, sizeof(range));
	}
	snprintf(names, sizeof(names), "pad.x.0*%d:ask.poll.0:ask.via.0*%d", FIRST_FD - LISTEN_FIRST_FD, n_open);
	setenv("LISTEN_FDNAMES", names, 1);
}

static void open_again(void)
{
	free(sessions.index.places);
	free(sessions.index.sources);
	free(sessions.index.by_key);
	free(sessions.drained_at_ns);
	CU_ASSERT_EQUAL_FATAL(sessions_open(&sessions, &stage, 0), 0);
}

static void open_world(uint32_t n, const char *via_ports)
{
	char text[TEXT_BYTES];

	server_fd = bound_to_loopback(&server_at);
	snprintf(text, sizeof(text),
		 "[class ask]\nlisten = 127.0.0.1:9\nsend = 127.0.0.1:%u\nreplies = back\nsessions = %u\nidle = 1s\n"
		 "idle_unanswered = 1s\nvia_ports = %s\nsessions_per_source = 2\n[class back]\n",
		 ntohs(server_at.sin_port), n, via_ports);
	memset(&stage, 0, sizeof(stage));
	stage.config = accepted(text);
	snprintf(stage.config.instance, sizeof(stage.config.instance), "unit-sessions-%d", getpid());
	CU_ASSERT_EQUAL_FATAL(segment_create(&stage.seg, &stage.config, NULL, 0, why), 0);
	segment_remove(stage.config.instance);
	memset(&sessions, 0, sizeof(sessions));
	sessions.n = n;
	open_sockets(via_ports);
	open_again();
}

static void close_world(void)
{
	for (int fd = FIRST_FD; fd <= FIRST_FD + n_open; fd++)
		close(fd);
	close(server_fd);
	unsetenv("LISTEN_FDNAMES");
	segment_close(&stage.seg);
}

/* The session of a sender; each number is an address of its own. */
static int find(uint32_t number, uint64_t now)
{
	static const uint8_t local[16];
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr = { htonl(0x0a000000 + number) }, .sin_port = 7 };
	struct sockaddr_in6 at = { 0 };
	const struct sender_address from = { &at, local, 0, 0 };

	memcpy(&at, &v4, sizeof(v4));
	return sessions_find(&sessions, &from, now);
}

static int fd_of(int k)
{
	return FIRST_FD + 1 + k;
}

static int has_datagram(int fd)
{
	char byte;

	return recv(fd, &byte, sizeof(byte), MSG_DONTWAIT | MSG_PEEK) >= 0 || errno != EAGAIN;
}

static uint64_t strays(void)
{
	return atomic_load_explicit(&stage.seg.views[0].lane->stray_pkts, memory_order_relaxed);
}

static void say_to(int fd, uint32_t n)
{
	struct sockaddr_in at;
	socklen_t len = sizeof(at);

	CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	while (n--)
		CU_ASSERT_EQUAL(sendto(server_fd, "x", 1, 0, (struct sockaddr *)&at, len), 1);
}

/* As a predecessor leaves it that dies when it has connected the socket of a session that is free yet. */
static void leave_half_made(int k)
{
	CU_ASSERT_EQUAL_FATAL(connect(fd_of(k), (struct sockaddr *)&server_at, sizeof(server_at)), 0);
}

static void what_lay_in_the_socket_is_not_the_next_senders(void)
{
	open_world(2, "any");
	leave_half_made(0);
	say_to(fd_of(0), 3);
	CU_ASSERT_EQUAL(find(1, NS_PER_S), 0);
	CU_ASSERT(!has_datagram(fd_of(0)));
	CU_ASSERT_EQUAL(strays(), 3);
	close_world();
}

static void an_error_in_the_socket_does_not_hide_what_lies_behind_it(void)
{
	open_world(1, "any");
	leave_half_made(0);
	say_to(fd_of(0), 2);
	close(server_fd);
	CU_ASSERT_EQUAL(send(fd_of(0), "x", 1, 0), 1); /* refused: the next call is told */
	CU_ASSERT_EQUAL(find(1, NS_PER_S), 0);
	CU_ASSERT(!has_datagram(fd_of(0)));
	CU_ASSERT_EQUAL(strays(), 2);
	server_fd = -1;
	close_world();
}

static void what_comes_to_a_free_session_wakes_nobody_twice(void)
{
	open_world(2, "any");
	leave_half_made(1);
	say_to(fd_of(1), 2);
	CU_ASSERT_EQUAL(sessions_next(&sessions), -1);
	CU_ASSERT_EQUAL(strays(), 2);
	CU_ASSERT_EQUAL(session_port(fd_of(1)), 0);
	close_world();
}

static void without_a_way_a_session_has_no_port_that_strangers_could_write_to(void)
{
	struct address *to = &stage.config.classes[0].dests[0];

	open_world(1, "any");
	((struct sockaddr_in *)&to->at)->sin_addr.s_addr = htonl(INADDR_BROADCAST); /* EACCES without SO_BROADCAST */
	CU_ASSERT_EQUAL(find(1, NS_PER_S), 0);
	CU_ASSERT_EQUAL(session_port(fd_of(0)), 0);
	close_world();
}

static void sockets_with_more_than_a_batch_are_read_in_turn(void)
{
	int first, other;

	open_world(3, "any");
	for (uint32_t i = 0; i < 3; i++)
		CU_ASSERT_EQUAL(find(i, NS_PER_S), (int)i);
	say_to(fd_of(0), 1);
	say_to(fd_of(2), 1);
	first = sessions_next(&sessions);
	CU_ASSERT(first == 0 || first == 2);
	CU_ASSERT_EQUAL(sessions_read(&sessions, 0), 0); /* it has more */
	other = sessions_next(&sessions);
	CU_ASSERT_EQUAL(other, 2 - first);
	CU_ASSERT_EQUAL(sessions_read(&sessions, 1), 0); /* the first one still has */
	CU_ASSERT(sessions_next(&sessions) >= 0);
	close_world();
}

static void all_sockets_read_to_their_end_have_no_more(void)
{
	char byte;

	open_world(2, "any");
	CU_ASSERT_EQUAL(find(1, NS_PER_S), 0);
	say_to(fd_of(0), 1);
	CU_ASSERT_EQUAL(sessions_next(&sessions), 0);
	CU_ASSERT_EQUAL(recv(fd_of(0), &byte, 1, 0), 1);
	CU_ASSERT_EQUAL(sessions_read(&sessions, 1), 1);
	CU_ASSERT_EQUAL(sessions_next(&sessions), -1);
	close_world();
}

/* Sessions end one after the other. How often does a new one have a port of the last `most`? */
static uint32_t ports_met_again(uint32_t most, int dies)
{
	static in_port_t ports[SENDERS];
	uint32_t again = 0;

	stage.config.classes[0].idle_unanswered_ns = 0;
	for (uint32_t i = 0; i < SENDERS; i++) {
		uint64_t now = (i + 1) * APART_NS;
		int k = find(i, now);

		CU_ASSERT_FATAL(k >= 0);
		ports[i] = session_port(fd_of(k));
		for (uint32_t j = i > most ? i - most : 0; j < i; j++)
			again += ports[j] == ports[i];
		sessions_end_idle(&sessions, now);
		if (dies)
			open_again();
	}
	return again;
}

static int has_port_range(void)
{
	uint32_t range = 40000 | 40063u << 16;
	int fd = socket(AF_INET, SOCK_DGRAM, 0), has = setsockopt(fd, SOL_IP, 51, &range, sizeof(range)) == 0;

	close(fd);
	return has;
}

/*
 * Of 64 ports at random, the last 19 would be met 119 times in 400. With a third of them resting, 9 tries are enough.
 */
static void a_port_that_was_given_up_rests(void)
{
	if (!has_port_range())
		SKIP("no range of ports can be given here (Linux 6.3)");
	open_world(2, "41000-41063");
	CU_ASSERT(ports_met_again(19, 0) <= 2);
	close_world();
	open_world(MOST, "41000-41063");
	CU_ASSERT(ports_met_again(19, 1) <= 2);
	close_world();
}

static void one_address_has_so_many_sessions_and_another_one_others(void)
{
	static const uint8_t local[16];

	open_world(4, "any");
	for (uint16_t i = 0; i < 3; i++) {
		struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr = { 1 }, .sin_port = i };
		struct sockaddr_in6 at = { 0 };
		const struct sender_address from = { &at, local, 0, 0 };

		memcpy(&at, &v4, sizeof(v4));
		CU_ASSERT_EQUAL(sessions_find(&sessions, &from, NS_PER_S), i < 2 ? i : -1);
	}
	CU_ASSERT_EQUAL(find(9, NS_PER_S), 2);
	stage.config.classes[0].sessions_per_source = 1; /* a reload: those that are open stay */
	CU_ASSERT_EQUAL(find(9, NS_PER_S), 2);
	CU_ASSERT_EQUAL(find(10, NS_PER_S), 3);
	CU_ASSERT_EQUAL(find(11, NS_PER_S), -1);
	close_world();
}

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
	sessions_end_idle(&sessions, 3 * NS_PER_S);
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

SUITE(sessions, TEST(what_lay_in_the_socket_is_not_the_next_senders),
      TEST(an_error_in_the_socket_does_not_hide_what_lies_behind_it),
      TEST(what_comes_to_a_free_session_wakes_nobody_twice),
      TEST(without_a_way_a_session_has_no_port_that_strangers_could_write_to),
      TEST(sockets_with_more_than_a_batch_are_read_in_turn), TEST(all_sockets_read_to_their_end_have_no_more),
      TEST(a_port_that_was_given_up_rests), TEST(one_address_has_so_many_sessions_and_another_one_others),
      TEST(a_session_ends_when_it_was_idle_and_is_free_when_both_lanes_have_passed_its_packets),
      TEST(a_session_whose_datagram_waits_for_egress_keeps_its_port),
      TEST(a_successor_gives_up_what_was_being_ended_and_keeps_what_is_open),
      TEST(a_session_does_not_wait_for_a_datagram_that_did_not_fit))
