/* output.c - one destination's socket: made, found to point the wrong way, connected again in place. */
#include "output.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "config/address.h"
#include "config/from.h"
#include "config/shown.h"
#include "shaper.h"
#include "log.h"
#include "stage/answers.h"
#include "stage/icmp.h"
#include "stage/session_port.h"
#include "stage/stage.h"

#define FIRST_PAUSE_NS (50 * NS_PER_US)
#define LONGEST_PAUSE_NS (2 * NS_PER_MS)
#define FIRST_MEND_NS NS_PER_MS
#define LONGEST_MEND_NS (100 * NS_PER_MS)
#define FORGET_NS NS_PER_S /* a refusal that long ago says nothing about now */
#define SAY_AGAIN_NS (10 * NS_PER_S) /* a slow link runs out of room several times a second */

/* Errors that may be over with another address, route or interface. */
static int is_no_way(int err)
{
	return err == ENETUNREACH || err == EHOSTUNREACH || err == EADDRNOTAVAIL || err == ENODEV || err == ENETDOWN ||
	       err == ENXIO || err == EINVAL;
}

/* One end of a connected socket; len 0: it has none. */
static struct address end_of(int fd, int (*name)(int fd, struct sockaddr *at, socklen_t *len))
{
	struct address a = { 0 };
	socklen_t len = sizeof(a.at);

	if (name(fd, (struct sockaddr *)&a.at, &len) < 0)
		return (struct address){ 0 };
	a.len = len;
	return a;
}

/* What a socket needs to know before it is connected. */
static int aim(const struct output *o, int fd)
{
	int on = (int)o->options->broadcast;

	if (on)
		setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on));
	return group_aim(fd, o->to, o->options->group_ttl, o->options->group_loop);
}

/*
 * In a class with replies its session's socket sends, and this one, if it has none, only shows whether there is a way.
 */
static const struct address *own_from(const struct output *o)
{
	return o->session_number || !o->options->replies[0] ? from_of(o->options, o->to->at.ss_family) : NULL;
}

/* The local address that a new socket gets on the way to a destination. 0, or why there is none. */
static int ask_way(const struct output *o, const struct sockaddr_storage *to, struct sockaddr_storage *local)
{
	int fd = socket(to->ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), err = 0;
	socklen_t local_len = sizeof(*local);

	if (fd < 0)
		return -errno;
	err = aim(o, fd);
	if (!err && own_from(o))
		err = from_is_there(o->options, to->ss_family);
	if (!err && (connect(fd, (const struct sockaddr *)to, o->to->len) < 0 ||
		     getsockname(fd, (struct sockaddr *)local, &local_len) < 0))
		err = -errno;
	close(fd);
	if (!err && own_from(o) && !(address_traits(own_from(o)) & ADDRESS_IS_WILDCARD))
		err = address_resolve(own_from(o), local);
	return err;
}

/* The socket itself; by which interface it sends to a group cannot be asked later. */
static int aim_own(struct output *o)
{
	uint32_t interface = group_interface(o->to);
	int err = aim(o, o->fd);

	if (!err)
		o->interface = interface;
	return err;
}

static int connect_to(struct output *o, const struct sockaddr_storage *to)
{
	int err = aim_own(o);

	if (!err && own_from(o))
		err = from_bind(o->fd, o->options, to->ss_family);
	if (!err && o->seen)
		err = shown_bind(o->fd, o->seen);
	if (!err && o->session_number)
		err = session_port_connect(own_from(o) ? NULL : o->ports, o->fd, to, o->to->len, now_ns());
	else if (!err && connect(o->fd, (const struct sockaddr *)to, o->to->len) < 0)
		err = -errno;
	if (o->session_number && own_from(o))
		err ? (void)answers_refuse(o->fd) : answers_accept(o->fd);
	/* with a port, and without a peer, it would take anybody's datagrams as replies */
	if (err && o->session_number)
		session_port_drop(o->fd);
	return err;
}

/* In place, and on the same port if possible, because a peer may know us by it. */
static int connect_again(struct output *o, const struct sockaddr_storage *to)
{
	struct address was = end_of(o->fd, getsockname);
	struct sockaddr none = { .sa_family = AF_UNSPEC };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	/* One that is bound to an address stays on it. Never without a peer, it takes nothing from others meanwhile. */
	if (own_from(o) && !(address_traits(own_from(o)) & ADDRESS_IS_WILDCARD))
		return connect_to(o, to);
	if (o->session_number && own_from(o) && answers_refuse(o->fd)) /* it stays as it is rather than open to all */
		return -ENOMEM;
	if (o->session_number && !own_from(o) && o->ports) /* answers may be under way to the port that it has had */
		session_port_give_up(o->ports->changed_s, o->fd, now_ns());
	else
		connect(o->fd, &none, sizeof(none));
	/* a port that was asked for would stay when the session ends, and bring answers then */
	if (o->session_number || own_from(o))
		return connect_to(o, to);
	memcpy(to->ss_family == AF_INET ? (void *)&v4.sin_port : (void *)&v6.sin6_port,
	       (const uint8_t *)&was.at + offsetof(struct sockaddr_in, sin_port), sizeof(v4.sin_port));
	/* The kernel refuses this from the second time on, when the socket has kept its port. */
	if (to->ss_family == AF_INET)
		bind(o->fd, (const struct sockaddr *)&v4, v4.sin_port ? sizeof(v4) : 0);
	else
		bind(o->fd, (const struct sockaddr *)&v6, v6.sin6_port ? sizeof(v6) : 0);
	return connect_to(o, to);
}

