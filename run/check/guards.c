/* guards.c - what protection per source takes: programs, sockets, memory. */
#include "guards.h"

#include <inttypes.h>
#include <stdio.h>

#include "config/port.h"
#include "look/number.h"
#include "shm/layout.h"

/* What the kernel makes of a program is larger: an instruction has 8 bytes, and some become two. */
#define KERNEL_BYTES 16
#define OPTMEM "/proc/sys/net/core/optmem_max"

static uint32_t optmem_bytes(void)
{
	FILE *in = fopen(OPTMEM, "re");
	uint32_t bytes = UINT32_MAX;

	if (in && fscanf(in, "%" SCNu32, &bytes) != 1)
		bytes = UINT32_MAX;
	if (in)
		fclose(in);
	return bytes;
}

/* At the first class of it that is guarded. */
static void print_port(const struct config *c, uint32_t class, const struct address *a)
{
	static struct sock_filter steps[PORT_MOST_STEPS];
	char text[ADDRESS_BYTES];
	struct port port;
	uint32_t n;

	port_of(c, a, &port);
	for (uint32_t i = port.n; i-- > 0 && port.members[i].class != class;)
		if (c->classes[port.members[i].class].fair || acl_is_asked(&c->classes[port.members[i].class].acl))
			return;
	n = port_compile(c, &port, steps);
	printf("%s: %" PRIu32 " sockets, and a program of %" PRIu32 " instructions, of at most %d\n",
	       address_format(a, text), port_first(c, &port, port.n) + (port_denies(c, &port) ? port.n : 0), n,
	       PORT_MOST_STEPS);
	if (n > optmem_bytes() / KERNEL_BYTES)
		printf("  that may be more than net.core.optmem_max (%" PRIu32
		       ") lets the kernel take: raise it to %" PRIu32 "\n",
		       optmem_bytes(), n * KERNEL_BYTES);
}

static void print_class(const struct config *c, const struct class_config *class)
{
	char text[GROUPED_BYTES];

	if (class->acl.n[ACL_ALLOW])
		printf("class %s: %u prefixes are allowed, all others denied\n", class->name, class->acl.n[ACL_ALLOW]);
	if (class->acl.n[ACL_DENY])
		printf("class %s: %u prefixes are denied\n", class->name, class->acl.n[ACL_DENY]);
	if (class->source_rate_pps)
		printf("class %s: a source of %u bits of IPv4, %u of IPv6, has %s datagrams per second and %" PRIu32
		       " at once; %d sources, %.1f KiB of shared memory\n",
		       class->name, class->source_bits[0], class->source_bits[1],
		       number_grouped(class->source_rate_pps, text), class->source_burst_pkts, SOURCES,
		       (double)sizeof(struct guard) / 1024);
	if (class->fair)
		printf("class %s: %" PRIu32 " buckets for each of %" PRIu32
		       " addresses, with %.1f MiB of receive buffers "
		       "when all are full\n",
		       class->name, class->fair, class->n_listen,
		       (double)class->fair * class->n_listen * c->socket_buffer_bytes / 1048576);
}

void guards_print(const struct config *c)
{
	for (uint32_t i = 0; i < c->n_classes; i++)
		print_class(c, &c->classes[i]);
	for (uint32_t i = 0; i < c->n_classes; i++)
		for (uint32_t k = 0; k < c->classes[i].n_listen; k++)
			if (c->classes[i].fair || acl_is_asked(&c->classes[i].acl))
				print_port(c, i, &c->classes[i].listen[k]);
}
