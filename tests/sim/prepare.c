/*
 * prepare.c - what hold does before a simulated world begins: the config as a file, the segment, the names of sockets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/reply.h"
#include "harness/harness.h"
#include "log.h"
#include "sim.h"

#define NAMES_BYTES 4096

/* What hold hands on: listen addresses, then the space descriptor, then the destinations. */
static void name_sockets(const struct config *c)
{
	static char names[NAMES_BYTES];
	size_t len = 0;

	for (uint32_t class = 0; class < c->n_classes; class++)
		for (uint32_t i = 0; i < c->classes[class].n_listen; i++)
			len += (size_t)snprintf(names + len, sizeof(names) - len, "%s.in.%u:", c->classes[class].name,
						i);
	len += (size_t)snprintf(names + len, sizeof(names) - len, "space");
	for (uint32_t class = 0; class < c->n_classes; class++)
		for (uint32_t i = 0; i < c->classes[class].n_dests; i++)
			len += (size_t)snprintf(names + len, sizeof(names) - len, ":%s.out.%u", c->classes[class].name,
						i);
	for (uint32_t class = 0; class < c->n_classes; class++)
		if (reply_sessions(c, class))
			len += (size_t)snprintf(names + len, sizeof(names) - len, ":%s.poll.0:%s.via.0*%u",
						c->classes[class].name, c->classes[class].name,
						reply_sockets(c, class));
	setenv("LISTEN_FDNAMES", names, 1);
}

/* The config as a file that has no name: each stage reads it when it starts. */
static int write_file(const struct sim_setup *setup, char *path, size_t bytes)
{
	static int fd = -1;

	if (fd >= 0)
		close(fd);
	fd = harness_move_fd(memfd_create("sim.conf", MFD_CLOEXEC));
	snprintf(path, bytes, "/proc/self/fd/%d", fd);
	return write(fd, setup->text, strlen(setup->text)) == (ssize_t)strlen(setup->text) ? 0 : -1;
}

int sim_prepare(const struct sim_setup *setup)
{
	static char *no_arguments[] = { NULL };
	char why[WHY_BYTES], path[64];

	memset(&sim, 0, sizeof(sim));
	sim.setup = *setup;
	sim.random = setup->seed * 0xd1342543de82ef95ULL | 1;
	sim.ends_at_ns = SIM_BEGIN_NS + setup->duration_ns;
	if (write_file(setup, path, sizeof(path)) ||
	    config_load(&sim.config, path, 0, no_arguments, why, sizeof(why)) ||
	    segment_create(&sim.seg, &sim.config, NULL, 0, why)) {
		log_error("%s", why);
		return EXIT_CONFIG;
	}
	name_sockets(&sim.config);
	input_open();
	replies_open(output_open());
	check_open();
	flaps_open();
	bounds_open();
	return 0;
}
