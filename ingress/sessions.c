/* sessions.c - sessions are made, used, ended and freed. */
#include "aim.h"

#include <poll.h>
#include <string.h>

#include "clock.h"
#include "config/address.h"
#include "log.h"
#include "mutant.h"
#include "stage/icmp.h"
#include "stage/session_port.h"

#define CLOSING_LOOKS 16 /* of those that wait to be freed, in one call */
#define FREE_NS NS_PER_MS /* between two of these */
#define IDLE_ENDS 16 /* sessions ended in one call */
#define CLOSING_NS (10 * NS_PER_MS) /* between two looks at what could not be freed yet */
#define MOST_ROUNDS 4 /* of sockets with nothing but errors: the caller is told of them again */
#define WAITED_NS (10 * NS_PER_MS) /* of a datagram in the lane: less is not looked at */

static uint64_t count_of(uint64_t word)
{
	return word >> COUNT_SHIFT;
}

/* Has a lane come that far? Counts are modulo 2^48. */
static int has_passed(uint64_t word, uint64_t count)
{
	return ((count_of(word) - count) & (UINT64_MAX >> COUNT_SHIFT)) < UINT64_MAX >> (COUNT_SHIFT + 1);
}

static void set_state(struct session *s, uint32_t state)
{
	/* release: whoever sees the state sees the fields */
	atomic_store_explicit(&s->state, state, memory_order_release);
}

static int has_input(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLIN);
}

static int make(struct sessions *x, const struct session_key *key, const struct sender_address *from, uint64_t count,
		uint64_t now)
{
	int k = session_index_oldest(&x->index, LIST_FREE);
	struct session *s;

	if (k < 0 || session_index_count(&x->index, key) >= x->stage->config.classes[x->forth].sessions_per_source)
		return -1;
	s = &x->all[k];
	if (!x->has_one_socket)
		sessions_give_up_port(x, (uint32_t)k); /* a predecessor may have died while it made one of it */
	s->number++;
	s->client = *from->from;
	memcpy(s->local, from->local, sizeof(s->local));
	s->is_v4_local = from->is_v4_local;
	s->local_scope = from->local_scope;
	s->listen = (uint8_t)from->listen;
	s->destination = (uint8_t)aim_of(x, key);
	s->is_answered = 0;
	s->first_forth = count;
	/* Nothing of it lies in a lane: whatever has been released is right. */
	s->last_forth = count_of(lane_sent(x->stage->seg.views[x->forth].lane));
	s->last_back = count_of(lane_sent(x->stage->seg.views[x->back].lane));
	/* relaxed: published by the state */
	atomic_store_explicit(&s->forth_pkts, 0, memory_order_relaxed);
	atomic_store_explicit(&s->back_pkts, 0, memory_order_relaxed);
	atomic_store_explicit(&s->last_ns, now, memory_order_relaxed);
	if (!x->has_one_socket)
		sessions_connect(x, (uint32_t)k, now);
	/* The kernel binds a socket before it connects it, and by then nothing has left that could be answered. */
	if (!x->has_one_socket && !mutant_is("no-drain"))
		sessions_drop_strays(x, (uint32_t)k);
	x->drained_at_ns[k] = now;
	set_state(s, SESSION_OPEN);
	session_index_open(&x->index, (uint32_t)k, key, 0, now);
	return k;
}

static uint32_t link_of(const struct sockaddr_in6 *a)
{
	return a->sin6_family == AF_INET6 ? a->sin6_scope_id : 0;
}

/*
 * By the way of a session's first datagram: to the same address, where its replies leave from, and from the same link.
 */
static int is_same_way(const struct session *s, const struct sender_address *from)
{
	return s->listen == from->listen && memcmp(s->local, from->local, sizeof(s->local)) == 0 &&
	       link_of(&s->client) == link_of(from->from);
}

int sessions_find(struct sessions *x, const struct sender_address *from, uint64_t count, uint64_t now)
{
	struct session_key key = sessions_key(x, from);
	int k = session_index_find(&x->index, &key);

	if (k < 0)
		return make(x, &key, from, count, now);
	return !x->is_by_sender || is_same_way(&x->all[k], from) ? k : -1;
}

static int is_same_peer(const struct address *a, const struct sockaddr_in6 *from)
{
	struct sockaddr_in6 to;
	struct sockaddr_in to4, from4;

	memcpy(&to, &a->at, sizeof(to));
	memcpy(&to4, &a->at, sizeof(to4));
	memcpy(&from4, from, sizeof(from4));
	if (to.sin6_family != from->sin6_family || to4.sin_port != from4.sin_port)
		return 0;
	return to.sin6_family == AF_INET ? to4.sin_addr.s_addr == from4.sin_addr.s_addr
					 : IN6_ARE_ADDR_EQUAL(&to.sin6_addr, &from->sin6_addr);
}

