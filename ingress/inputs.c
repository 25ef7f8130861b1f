/* inputs.c - inputs whose address or interface comes later, goes, or comes back with another index. */
#include "inputs.h"

#include <errno.h>
#include <string.h>

#include "config/address.h"
#include "log.h"
#include "stage/gather.h"
#include "stage/listen.h"

#define LOOK_NS (250 * NS_PER_MS)

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif

static const struct address *address_of(const struct stage *s, const struct ingress *in, uint32_t flow)
{
	return &s->config.classes[in->class_of[flow]].listen[in->listen_of[flow]];
}

/* Only these are bound to the index, or members by it; for all others a scope says nothing. */
static int is_scoped(const struct address *a)
{
	struct sockaddr_in6 v6;

	memcpy(&v6, &a->at, sizeof(v6));
	return group_is(a) || (a->scope[0] && IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr));
}

/*
 * Is the socket of a flow bound, and, where the first of several shards binds for all, those of the others too? They
 * are bound in their order.
 */
static int is_bound(const struct stage *s, const int *fd, uint32_t flow)
{
	uint32_t behind = s->shard == 0 ? s->seg.n_shards - 1 : 0;

	if (s->seg.n_shards == 1)
		return listen_is_bound(fd[listen_socket(&s->config, flow + 1) - 1]);
	return listen_is_bound(fd[flow] + (int)behind);
}

void inputs_open(struct inputs *n, const struct stage *s, const struct ingress *in, const int *fd)
{
	memset(n, 0, sizeof(*n));
	for (uint32_t flow = 0; flow < in->n_inputs; flow++) {
		uint64_t bit = 1ULL << flow;

		if (is_scoped(address_of(s, in, flow)))
			n->scoped |= bit;
		if (!is_bound(s, fd, flow))
			n->unbound |= bit;
	}
}

static void count_remade(struct stage *s)
{
	atomic_fetch_add_explicit(&s->self->remade_sockets, 1, memory_order_relaxed); /* for observers */
}

/* The sockets that all shards have for a flow: in a row, as they are handed on. */
static const int *row_of(const struct stage *s, int own_fd, int row[MOST_SHARDS])
{
	for (uint32_t k = 0; k < s->seg.n_shards; k++)
		row[k] = own_fd - (int)s->shard + (int)k;
	return row;
}

/* Of several shards the first one binds for all. -EADDRNOTAVAIL: it has not yet. */
static int bind_flow(const struct stage *s, const struct ingress *in, const int *fd, uint32_t flow)
{
	int row[MOST_SHARDS];

	if (s->seg.n_shards == 1)
		return listen_bind(&s->config, fd, flow);
	if (s->shard > 0)
		return listen_is_bound(fd[flow]) ? 0 : -EADDRNOTAVAIL;
	return gather_bind(address_of(s, in, flow), row_of(s, fd[flow], row), s->seg.n_shards);
}

static void bind_now(struct inputs *n, struct stage *s, const struct ingress *in, const int *fd, uint32_t flow)
{
	const struct address *a = address_of(s, in, flow);
	const char *class = s->config.classes[in->class_of[flow]].name;
	char text[ADDRESS_BYTES];
	int err;

	if (!listen_may_bind(&s->config, flow, n->unbound))
		return;
	err = bind_flow(s, in, fd, flow);
	if (err && is_bound(s, fd, flow))
		err = 0; /* what failed are the rules, which are still due */
	if (!err) {
		n->unbound &= ~(1ULL << flow);
		count_remade(s);
		log_info("class %s: %s is there now, and bound", class, address_format(a, text));
		return;
	}
	if (err == -ENODEV || err == -EADDRNOTAVAIL || (n->refused >> flow & 1)) /* that, hold has said */
		return;
	n->refused |= 1ULL << flow;
	log_warn("class %s: bind %s: %s: it is tried again until it works", class, address_format(a, text),
		 strerror(-err));
}

static int bind_to_interface(struct stage *s, const struct address *a, const char *class, int fd, int was, int is)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	char text[ADDRESS_BYTES];

	connect(fd, &none, sizeof(none));
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &is, sizeof(is)) < 0)
		return -errno;
	count_remade(s);
	log_info("class %s: %s is received on interface %d now, no longer on %d", class, address_format(a, text), is,
		 was);
	return 0;
}

static void tell_gone(struct inputs *n, const char *class, const struct address *a, uint32_t flow)
{
	char text[ADDRESS_BYTES];

	if (!(n->gone >> flow & 1))
		log_warn("class %s: no interface %s any more: %s is received again when it is back", class, a->scope,
			 address_format(a, text));
	n->gone |= 1ULL << flow;
}

static void tell_refused(struct inputs *n, const char *class, const struct address *a, uint32_t flow, const char *what,
			 int err)
{
	char text[ADDRESS_BYTES];

	if (!(n->refused >> flow & 1))
		log_warn("class %s: %s %s on interface %s: %s: it is tried again until it works", class, what,
			 address_format(a, text), a->scope, log_text_of(-err));
	n->refused |= 1ULL << flow;
}

