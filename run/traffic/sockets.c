/* sockets.c - the sockets of one class: of its sources, and of its sinks. */
#include "flow.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "config/address.h"
#include "config/copying.h"
#include "log.h"
#include "socket_drops.h"

#define SOCKET_BUFFER_BYTES (256 << 20)

static int send_to(int fd, const struct address *a)
{
	int err = group_aim(fd, a, 1, 1);

	return !err && connect(fd, (const struct sockaddr *)&a->at, a->len) < 0 ? -errno : err;
}

static void set_buffer(int fd, int option, int by_force)
{
	int bytes = SOCKET_BUFFER_BYTES;

	setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, by_force, &bytes, sizeof(bytes));
}

/* One that is bound there, or that leads there; `what` it does: both, where there are answers. */
static int open_socket(const struct address *a, uint32_t what, int receives)
{
	int fd = socket(a->at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | (receives ? SOCK_NONBLOCK : 0), 0);
	int on = 1, err;

	if (fd < 0)
		return -errno;
	/* before the first datagram: until the kernel stamps, it gives the time of the read */
	if (what & FLOW_RECEIVES)
		setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	if (what & FLOW_RECEIVES)
		set_buffer(fd, SO_RCVBUF, SO_RCVBUFFORCE);
	if (what & FLOW_SENDS)
		set_buffer(fd, SO_SNDBUF, SO_SNDBUFFORCE);
	err = receives ? group_receive(fd, a, &a->at) : send_to(fd, a);
	if (err == 0)
		return fd;
	close(fd);
	return err;
}

/* The class's datagrams must be those that its rule names, if other classes listen there too. */
static int mark(const struct flow *f, const struct class_config *class, const struct address *to, int fd)
{
	bool v4 = to->at.ss_family == AF_INET, only;
	int dscp = match_dscp(&class->match, &only), tos = dscp * 4; /* -1: as long as it is not asked for */
	char text[MATCH_BYTES];

	if (class->match.n == 0)
		return 0;
	if (dscp < 0 || !only) {
		log_error("class %s: match = %s: the datagrams made here can have a DSCP, nothing else; name the other "
			  "classes in --rate, or begin the rule with `dscp NAME,`",
			  f->name, match_format(&class->match, text));
		return -EINVAL;
	}
	if (setsockopt(fd, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &tos, sizeof(tos)) == 0)
		return 0;
	log_error("class %s: set DSCP %d: %s", f->name, dscp, strerror(errno));
	return -EINVAL;
}

static int open_sources(struct flow *f, const struct class_config *class, uint32_t n)
{
	uint32_t what = FLOW_SENDS | (f->answers ? FLOW_RECEIVES : 0);
	char text[ADDRESS_BYTES];

	for (uint32_t i = 0; i < n; i++) {
		const struct address *to = &class->listen[i % class->n_listen];

		f->out_fd[i] = open_socket(to, what, 0);
		if (f->out_fd[i] >= 0 && mark(f, class, to, f->out_fd[i]) == 0)
			continue;
		if (f->out_fd[i] >= 0)
			return -EINVAL;
		log_error("send to class %s on %s from socket %u of %u: %s", f->name, address_format(to, text), i + 1,
			  n, strerror(-f->out_fd[i]));
		return f->out_fd[i];
	}
	f->n_out = n;
	return 0;
}

const struct address *flow_shared_dest(const struct class_config *a, const struct class_config *b)
{
	for (uint32_t i = 0; i < a->n_dests; i++)
		for (uint32_t k = 0; k < b->n_dests; k++)
			if (address_overlap(&a->dests[i], &b->dests[k]))
				return &a->dests[i];
	return NULL;
}

/* Has this flow, or one before it, a socket that receives what is sent there? */
static int is_bound(struct flow *f, const struct address *at)
{
	for (uint32_t i = 0; i < f->n_beside; i++)
		for (uint32_t k = 0; k < f->beside[i].n_in; k++)
			if (address_overlap(&f->beside[i].in_at[k], at)) {
				f->beside[i].is_shared = 1;
				return 1;
			}
	for (uint32_t k = 0; k < f->n_in; k++)
		if (address_overlap(&f->in_at[k], at))
			return 1;
	return 0;
}

/* Whoever had the port may be on its way out: a receiver that was ended just before. */
static int open_sink(const struct flow *f, const struct address *at)
{
	uint32_t what = FLOW_RECEIVES | (f->answers ? FLOW_SENDS : 0);
	int fd = open_socket(at, what, 1);

	for (uint64_t until_ns = now_ns() + NS_PER_S; fd == -EADDRINUSE && now_ns() < until_ns;) {
		usleep(50000);
		fd = open_socket(at, what, 1);
	}
	return fd;
}

static int open_sinks(struct flow *f, const struct class_config *class)
{
	char text[ADDRESS_BYTES];

	f->n_in = 0;
	for (uint32_t i = 0; i < class->n_dests; i++) {
		int fd;

		if (is_bound(f, &class->dests[i]))
			continue;
		fd = open_sink(f, &class->dests[i]);
		if (fd < 0) {
			log_error("receive for class %s on %s: %s%s", f->name, address_format(&class->dests[i], text),
				  strerror(-fd), fd == -EADDRINUSE ? ": another program has this port" : "");
			return fd;
		}
		f->in_at[f->n_in] = class->dests[i];
		f->in_fd[f->n_in++] = fd;
	}
	return 0;
}

int flow_open(struct flow *f, const struct class_config *class, const struct packet_sizes *sizes, uint32_t n_sources,
	      uint32_t what)
{
	int err = 0;

	memcpy(f->name, class->name, sizeof(f->name));
	f->sizes = *sizes;
	f->budget_ns = class->budget_ns;
	f->answers = class->replies[0] != 0;
	f->copies = copying_count(class) > 0;
	/* of a session each */
	f->n_orders = class->n_listen > 1 || (class->n_dests > 1 && !f->copies) || f->answers ? n_sources : 1;
	if (what & FLOW_SENDS)
		err = open_sources(f, class, n_sources);
	if (!err && what & FLOW_RECEIVES)
		err = open_sinks(f, class);
	return err;
}

void flow_open_back(struct flow *f, struct flow *forth, const struct class_config *class)
{
	int has_both = forth->budget_ns != BUDGET_NONE && class->budget_ns != BUDGET_NONE;

	memcpy(f->name, class->name, sizeof(f->name));
	f->sizes = forth->sizes;
	f->budget_ns = has_both ? forth->budget_ns + class->budget_ns : BUDGET_NONE;
	f->n_orders = forth->n_out;
	f->forth = forth;
	forth->back = f;
}

uint32_t flow_n_in(const struct flow *f)
{
	return f->forth ? f->forth->n_out : f->n_in;
}

int flow_in(const struct flow *f, uint32_t i)
{
	return f->forth ? f->forth->out_fd[i] : f->in_fd[i];
}

uint64_t flow_all_drops(const struct flow *f)
{
	uint64_t sum = 0;
	uint32_t drops;

	for (uint32_t i = 0; i < flow_n_in(f); i++)
		sum += socket_drops(flow_in(f, i), &drops) == 0 ? drops : 0;
	return sum;
}