static int find_by_sender(const struct sessions *x, const uint8_t local[16], in_port_t port, int family)
{
	struct session_key key = { .family = (uint8_t)family, .port = port };

	memcpy(key.address, local, family == AF_INET ? sizeof(struct in_addr) : sizeof(key.address));
	return session_index_find(&x->index, &key);
}

static int find_by_address(const struct sessions *x, const uint8_t local[16])
{
	int k = via_session(x->via, x->n, local);
	uint8_t its[16];

	if (k < 0)
		return -1;
	via_address(x->via, x->n, (uint32_t)k, x->all[k].number, its);
	return mutant_is("via-any") || memcmp(its, local, sizeof(its)) == 0 ? k : -1;
}

int sessions_find_back(const struct sessions *x, const uint8_t local[16], in_port_t port,
		       const struct sockaddr_in6 *from)
{
	const struct class_config *c = &x->stage->config.classes[x->forth];
	int k = x->is_by_sender ? find_by_sender(x, local, port, from->sin6_family) : find_by_address(x, local);
	const struct session *s = k < 0 ? NULL : &x->all[k];

	if (!s || sessions_state(s) == SESSION_FREE || s->destination >= c->n_dests)
		return -1;
	if (mutant_is("via-any"))
		return k;
	return is_same_peer(&c->dests[s->destination], from) ? k : -1;
}

static void touch(struct sessions *x, uint32_t k, uint64_t now)
{
	struct session *s = &x->all[k];

	atomic_store_explicit(&s->last_ns, now, memory_order_relaxed); /* relaxed: its own word */
	if (sessions_state(s) == SESSION_OPEN)
		session_index_touch(&x->index, k, s->is_answered, now);
}

void sessions_note_forth(struct sessions *x, uint32_t k, uint64_t count, uint64_t now)
{
	if (!mutant_is("hint-after-commit"))
		x->all[k].last_forth = count;
	atomic_fetch_add_explicit(&x->all[k].forth_pkts, 1, memory_order_relaxed); /* relaxed: for observers */
	touch(x, k, now);
}

void sessions_note_back(struct sessions *x, uint32_t k, uint64_t count, uint64_t now)
{
	if (!mutant_is("hint-after-commit"))
		x->all[k].last_back = count;
	x->all[k].is_answered = 1;
	atomic_fetch_add_explicit(&x->all[k].back_pkts, 1, memory_order_relaxed); /* relaxed: for observers */
	touch(x, k, now);
}

/* One that came to a free session's socket: a predecessor died while it made a session of it. */
static int is_somebodys(struct sessions *x, uint32_t k)
{
	if (k >= x->n)
		return 0;
	if (sessions_state(&x->all[k]) != SESSION_FREE)
		return 1;
	sessions_give_up_port(x, k);
	sessions_drop_strays(x, k);
	return 0;
}

/* An error that stays in its socket would be told of for ever. Returns 1 if there is nothing else. */
static int is_error_alone(struct sessions *x, struct epoll_event *e)
{
	uint32_t n;

	if (e->events & EPOLLERR && e->data.u32 < x->n) {
		n = icmp_take_all(x->first_fd + (int)e->data.u32);
		x->refusals += n;
		aim_count_refused(x, e->data.u32, n);
	}
	e->events &= ~(uint32_t)EPOLLERR;
	return e->events == 0;
}

int sessions_next(struct sessions *x)
{
	for (int rounds = 0; rounds < MOST_ROUNDS; rounds++) {
		while (x->next_ready < x->n_ready) {
			uint32_t k = x->ready[x->next_ready].data.u32;

			if (!is_error_alone(x, &x->ready[x->next_ready]) && is_somebodys(x, k))
				return (int)k;
			x->next_ready++;
		}
		x->next_ready = x->has_more = 0;
		x->n_ready = epoll_wait(x->poll_fd, x->ready, MOST_READY, 0);
		if (x->n_ready <= 0) {
			x->n_ready = 0;
			return -1;
		}
	}
	return -1;
}

/* One that has more is told of again, behind the others. */
int sessions_read(struct sessions *x, int emptied)
{
	x->next_ready++;
	x->has_more |= !emptied;
	return x->next_ready == x->n_ready && x->n_ready < MOST_READY && !x->has_more;
}

static int is_idle(const struct sessions *x, uint32_t k, enum session_list list, uint64_t now)
{
	const struct class_config *c = &x->stage->config.classes[x->forth];
	uint64_t limit_ns = list == LIST_ANSWERED ? c->idle_ns : c->idle_unanswered_ns;

	return now >= session_index_last_ns(&x->index, k) + limit_ns;
}