static void follow_group(struct inputs *n, struct stage *s, const struct ingress *in, const int *fd, uint32_t flow)
{
	const struct address *a = address_of(s, in, flow);
	const char *class = s->config.classes[in->class_of[flow]].name;
	int got = listen_follow(&s->config, fd[listen_socket(&s->config, flow)], flow, &n->joined[flow]);
	char text[ADDRESS_BYTES];

	if (got == -ENODEV) {
		tell_gone(n, class, a, flow);
		n->joined[flow] = 0;
		return;
	}
	if (got < 0) {
		tell_refused(n, class, a, flow, "join", got);
		return;
	}
	n->gone &= ~(1ULL << flow);
	n->refused &= ~(1ULL << flow);
	if (got == 0)
		return;
	count_remade(s);
	log_info("class %s: %s is joined on interface %s", class, address_format(a, text), a->scope);
}

static void follow_interface(struct inputs *n, struct stage *s, const struct ingress *in, const int *fd, uint32_t flow)
{
	const struct address *a = address_of(s, in, flow);
	const char *class = s->config.classes[in->class_of[flow]].name;
	struct sockaddr_storage at;
	struct sockaddr_in6 v6;
	socklen_t len = sizeof(int);
	int own = fd[listen_socket(&s->config, flow)], was = 0, err;

	if (getsockopt(own, SOL_SOCKET, SO_BINDTOIFINDEX, &was, &len) < 0)
		return;
	if (address_resolve(a, &at)) {
		tell_gone(n, class, a, flow);
		return;
	}
	n->gone &= ~(1ULL << flow);
	memcpy(&v6, &at, sizeof(v6));
	if ((uint32_t)was == v6.sin6_scope_id)
		return;
	err = bind_to_interface(s, a, class, own, was, (int)v6.sin6_scope_id);
	if (err)
		tell_refused(n, class, a, flow, "bind", err);
	else
		n->refused &= ~(1ULL << flow);
}

static void rule_now(struct inputs *n, struct stage *s, const struct ingress *in, const int *fd, uint32_t flow)
{
	int row[MOST_SHARDS];
	int err = s->seg.n_shards == 1
			  ? listen_rule(&s->config, fd, flow)
			  : gather_rule(address_of(s, in, flow), row_of(s, fd[flow], row), s->seg.n_shards);

	if (err) {
		stage_call_failed(s, "SO_ATTACH_REUSEPORT_CBPF", -err);
		return;
	}
	stage_call_works(s, "SO_ATTACH_REUSEPORT_CBPF");
	n->unruled &= ~(1ULL << flow);
}

static void rule_all(struct inputs *n, struct stage *s, const struct ingress *in, const int *fd)
{
	for (uint64_t left = n->unruled & ~n->unbound; left; left &= left - 1)
		rule_now(n, s, in, fd, (uint32_t)__builtin_ctzll(left));
}

static uint32_t first_of(const struct stage *s, uint32_t flow)
{
	return listen_socket(&s->config, flow);
}

/* Only a class that keeps something of it asks: it costs some 100 ns a datagram. */
static void ask_tos(const struct stage *s, const struct ingress *in, const int *fd, uint32_t flow)
{
	const struct class_config *class = &s->config.classes[in->class_of[flow]];
	int v4 = address_of(s, in, flow)->at.ss_family == AF_INET;
	int on = class->dscp == DSCP_KEEP || class->ecn != ECN_OFF;

	for (uint32_t k = first_of(s, flow); k < first_of(s, flow + 1); k++)
		setsockopt(fd[k], v4 ? SOL_IP : SOL_IPV6, v4 ? IP_RECVTOS : IPV6_RECVTCLASS, &on, sizeof(on));
}

/*
 * Replies leave from the address that the sender wrote to, and a header tells it; where `listen` is that one, nothing
 * has to be told.
 */
static void ask_local(const struct stage *s, const struct ingress *in, const int *fd, uint32_t flow)
{
	const struct address *a = address_of(s, in, flow);
	int v4 = a->at.ss_family == AF_INET;
	const struct class_config *class = &s->config.classes[in->class_of[flow]];
	int on = (class->replies[0] || class->source == SOURCE_PROXY) && (address_traits(a) & ADDRESS_IS_WILDCARD);

	for (uint32_t k = first_of(s, flow); k < first_of(s, flow + 1); k++)
		setsockopt(fd[k], v4 ? SOL_IP : SOL_IPV6, v4 ? IP_PKTINFO : IPV6_RECVPKTINFO, &on, sizeof(on));
}

void inputs_apply(struct inputs *n, struct stage *s, const struct ingress *in, const int *fd)
{
	for (uint32_t flow = 0; flow < in->n_inputs; flow++) {
		ask_tos(s, in, fd, flow);
		ask_local(s, in, fd, flow);
	}
	for (uint32_t flow = 0; flow < in->n_inputs; flow++)
		if (s->seg.n_shards > 1 ? s->shard == 0 : listen_has_rule(&s->config, fd, flow))
			n->unruled |= 1ULL << flow;
	rule_all(n, s, in, fd);
}

void inputs_look(struct inputs *n, struct stage *s, const struct ingress *in, const int *fd, uint64_t now)
{
	if (now < n->look_at_ns)
		return;
	n->look_at_ns = now + LOOK_NS;
	rule_all(n, s, in, fd);
	for (uint64_t left = n->unbound | n->scoped; left;) { /* downwards: listen.h */
		uint32_t flow = 63 - (uint32_t)__builtin_clzll(left);

		left &= ~(1ULL << flow);
		if (n->unbound >> flow & 1)
			bind_now(n, s, in, fd, flow);
		else if (group_is(address_of(s, in, flow)))
			follow_group(n, s, in, fd, flow);
		if (!(n->unbound >> flow & 1) && address_of(s, in, flow)->at.ss_family == AF_INET6)
			follow_interface(n, s, in, fd, flow);
	}
}
