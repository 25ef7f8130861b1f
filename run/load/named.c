/* named.c - what the relay says of each datagram that did not come. */
#include "named.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

/* drops in a socket are counted with the next look of ingress, a heartbeat later at most */
#define PATIENCE_NS NS_PER_S
#define PAUSE_NS (20 * NS_PER_MS)

/* Is it an address of this machine? Only such a one can be bound. */
static int is_here(const struct address *a)
{
	struct sockaddr_storage at = a->at;
	int fd = socket(at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return 1; /* a shortage; the account decides */
	if (at.ss_family == AF_INET)
		((struct sockaddr_in *)&at)->sin_port = 0;
	else
		((struct sockaddr_in6 *)&at)->sin6_port = 0;
	err = bind(fd, (const struct sockaddr *)&at, a->len) < 0 ? errno : 0;
	close(fd);
	return err != EADDRNOTAVAIL;
}

static int all_are_here(struct named *n, const struct config *c, uint32_t used)
{
	char text[ADDRESS_BYTES];

	for (uint32_t i = 0; i < c->n_classes; i++)
		for (uint32_t k = 0; used >> i & 1 && k < c->classes[i].n_listen; k++)
			if (!is_here(&c->classes[i].listen[k])) {
				snprintf(n->why, sizeof(n->why), "%s is on another machine",
					 address_format(&c->classes[i].listen[k], text));
				return 0;
			}
	return 1;
}

void named_before(struct named *n, const struct config *c, uint32_t used)
{
	memset(n, 0, sizeof(*n));
	viewer_open(&n->viewer, c->instance);
	if (!all_are_here(n, c, used))
		return;
	n->is_asked = viewer_look(&n->viewer, &n->before, n->why) == 0;
}

static const struct account *account_of(const struct view *v, const char *class)
{
	for (uint32_t i = 0; i < v->n_classes; i++)
		if (strcmp(v->classes[i].name, class) == 0)
			return &v->classes[i].account;
	return NULL;
}

/* One class, from two looks. 0: this account cannot be that of what was sent. */
static int compare(struct named *n, const struct flow *f, struct named_class *out)
{
	const struct account *was = account_of(&n->before, f->name), *is = account_of(&n->after, f->name);
	/* relaxed: after the run */
	uint64_t came_pkts, sent_pkts = atomic_load_explicit(&f->sent_pkts, memory_order_relaxed);

	memset(out, 0, sizeof(*out));
	if (!was || !is) {
		snprintf(n->why, sizeof(n->why), "instance '%s' of this machine has no class %s", n->viewer.instance,
			 f->name);
		return 0;
	}
	came_pkts = is->received_pkts - was->received_pkts;
	if ((int64_t)came_pkts < (int64_t)sent_pkts - flow_lost_pkts(f)) {
		snprintf(n->why, sizeof(n->why), "instance '%s' of this machine is not what passed them on",
			 n->viewer.instance);
		return 0;
	}
	for (int r = 0; r < N_DROP_REASONS; r++)
		out->dropped_pkts[r] = is->dropped_pkts[r] - was->dropped_pkts[r];
	out->held_pkts = is->held_pkts;
	/* What was held before the run is in the account of the run, and none of its datagrams. */
	out->others_pkts = (came_pkts > sent_pkts ? came_pkts - sent_pkts : 0) + was->held_pkts;
	return 1;
}

/* 1: the account says what became of all, or cannot. */
static int look(struct named *n, const struct flow *flows, uint32_t n_flows)
{
	int is_complete = 1;

	n->is_asked = viewer_look(&n->viewer, &n->after, n->why) == 0;
	if (n->is_asked && !view_follows(&n->after, &n->before)) {
		snprintf(n->why, sizeof(n->why), "instance '%s' was launched anew meanwhile", n->viewer.instance);
		n->is_asked = 0;
	}
	for (uint32_t i = 0; n->is_asked && i < n_flows; i++) {
		n->is_asked = compare(n, &flows[i], &n->classes[i]);
		is_complete &= named_lost_pkts(n, flows, i) <= 0;
	}
	return is_complete || !n->is_asked;
}

void named_after(struct named *n, const struct flow *flows, uint32_t n_flows)
{
	struct timespec pause = { .tv_nsec = (long)PAUSE_NS };
	uint64_t until_ns = now_ns() + PATIENCE_NS;

	while (n->is_asked && !look(n, flows, n_flows) && now_ns() < until_ns)
		nanosleep(&pause, NULL);
	viewer_close(&n->viewer);
}

uint64_t named_pkts(const struct named *n, uint32_t i)
{
	uint64_t sum = n->is_asked ? n->classes[i].held_pkts : 0;

	for (int r = 0; n->is_asked && r < N_DROP_REASONS; r++)
		sum += n->classes[i].dropped_pkts[r];
	return sum;
}

int64_t named_lost_pkts(const struct named *n, const struct flow *flows, uint32_t i)
{
	int64_t missing = flow_lost_pkts(&flows[i]), named = (int64_t)named_pkts(n, i);

	if (missing <= 0)
		return missing;
	return missing > named ? missing - named : 0;
}