/* When its newest datagram left, as long as the slot says so; else 0. */
static uint64_t left_at_ns(const struct sessions *x, uint32_t k)
{
	const struct lane_view *v = &x->stage->seg.views[x->forth];
	uint64_t last_word = (x->all[k].last_forth - 1) << COUNT_SHIFT;

	/* relaxed: its own word */
	if (atomic_load_explicit(&x->all[k].forth_pkts, memory_order_relaxed) == 0 ||
	    lane_distance_pkts(lane_sent(v->lane), last_word) > v->slots)
		return 0;
	return v->departures[lane_index(v, last_word, 0)].handed_at_ns;
}

/* Its time runs from when its datagram left: one that waited for long may not have been answered yet. */
static int has_waited(struct sessions *x, uint32_t k, enum session_list list, uint64_t now)
{
	uint64_t left_ns = left_at_ns(x, k), last_ns = session_index_last_ns(&x->index, k);

	if (left_ns < last_ns + WAITED_NS || left_ns > now)
		return 0;
	session_index_touch(&x->index, k, x->all[k].is_answered, left_ns);
	return !is_idle(x, k, list, now);
}

/* While one of its datagrams waits for egress, it is not idle, and needs its port. */
static void end(struct sessions *x, uint32_t k, enum session_list list, uint64_t now)
{
	struct session *s = &x->all[k];

	if (!has_passed(lane_sent(x->stage->seg.views[x->forth].lane), s->last_forth)) {
		session_index_touch(&x->index, k, s->is_answered, now);
		return;
	}
	if (has_waited(x, k, list, now))
		return;
	set_state(s, SESSION_CLOSING);
	session_index_close(&x->index, k);
	if (!x->has_one_socket)
		sessions_give_up(x, k, now);
}

static int may_be_freed(const struct sessions *x, uint32_t k)
{
	const struct session *s = &x->all[k];

	if (mutant_is("free-early"))
		return 1;
	return has_passed(lane_sent(x->stage->seg.views[x->forth].lane), s->last_forth) &&
	       has_passed(lane_sent(x->stage->seg.views[x->back].lane), s->last_back) &&
	       (x->has_one_socket || !has_input(x->first_fd + (int)k)); /* a system call: last */
}

/* Each is looked at once at most: one that may not be freed goes behind the others. */
static void free_closing(struct sessions *x, uint64_t now)
{
	int first_left = -1;

	if (now < x->free_at_ns)
		return;
	x->free_at_ns = now + FREE_NS;
	for (int i = 0; i < CLOSING_LOOKS; i++) {
		int k = session_index_oldest(&x->index, LIST_CLOSING);

		if (k < 0 || k == first_left)
			return;
		if (!may_be_freed(x, (uint32_t)k)) {
			session_index_put(&x->index, (uint32_t)k, LIST_CLOSING);
			first_left = first_left < 0 ? k : first_left;
			continue;
		}
		x->all[k].freed_at_ns = now;
		set_state(&x->all[k], SESSION_FREE);
		session_index_put(&x->index, (uint32_t)k, LIST_FREE);
	}
}

void sessions_end_idle(struct sessions *x, uint64_t now)
{
	if (x->choice)
		aim_look(x);
	for (enum session_list list = LIST_UNANSWERED; list <= LIST_ANSWERED; list++)
		for (int i = 0; i < IDLE_ENDS; i++) {
			int k = session_index_oldest(&x->index, list);

			if (k < 0 || !is_idle(x, (uint32_t)k, list, now))
				break;
			end(x, (uint32_t)k, list, now);
		}
	free_closing(x, now);
}

uint64_t sessions_due_ns(const struct sessions *x, uint64_t now)
{
	const struct class_config *c = &x->stage->config.classes[x->forth];
	uint64_t due_ns = session_index_oldest(&x->index, LIST_CLOSING) < 0 ? UINT64_MAX : now + CLOSING_NS;

	for (enum session_list list = LIST_UNANSWERED; list <= LIST_ANSWERED; list++) {
		uint64_t limit_ns = list == LIST_ANSWERED ? c->idle_ns : c->idle_unanswered_ns, at_ns;
		int k = session_index_oldest(&x->index, list);

		if (k < 0)
			continue;
		at_ns = session_index_last_ns(&x->index, (uint32_t)k) + limit_ns;
		due_ns = at_ns < due_ns ? at_ns : due_ns;
	}
	return due_ns;
}

void sessions_apply(struct sessions *x)
{
	const struct class_config *back = &x->stage->config.classes[x->back];
	int v4 = x->stage->config.classes[x->forth].dests[0].at.ss_family == AF_INET;
	int on = back->dscp == DSCP_KEEP || back->ecn != ECN_OFF;

	for (uint32_t k = 0; k < (x->has_one_socket ? 1 : x->n) && x->asks_tos != on; k++)
		setsockopt(x->first_fd + (int)k, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_RECVTOS : IPV6_RECVTCLASS, &on,
			   sizeof(on));
	x->asks_tos = on;
	aim_apply(x);
}
