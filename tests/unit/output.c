/* output.c - the error queue of an output is emptied in pieces; a way that could not be mended is looked for again. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdalign.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "egress/output.h"
#include "stage/icmp.h"
#include "stage/session_port.h"
#include "suites.h"

#define MANY 200
#define AT_ONCE 64

/* A socket whose datagrams were all refused: an ICMP error for each is in its queue, as far as there is room. */
static int refused_socket(void)
{
	struct sockaddr_in nobody = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int on = 1, size = 1 << 20, fd = socket(AF_INET, SOCK_DGRAM, 0), other = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof(nobody);

	CU_ASSERT_FATAL(fd >= 0 && other >= 0);
	CU_ASSERT_EQUAL_FATAL(bind(other, (struct sockaddr *)&nobody, len), 0);
	CU_ASSERT_EQUAL_FATAL(getsockname(other, (struct sockaddr *)&nobody, &len), 0);
	close(other); /* whose port nobody has now */
	CU_ASSERT_EQUAL(setsockopt(fd, SOL_IP, IP_RECVERR, &on, sizeof(on)), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&nobody, len), 0);
	for (int i = 0; i < MANY; i++)
		CU_ASSERT(send(fd, "x", 1, MSG_DONTWAIT) == 1 || i > 0); /* every other one is told of the error */
	return fd;
}

/* An emulator of user programs may not pass the error queue on. Takes one error. */
static int has_error_queue(int fd)
{
	alignas(struct cmsghdr) char control[512] = { 0 };
	struct msghdr m = { .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0 ? NULL : CMSG_FIRSTHDR(&m);

	return c && c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR;
}

/* What the queue had no room for still fails the next call, and wakes whoever waits. */
static void an_error_without_a_place_in_the_queue_is_taken_too(void)
{
	struct sockaddr_in nobody = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), other = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t len = sizeof(nobody);

	CU_ASSERT_EQUAL_FATAL(bind(other, (struct sockaddr *)&nobody, len), 0);
	CU_ASSERT_EQUAL_FATAL(getsockname(other, (struct sockaddr *)&nobody, &len), 0);
	close(other);
	/* without IP_RECVERR: there is no queue */
	CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&nobody, len), 0);
	CU_ASSERT_EQUAL(send(fd, "x", 1, MSG_DONTWAIT), 1);
	CU_ASSERT_EQUAL(icmp_take_all(fd), 0); /* nobody can tell who else has had it */
	CU_ASSERT_EQUAL(send(fd, "x", 1, MSG_DONTWAIT), 1);
	close(fd);
}

static void no_queue_of_errors_is_followed_without_end(void)
{
	int fd = refused_socket();

	if (!has_error_queue(fd)) {
		close(fd);
		SKIP("no error queue can be read here");
	}
	CU_ASSERT_EQUAL(icmp_take(fd), AT_ONCE);
	CU_ASSERT(icmp_take(fd) > 0);
	for (int i = 0; i < MANY; i++)
		icmp_take(fd);
	CU_ASSERT_EQUAL(icmp_take(fd), 0);
	close(fd);
}

static in_addr_t local_address_of(int fd)
{
	struct sockaddr_in at = { 0 };
	socklen_t len = sizeof(at);

	CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	return ntohl(at.sin_addr.s_addr);
}

/* From an address that no new socket would get. */
static int astray_socket(const struct address *to)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK + 1) } };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(bind(fd, (struct sockaddr *)&from, sizeof(from)), 0);
	CU_ASSERT_EQUAL_FATAL(connect(fd, (const struct sockaddr *)&to->at, to->len), 0);
	return fd;
}

/* The packet that met the shortage may have been the last for long: the next must not be lost to it. */
static void a_mend_that_a_shortage_stopped_is_made_up_for(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons(9) };
	struct address to = { .len = sizeof(at) };
	const struct class_config options = { .group_ttl = 1 };
	struct output o = { .to = &to, .options = &options, .class = "high", .has_way = 1 };
	struct rlimit was, none;

	memcpy(&to.at, &at, sizeof(at));
	o.fd = astray_socket(&to);
	output_look(&o);
	/* to a loopback address, no look without a need */
	CU_ASSERT_EQUAL(local_address_of(o.fd), INADDR_LOOPBACK + 1);
	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){ 0, was.rlim_max };
	setrlimit(RLIMIT_NOFILE, &none);
	CU_ASSERT_EQUAL(output_mend(&o, ENETUNREACH, 1), ENETUNREACH);
	setrlimit(RLIMIT_NOFILE, &was);
	CU_ASSERT_EQUAL(local_address_of(o.fd), INADDR_LOOPBACK + 1);
	output_look(&o);
	CU_ASSERT_EQUAL(local_address_of(o.fd), INADDR_LOOPBACK);
	close(o.fd);
}

/* Nothing may leave from another address: it stays without a peer. */
static void an_output_waits_for_the_address_that_it_leaves_from(void)
{
	struct class_config c = { .name = "high", .n_dests = 1, .n_from = 1, .group_ttl = 1 };
	struct output o;

	CU_ASSERT_FATAL(address_parse("127.0.0.1:9", 11, &c.dests[0]) && address_parse("192.0.2.77:9", 12, &c.from[0]));
	CU_ASSERT_EQUAL_FATAL(output_make(&o, &c, 0, 0), 0);
	CU_ASSERT_EQUAL(o.has_way, 0);
	CU_ASSERT(send(o.fd, "x", 1, MSG_DONTWAIT) < 0 && errno == EDESTADDRREQ);
	CU_ASSERT_EQUAL(output_mend(&o, EDESTADDRREQ, 1), EADDRNOTAVAIL);
	CU_ASSERT_FATAL(address_parse("127.0.0.9:29", 12, &c.from[0])); /* as if it had come */
	CU_ASSERT_EQUAL(output_mend(&o, EDESTADDRREQ, NS_PER_S), 0);
	CU_ASSERT_EQUAL(o.has_way, 1);
	CU_ASSERT_EQUAL(local_address_of(o.fd), INADDR_LOOPBACK + 8);
	o.has_way = 0; /* connected again, it keeps it */
	output_look(&o);
	CU_ASSERT_EQUAL(local_address_of(o.fd), INADDR_LOOPBACK + 8);
	close(o.fd);
}

