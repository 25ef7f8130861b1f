/* port.c - classes of one address: bound as one group, and the kernel decides of real datagrams as the rules do. */
#include "config/port.h"

#include <CUnit/CUnit.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loads.h"
#include "stage/listen.h"
#include "suites.h"

#define ROUNDS 150 /* sets of rules; ONTIME_MATCH_ROUNDS: another number */
#define DATAGRAMS 100 /* each */
#define N_CLASSES 4
#define MOST_BYTES 300

static struct match rule(const char *text)
{
	struct match m = { 0 };
	char reason[REASON_BYTES] = "";

	if (match_parse(&m, text, reason))
		CU_FAIL(reason);
	return m;
}

/* Random rules over few values, so that many datagrams meet them. */
static void random_term(char *text, bool is_v6)
{
	long number = random();

	switch (random() % 5) {
	case 0:
		sprintf(text, "dscp %ld", number % 4);
		break;
	case 1:
		if (random() % 4 ? is_v6 : !is_v6)
			sprintf(text, "from ::1/%ld", number % 129);
		else
			sprintf(text, "from 127.%ld.%ld.1/%ld", random() % 3, random() % 3, number % 33);
		break;
	case 2:
		sprintf(text, "size <= %ld", number % MOST_BYTES);
		break;
	case 3:
		sprintf(text, "size >= %ld", number % MOST_BYTES);
		break;
	default:
		sprintf(text, "byte %ld = 0x%02lx/0x%02lx", number % MOST_BYTES, number & 1, number & 1 ? 3L : 1L);
	}
}

static void random_rule(struct match *m, bool is_v6)
{
	char text[MAX_TERMS * 48] = "";

	for (long n = 1 + random() % MAX_TERMS, i = 0; i < n; i++) {
		if (i > 0)
			strcat(text, random() % 3 ? " and " : ", ");
		random_term(text + strlen(text), is_v6);
	}
	*m = rule(text);
}

/* Classes of one address of loopback, the last one without a rule; the group is bound as hold does it. */
struct group {
	struct config c;
	int fd[N_CLASSES], source;
	bool is_v6;
};

static void close_group(struct group *g)
{
	for (uint32_t i = 0; i < N_CLASSES; i++)
		close(g->fd[i]);
	close(g->source);
}

static struct address own_address(const struct group *g)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	struct address a = { .len = g->is_v6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in) };
	int fd = socket(g->is_v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
	char text[ADDRESS_BYTES];

	snprintf(text, sizeof(text), "%s:1", g->is_v6 ? "[::1]" : "127.0.0.1");
	address_parse(text, strlen(text), &a);
	memset((uint8_t *)&a.at + offsetof(struct sockaddr_in, sin_port), 0, 2);
	CU_ASSERT_FATAL(bind(fd, (const struct sockaddr *)&a.at, a.len) == 0);
	getsockname(fd, (struct sockaddr *)&at, &len);
	close(fd); /* free, in all likelihood, until it is bound again */
	a.at = at;
	return a;
}