/* had_way: and it is known. Sessions come by the thousand: of their way the class's own outputs tell. */
static void say_change(const struct output *o, const struct address *was, const struct address *now, int had_way)
{
	char to[ADDRESS_BYTES], text[ADDRESS_BYTES], was_text[ADDRESS_BYTES];

	if (o->session_number || (had_way && was->len && address_is_same_host(&was->at, &now->at)))
		return;
	address_format(o->to, to);
	address_format(now, text);
	if (was->len == 0)
		log_info("class %s: there is a way to %s now, from %s", o->class, to, text);
	else if (address_is_same_host(&was->at, &now->at))
		log_info("class %s: there is a way to %s again, from %s", o->class, to, text);
	else
		log_info("class %s: %s is sent to from %s now, no longer from %s", o->class, to, text,
			 address_format(was, was_text));
}

/*
 * The socket has a destination now. was: its earlier local address; len 0: it had none. Returns 1 if that has changed.
 */
static int tell_change(struct output *o, const struct address *was)
{
	struct address now = end_of(o->fd, getsockname);
	int had_way = o->has_way, is_same = was->len && address_is_same_host(&was->at, &now.at);

	o->has_way = 1;
	say_change(o, was, &now, had_way);
	o->n_remade += !is_same;
	return !is_same;
}

static int tell_no_way(struct output *o, int err)
{
	char to[ADDRESS_BYTES];

	if (!is_no_way(-err)) /* a lack of descriptors or memory says nothing about the way */
		return err;
	if (o->has_way && !o->session_number)
		log_warn("class %s: no way to %s: %s: its packets are counted send_error until there is one", o->class,
			 address_format(o->to, to), strerror(-err));
	o->has_way = 0;
	return err;
}

/* The socket has no destination yet. */
static int connect_first(struct output *o)
{
	struct sockaddr_storage to;
	int err = address_resolve(o->to, &to);

	if (!err)
		err = connect_to(o, &to);
	if (err && o->session_number && !own_from(o)) /* a send without a peer has given it a port */
		session_port_drop(o->fd);
	return err ? tell_no_way(o, err) : 0;
}

void output_set_tos(struct output *o)
{
	int v4 = o->to->at.ss_family == AF_INET;
	int tos = o->options->dscp == DSCP_KEEP ? 0 : (int)(o->options->dscp << 2);

	if (setsockopt(o->fd, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &tos, sizeof(tos)) == 0)
		o->tos = (uint8_t)tos;
}

void output_take(struct output *o, const struct class_config *c, const struct address *to, int fd, int gso)
{
	*o = (struct output){ .fd = fd, .to = to, .options = c, .class = c->name, .has_way = 1 };
	o->overhead_bytes = to->at.ss_family == AF_INET ? IPV4_UDP_BYTES : IPV6_UDP_BYTES;
	o->gso_below_bytes = gso ? GSO_NO_LIMIT : 0;
	if (fd >= 0)
		output_set_tos(o);
}

void output_accept_replies(const struct output *o)
{
	if (own_from(o) && end_of(o->fd, getpeername).len)
		answers_accept(o->fd);
}

int output_make(struct output *o, const struct class_config *c, uint32_t i, int gso)
{
	const struct address *to = &c->dests[i];
	int family = to->at.ss_family, err;

	output_take(o, c, to, handed_socket(c->name, "out", i), gso);
	if (o->fd >= 0) {
		o->has_way = end_of(o->fd, getpeername).len != 0; /* if not, hold has said so */
		aim_own(o);
		return 0;
	}
	o->fd = shown_socket(c, family);
	if (o->fd < 0)
		return o->fd;
	fcntl(o->fd, F_SETFD, FD_CLOEXEC);
	icmp_ask(o->fd, family, 1);
	answers_refuse(o->fd);
	output_set_tos(o);
	err = connect_first(o);
	return is_no_way(-err) ? 0 : err;
}

