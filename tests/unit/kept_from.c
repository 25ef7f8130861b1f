/* kept_from.c - an output that a service manager has kept is used again where it leaves from the same port. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hold/kept.h"
#include "suites.h"

#define FIRST_PORT 32000 /* of this test alone; a run of it at the same time finds others, by its pid */

static struct config config;
static struct sockets first;
static struct kept kept;

static void set_port(struct address *a, uint32_t port)
{
	((struct sockaddr_in *)&a->at)->sin_port = htons((uint16_t)(FIRST_PORT + (uint32_t)getpid() % 500 * 20 + port));
}

static void send_from(uint32_t port)
{
	config.classes[0].from[0] = config.classes[0].dests[0];
	set_port(&config.classes[0].from[0], port);
	config.classes[0].n_from = 1;
}

static void keep(int fd, const char *name)
{
	kept.fds[kept.n] = dup(fd);
	close(fd);
	snprintf(kept.names[kept.n++], sizeof(kept.names[0]), "%s", name);
}

/* Two classes, the first of which has `from`, and a service manager that has all of it. */
static void open_kept(void)
{
	FILE *out = fdopen(memfd_create("kept", 0), "w");
	char name[CLASS_NAME_BYTES + 8];

	memset(&kept, 0, sizeof(kept));
	config_defaults(&config);
	config.n_classes = 2;
	config.socket_buffer_bytes = 65536;
	for (uint32_t class = 0; class < config.n_classes; class++) {
		set_port(&config.classes[class].listen[0], class);
		set_port(&config.classes[class].dests[0], 10); /* of both */
	}
	send_from(18);
	CU_ASSERT_EQUAL_FATAL(sockets_open(&first, &config), 0);
	for (uint32_t i = 0; i < first.n - first.n_uncounted; i++) {
		snprintf(name, sizeof(name), "%s.%s.0", config.classes[i % 2].name,
			 i < 2	 ? "in"
			 : i < 4 ? "deny"
				 : "out");
		keep(first.fds[i], name);
	}
	config_print(&config, out);
	fflush(out);
	keep(dup(fileno(out)), "config");
	fclose(out);
}

/* Which of the two outputs are wanted: 1, the first's; 2, the second's. */
static int wanted(void)
{
	memset(kept.is_wanted, 0, sizeof(kept.is_wanted));
	kept_want(&kept, &config);
	return kept.is_wanted[4] + 2 * kept.is_wanted[5];
}

static void an_output_is_used_again_where_it_leaves_from_the_same_port(void)
{
	struct sockets second;

	open_kept();
	CU_ASSERT_EQUAL(wanted(), 3);
	send_from(19);
	CU_ASSERT_EQUAL(wanted(), 2);
	config.classes[1].from[0] = config.classes[0].from[0];
	config.classes[1].n_from = 1;
	config.classes[0].n_from = 0;
	CU_ASSERT_EQUAL(wanted(), 0);
	config.classes[1].n_from = 0;
	CU_ASSERT_EQUAL(wanted(), 2);
	CU_ASSERT_EQUAL_FATAL(sockets_open_with(&second, &config, &kept), 0);
	/* an emulator has none */ /* which has the other class's peer */
	CU_ASSERT(first.cookies[4] == 0 || second.cookies[4] != first.cookies[4]);
	CU_ASSERT_EQUAL(second.cookies[5], first.cookies[5]);
	for (uint32_t i = 0; i < second.n; i++)
		close(second.fds[i]);
	for (uint32_t i = 0; i < kept.n; i++)
		if (kept.fds[i] >= 0)
			close(kept.fds[i]);
	close(first.fds[first.n - 1]);
}

SUITE(kept_from, TEST(an_output_is_used_again_where_it_leaves_from_the_same_port))
