/* room.c - what the sessions of classes with replies take. */
#include "room.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

#include "config/reply.h"
#include "config/via_ports.h"
#include "look/number.h"
#include "shm/layout.h"

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51 /* since Linux 6.3 */
#endif
#define OTHER_FILES 128 /* of an instance: its other sockets, the segment, what a stage opens */
#define PORT_RANGE "/proc/sys/net/ipv4/ip_local_port_range"
#define FIRST_PORT 32768 /* where the kernel does not say */
#define LAST_PORT 60999

static void read_range(uint32_t *first, uint32_t *last)
{
	FILE *in = fopen(PORT_RANGE, "re");

	if (!in || fscanf(in, "%u %u", first, last) != 2) {
		*first = FIRST_PORT;
		*last = LAST_PORT;
	}
	if (in)
		fclose(in);
}

/* Does this kernel take the ports from such a range? */
static int has_range(uint32_t first, uint32_t last)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint32_t range = last << 16 | first;
	int has = fd < 0 || setsockopt(fd, SOL_IP, IP_LOCAL_PORT_RANGE, &range, sizeof(range)) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}

static int print_class(const struct config *c, uint32_t class, uint32_t *kernels)
{
	const struct class_config *k = &c->classes[class], *back = &c->classes[reply_back(c, class)];
	uint32_t n = k->sessions, first = k->via_first_port, last = k->via_last_port;
	const char *whose = "via_ports";
	char text[GROUPED_BYTES];

	if (k->via.bits) {
		printf("class %s, replies as %s: %s sessions, each with an address of `via`, by one socket\n", k->name,
		       back->name, number_grouped(n, text));
		return 1;
	}
	if (!first) {
		read_range(&first, &last);
		whose = "net.ipv4.ip_local_port_range";
		*kernels += n;
	}
	printf("class %s, replies as %s: %s sessions, each with a socket and a local port; ports %u-%u (%s); %.1f MiB "
	       "of shared memory\n",
	       k->name, back->name, number_grouped(n, text), first, last, whose,
	       (double)(n * sizeof(struct session)) / 1048576);
	if (k->expected_pps && !back->expected_pps)
		printf("  class %s has no expected_pps: its replies are not in the load\n", back->name);
	if (!k->via_first_port || has_range(first, last))
		return 1;
	puts("  via_ports: this kernel cannot take ports from a range (Linux 6.3 can)");
	return 0;
}

/* Ports of sockets that are not bound are the kernel's choice, one for each socket whatever it leads to. */
static int print_ports(const struct config *c, uint32_t n)
{
	uint32_t first, last, others;
	char text[GROUPED_BYTES];

	read_range(&first, &last);
	others = via_ports_others(c, c->n_classes, first, last);
	if (n + others <= last - first)
		return 1;
	printf("too few local ports: %s sessions, and net.ipv4.ip_local_port_range has %u, %u of which other classes "
	       "may "
	       "have: widen it, or lower `sessions`\n",
	       number_grouped(n, text), last - first + 1, others);
	return 0;
}

/* Those without a range of their own, n of them, may get ports that lie in the range of this class. */
static int print_overlap(const struct config *c, uint32_t class, uint32_t n)
{
	const struct class_config *k = &c->classes[class];
	uint32_t ports = k->via_last_port - k->via_first_port + 1, own = via_ports_sockets(c, class);
	uint32_t first, last, others;

	if (!k->via_first_port || own == 0)
		return 1;
	read_range(&first, &last);
	first = first > k->via_first_port ? first : k->via_first_port;
	last = last < k->via_last_port ? last : k->via_last_port;
	others = via_ports_others(c, class, k->via_first_port, k->via_last_port);
	if (first <= last)
		others += n < last - first + 1 ? n : last - first + 1;
	if (own + others <= ports)
		return 1;
	printf("too few local ports: class %s has %u sessions and %u ports (via_ports), %u of which other classes may "
	       "have: a range outside net.ipv4.ip_local_port_range is its own\n",
	       k->name, own, ports, others);
	return 0;
}

static int print_files(uint32_t n)
{
	struct rlimit limit;
	char text[GROUPED_BYTES], most[GROUPED_BYTES];
	int fits;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return 1;
	fits = limit.rlim_max >= n + OTHER_FILES;
	printf("%sopen files: about %s in each process of the instance, and %s are allowed here (ulimit -Hn)%s\n",
	       fits ? "" : "too few ", number_grouped(n + OTHER_FILES, text), number_grouped(limit.rlim_max, most),
	       fits ? "" : ": raise the limit (LimitNOFILE= of a unit), or lower `sessions`");
	return fits;
}

int room_print(const struct config *c)
{
	uint32_t n = 0, kernels = 0;
	int fits = 1;

	for (uint32_t class = 0; class < c->n_classes; class++)
		if (reply_sessions(c, class)) {
			n += reply_sockets(c, class);
			fits &= print_class(c, class, &kernels);
		}
	if (n == 0)
		return 1;
	fits &= print_ports(c, kernels);
	for (uint32_t class = 0; class < c->n_classes; class++)
		fits &= print_overlap(c, class, kernels);
	return print_files(n) && fits;
}