/* Returns 1 if it was connected again to another end, 0 if all is as it should be, or why there is no way. */
static int repair(struct output *o)
{
	struct address was = end_of(o->fd, getsockname), peer = end_of(o->fd, getpeername);
	struct sockaddr_storage to, local;
	int err;

	if (peer.len == 0) {
		was.len = 0;
		err = connect_first(o);
		return err ? err : tell_change(o, &was);
	}
	err = address_resolve(o->to, &to);
	if (!err)
		err = ask_way(o, &to, &local);
	if (!err && address_is_same_host(&peer.at, &to) && (o->seen || address_is_same_host(&was.at, &local)) &&
	    (!group_is(o->to) || o->interface == group_interface(o->to))) {
		if (o->has_way)
			return 0;
	} else if (!err) {
		err = connect_again(o, &to);
	}
	return err ? tell_no_way(o, err) : tell_change(o, &was);
}

/* An address of this host: whatever changes, there is one way to it, from itself. */
static int is_loopback(const struct address *a)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	memcpy(&v4, &a->at, sizeof(v4));
	memcpy(&v6, &a->at, sizeof(v6));
	return a->at.ss_family == AF_INET ? ntohl(v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET
					  : IN6_IS_ADDR_LOOPBACK(&v6.sin6_addr);
}

void output_look(struct output *o)
{
	int is_failing = !o->has_way || o->mend_pause_ns; /* mended in vain: what it took may have been short */

	if (!o->is_peerless && (is_failing || !is_loopback(o->to)))
		repair(o);
}

static int leads_to(const struct address *peer, const struct sockaddr_storage *to)
{
	struct address at = { .at = *to };

	/* a raw socket has none */
	return peer->len && (address_port(peer) == 0 || address_port(peer) == address_port(&at)) &&
	       address_is_same_host(&peer->at, to);
}

void output_follow(struct output *o)
{
	struct address was = end_of(o->fd, getsockname), peer = end_of(o->fd, getpeername);
	struct sockaddr_storage to;
	int err = o->is_peerless ? -EINVAL : address_resolve(o->to, &to);

	if (err || leads_to(&peer, &to))
		return;
	err = peer.len ? connect_again(o, &to) : connect_to(o, &to);
	if (err)
		tell_no_way(o, err);
	else
		tell_change(o, &was);
}

int output_mend(struct output *o, int err, uint64_t now)
{
	int is_unconnected = err == EDESTADDRREQ || err == ENOTCONN, result;

	if (o->is_peerless || (!is_unconnected && !is_no_way(err)))
		return err;
	if (o->is_retried || (!is_unconnected && now < o->mend_at_ns))
		return err;
	o->mend_pause_ns = o->mend_pause_ns ? 2 * o->mend_pause_ns : FIRST_MEND_NS;
	if (o->mend_pause_ns > LONGEST_MEND_NS)
		o->mend_pause_ns = LONGEST_MEND_NS;
	o->mend_at_ns = now + o->mend_pause_ns;
	result = repair(o);
	if (result == 0 && is_unconnected)
		result = 1;
	o->is_retried = result == 1;
	return result == 1 ? 0 : result < 0 && is_unconnected ? -result : err;
}

uint64_t output_room_wait_ns(struct output *o, int err, uint64_t now, uint64_t most_ns, uint64_t left_ns)
{
	char to[ADDRESS_BYTES];
	uint64_t until_ns;

	if (o->refused_since_ns == 0 || now > o->refused_at_ns + FORGET_NS) {
		o->refused_since_ns = now;
		o->pause_ns = 0;
		o->gives_up = 0;
	}
	o->refused_at_ns = now;
	until_ns = o->refused_since_ns + most_ns;
	if (!o->gives_up && now >= until_ns) {
		o->gives_up = 1;
		if (!o->session_number && (o->said_at_ns == 0 || now > o->said_at_ns + SAY_AGAIN_NS)) {
			log_warn("class %s: nothing is taken for %s: %s: each packet gets one try, and is counted "
				 "send_error, until one is taken",
				 o->class, address_format(o->to, to), strerror(err));
			o->said_at_ns = now;
		}
	}
	if (o->gives_up || left_ns < FIRST_PAUSE_NS)
		return 0;
	o->pause_ns = o->pause_ns ? 2 * o->pause_ns : FIRST_PAUSE_NS;
	if (o->pause_ns > LONGEST_PAUSE_NS)
		o->pause_ns = LONGEST_PAUSE_NS;
	if (o->pause_ns > until_ns - now)
		o->pause_ns = until_ns - now;
	return o->pause_ns < left_ns / 2 ? o->pause_ns : left_ns / 2;
}

void output_taken(struct output *o)
{
	o->refused_since_ns = 0;
	o->gives_up = 0;
	o->mend_pause_ns = 0;
	output_dropped(o);
}

void output_dropped(struct output *o)
{
	o->refusals = 0;
	o->is_retried = 0;
}