static void open_group(struct group *g)
{
	struct address at = own_address(g);
	int on = 1;

	config_defaults(&g->c);
	g->c.n_classes = N_CLASSES;
	for (uint32_t i = 0; i < N_CLASSES; i++) {
		g->c.classes[i].n_listen = 1;
		g->c.classes[i].listen[0] = at;
		g->c.classes[i].match.n = 0;
		g->fd[i] = socket(at.at.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		if (g->is_v6)
			setsockopt(g->fd[i], SOL_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	}
	for (uint32_t i = N_CLASSES; i-- > 0;)
		CU_ASSERT_EQUAL_FATAL(listen_bind(&g->c, g->fd, i), 0);
	g->source = -1;
}

/* A socket of its own for each datagram of IPv4, so that sources differ. */
static void send_random(struct group *g, struct match_datagram *d, uint8_t *payload, uint8_t source[16])
{
	const struct address *to = &g->c.classes[0].listen[0];
	int tos = (int)(random() % 16);
	char text[ADDRESS_BYTES];
	struct address from;

	snprintf(text, sizeof(text), "127.%ld.%ld.%ld:1", random() % 3, random() % 3, 1 + random() % 2);
	address_parse(g->is_v6 ? "[::1]:1" : text, strlen(g->is_v6 ? "[::1]:1" : text), &from);
	memset((uint8_t *)&from.at + offsetof(struct sockaddr_in, sin_port), 0, 2);
	g->source = socket(to->at.ss_family, SOCK_DGRAM, 0);
	CU_ASSERT_EQUAL_FATAL(bind(g->source, (const struct sockaddr *)&from.at, from.len), 0);
	if (g->is_v6)
		setsockopt(g->source, SOL_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
	else
		setsockopt(g->source, SOL_IP, IP_TOS, &tos, sizeof(tos));
	memcpy(source,
	       (const uint8_t *)&from.at +
		       (g->is_v6 ? offsetof(struct sockaddr_in6, sin6_addr) : offsetof(struct sockaddr_in, sin_addr)),
	       g->is_v6 ? 16 : 4);
	for (uint32_t i = 0; i < MOST_BYTES; i++)
		payload[i] = (uint8_t)(random() & 1);
	*d = (struct match_datagram){ (uint8_t)tos, g->is_v6, source, payload, (uint32_t)(random() % MOST_BYTES) };
	CU_ASSERT_EQUAL_FATAL(sendto(g->source, payload, d->len_bytes, 0, (const struct sockaddr *)&to->at, to->len),
			      (ssize_t)d->len_bytes);
	close(g->source);
	g->source = -1;
}

static uint32_t came_to(const struct group *g)
{
	uint8_t byte[1];
	uint32_t class = N_CLASSES;

	for (uint32_t i = 0; i < N_CLASSES; i++)
		if (recv(g->fd[i], byte, sizeof(byte), MSG_TRUNC) >= 0)
			class = i;
	return class;
}

static uint32_t should_come_to(const struct group *g, const struct match_datagram *d)
{
	for (uint32_t i = 0; i < N_CLASSES - 1; i++)
		if (match_eval(&g->c.classes[i].match, d))
			return i;
	return N_CLASSES - 1;
}

static void judge(struct group *g, uint32_t came[N_CLASSES], uint32_t *n_wrong)
{
	for (uint32_t i = 0; i < N_CLASSES - 1; i++)
		random_rule(&g->c.classes[i].match, g->is_v6);
	CU_ASSERT_EQUAL_FATAL(listen_rule(&g->c, g->fd, 0), 0);
	for (uint32_t i = 0; i < DATAGRAMS; i++) {
		uint8_t payload[MOST_BYTES], source[16];
		struct match_datagram d;
		uint32_t is, should;

		send_random(g, &d, payload, source);
		is = came_to(g);
		should = should_come_to(g, &d);
		*n_wrong += is != should;
		came[should]++;
	}
}

static void kernel_agrees(bool is_v6)
{
	const char *asked = getenv("ONTIME_MATCH_ROUNDS");
	uint32_t came[N_CLASSES] = { 0 }, n_wrong = 0;
	struct group g = { .is_v6 = is_v6 };

	srandom(7);
	open_group(&g);
	for (long i = 0, n = asked ? atol(asked) : ROUNDS; i < n; i++)
		judge(&g, came, &n_wrong);
	CU_ASSERT_EQUAL(n_wrong, 0);
	for (uint32_t i = 0; i < N_CLASSES; i++)
		CU_ASSERT(came[i] > DATAGRAMS);
	close_group(&g);
}

static void the_kernel_decides_alike_for_ipv4(void)
{
	if (!has_rules())
		SKIP("an emulator that passes no rules on");
	kernel_agrees(false);
}

static void the_kernel_decides_alike_for_ipv6(void)
{
	struct address at;
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	bool there = address_parse("[::1]:1", 7, &at);

	memset((uint8_t *)&at.at + offsetof(struct sockaddr_in6, sin6_port), 0, 2);
	there = there && fd >= 0 && bind(fd, (const struct sockaddr *)&at.at, at.len) == 0;
	if (fd >= 0)
		close(fd);
	if (!there)
		SKIP("no IPv6 loopback here");
	if (!has_rules())
		SKIP("an emulator that passes no rules on");
	kernel_agrees(true);
}

static void the_longest_program_is_taken_by_the_kernel(void)
{
	struct sock_filter steps[PORT_MOST_STEPS];
	struct group g = { .is_v6 = true };
	struct port port;
	char text[2 * MATCH_BYTES] = "";
	int err;

	if (!has_rules())
		SKIP("an emulator that passes no rules on");
	open_group(&g);
	for (int i = 0; i < MAX_TERMS; i++)
		sprintf(text + strlen(text), "%sfrom 1:2:3:4:5:6:7:8/127", i ? " and " : "");
	for (uint32_t i = 0; i < MAX_CLASSES; i++) {
		g.c.classes[i] = g.c.classes[0];
		g.c.classes[i].match = rule(text);
	}
	CU_ASSERT_EQUAL(listen_rule(&g.c, g.fd, 0), 0);
	g.c.n_classes = MAX_CLASSES;
	err = listen_rule(&g.c, g.fd, 0);
	if (err == -ENOMEM) {
		close_group(&g);
		SKIP("net.core.optmem_max is too small for it");
	}
	port_of(&g.c, &g.c.classes[0].listen[0], &port);
	CU_ASSERT_EQUAL(port.n, MAX_CLASSES);
	CU_ASSERT(port_compile(&g.c, &port, steps) <= PORT_MOST_STEPS);
	CU_ASSERT_EQUAL(err, 0);
	close_group(&g);
}

static void a_port_of_somebody_else_is_not_joined(void)
{
	struct group g = { .is_v6 = false };
	int on = 1, stranger, err;

	if (!has_rules())
		SKIP("an emulator that passes no rules on");
	open_group(&g);
	stranger = socket(AF_INET, SOCK_DGRAM, 0);
	setsockopt(stranger, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	close_group(&g);
	err = bind(stranger, (const struct sockaddr *)&g.c.classes[0].listen[0].at, g.c.classes[0].listen[0].len);
	CU_ASSERT_EQUAL(err, 0);
	for (uint32_t i = 0; i < N_CLASSES; i++)
		g.fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	CU_ASSERT_EQUAL(listen_bind(&g.c, g.fd, N_CLASSES - 1), -EADDRINUSE);
	close_group(&g);
	close(stranger);
}

static void members_are_bound_from_the_lowest_class_up(void)
{
	struct group g = { .is_v6 = false };

	if (!has_rules())
		SKIP("an emulator that passes no rules on");
	open_group(&g);
	CU_ASSERT(listen_may_bind(&g.c, 3, 0xf));
	CU_ASSERT(listen_may_bind(&g.c, 2, 0x7));
	CU_ASSERT_FALSE(listen_may_bind(&g.c, 2, 0x8));
	CU_ASSERT_FALSE(listen_may_bind(&g.c, 0, 0x2));
	CU_ASSERT(listen_completes(&g.c, 0));
	CU_ASSERT_FALSE(listen_completes(&g.c, 1));
	CU_ASSERT_FALSE(listen_completes(&g.c, 3));
	close_group(&g);
}

SUITE(port, TEST(the_kernel_decides_alike_for_ipv4), TEST(the_kernel_decides_alike_for_ipv6),
      TEST(the_longest_program_is_taken_by_the_kernel), TEST(a_port_of_somebody_else_is_not_joined),
      TEST(members_are_bound_from_the_lowest_class_up))