/* What is written to standard error meanwhile; bytes. */
static off_t said_by(int (*act)(struct output *o, int err, uint64_t now), struct output *o, uint64_t now)
{
	int was = dup(2), fd = memfd_create("said", 0);
	off_t bytes;

	dup2(fd, 2);
	act(o, EDESTADDRREQ, now);
	dup2(was, 2);
	bytes = lseek(fd, 0, SEEK_END);
	close(fd);
	close(was);
	return bytes;
}

/* Anybody can make a session: a line for each would fill the log when there is no way. */
static void the_way_of_a_session_is_not_told(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons(9) };
	struct address to = { .len = sizeof(at) };
	const struct class_config options = { .group_ttl = 1 };

	memcpy(&to.at, &at, sizeof(at));
	for (uint32_t session = 0; session < 2; session++) {
		struct output o = { .to = &to, .options = &options, .class = "high", .session_number = session };

		o.fd = socket(AF_INET, SOCK_DGRAM, 0);
		CU_ASSERT_EQUAL(said_by(output_mend, &o, 1) > 0, session == 0);
		CU_ASSERT_EQUAL(o.has_way, 1);
		CU_ASSERT_EQUAL(o.n_remade, 1);
		close(o.fd);
	}
}

/* To a broadcast address, which is refused: the port that it got for that would take anybody's datagrams. */
static void a_session_that_cannot_be_connected_keeps_no_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { INADDR_BROADCAST }, .sin_port = htons(9) };
	struct address to = { .len = sizeof(at) };
	const struct class_config options = { .group_ttl = 1 };
	struct output o = { .to = &to, .options = &options, .class = "high", .session_number = 1 };
	struct sockaddr_in is = { 0 };
	socklen_t len = sizeof(is);

	memcpy(&to.at, &at, sizeof(at));
	o.fd = socket(AF_INET, SOCK_DGRAM, 0);
	CU_ASSERT(output_mend(&o, EDESTADDRREQ, 1) != 0); /* EACCES, or there is no way */
	CU_ASSERT_EQUAL(getsockname(o.fd, (struct sockaddr *)&is, &len), 0);
	CU_ASSERT_EQUAL(is.sin_port, 0);
	close(o.fd);
}

/* Every other port rests, and so does one in 512 of those that are found. */
static void a_session_is_connected_again_by_a_port_that_does_not_rest(void)
{
	static struct session_ports ports;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons(9) };
	struct address to = { .len = sizeof(at) };
	const struct class_config options = { .group_ttl = 1 };
	uint32_t resting = 0;

	memcpy(&to.at, &at, sizeof(at));
	for (uint32_t port = 1; port <= UINT16_MAX; port += 2)
		session_port_note(port & 2 ? ports.ended_s : ports.changed_s, htons((uint16_t)port), now_ns());
	for (int i = 0; i < 100; i++) {
		struct output o = {
			.to = &to, .options = &options, .class = "high", .session_number = 1, .ports = &ports
		};

		o.fd = socket(AF_INET, SOCK_DGRAM, 0);
		CU_ASSERT_EQUAL(output_mend(&o, EDESTADDRREQ, 1), 0);
		resting += ntohs(session_port(o.fd)) & 1;
		close(o.fd);
	}
	CU_ASSERT(resting <= 3);
}

/* What is under way to the port that it had must not find the session that gets it next. */
static void a_port_that_a_session_leaves_for_another_way_rests(void)
{
	static struct session_ports ports;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) }, .sin_port = htons(9) };
	struct sockaddr_in other = at;
	struct address to = { .len = sizeof(at) };
	const struct class_config options = { .group_ttl = 1 };
	struct output o = { .to = &to, .options = &options, .class = "high", .session_number = 1, .ports = &ports };
	in_port_t port;

	other.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1);
	memcpy(&to.at, &at, sizeof(at));
	o.fd = socket(AF_INET, SOCK_DGRAM, 0);
	CU_ASSERT_EQUAL(connect(o.fd, (struct sockaddr *)&other, sizeof(other)), 0);
	port = session_port(o.fd);
	output_mend(&o, ENETUNREACH, 1); /* it leads elsewhere */
	CU_ASSERT(session_port(o.fd) != port);
	CU_ASSERT(session_port_is_resting(&ports, port, now_ns()));
	CU_ASSERT(!session_port_is_resting(&ports, port, now_ns() + 61 * NS_PER_S));
	close(o.fd);
}

SUITE(output, TEST(an_output_waits_for_the_address_that_it_leaves_from),
      TEST(no_queue_of_errors_is_followed_without_end), TEST(a_mend_that_a_shortage_stopped_is_made_up_for),
      TEST(the_way_of_a_session_is_not_told), TEST(a_session_that_cannot_be_connected_keeps_no_port),
      TEST(an_error_without_a_place_in_the_queue_is_taken_too),
      TEST(a_session_is_connected_again_by_a_port_that_does_not_rest),
      TEST(a_port_that_a_session_leaves_for_another_way_rests))
