/* sessions.c - the sessions of an instance at one look. */
#include "sessions.h"

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DIAG_BYTES 65536
#define ALL_STATES (~0u)

static uint32_t state_of(const struct session *s)
{
	/* acquire: pairs with the release in ingress/sessions.c; the fields are those of that state */
	return atomic_load_explicit(&s->state, memory_order_acquire);
}

static void copy_addresses(const struct session *s, struct session_view *v)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	static const uint8_t none[sizeof(s->local)];

	memcpy(&v->client, &s->client, sizeof(s->client));
	if (memcmp(s->local, none, sizeof(none)) == 0)
		return;
	memcpy(&v4.sin_addr, s->local, sizeof(v4.sin_addr));
	memcpy(&v6.sin6_addr, s->local, sizeof(v6.sin6_addr));
	if (s->is_v4_local)
		memcpy(&v->local, &v4, sizeof(v4));
	else
		memcpy(&v->local, &v6, sizeof(v6));
}

/* 0: it is nobody's, or became another's meanwhile. */
static int copy(const struct session *s, uint32_t k, uint64_t now, struct session_view *v)
{
	uint32_t state = state_of(s), number = s->number;
	uint64_t last_ns;

	if (state != SESSION_OPEN && state != SESSION_CLOSING)
		return 0;
	memset(v, 0, sizeof(*v));
	copy_addresses(s, v);
	/* relaxed, all of them: each stands alone */
	last_ns = atomic_load_explicit(&s->last_ns, memory_order_relaxed);
	v->forth_pkts = atomic_load_explicit(&s->forth_pkts, memory_order_relaxed);
	v->back_pkts = atomic_load_explicit(&s->back_pkts, memory_order_relaxed);
	v->k = k;
	v->number = number;
	v->is_open = state == SESSION_OPEN;
	v->is_answered = s->is_answered;
	v->listen = s->listen;
	v->destination = s->destination;
	v->idle_ns = now > last_ns ? now - last_ns : 0;
	v->cookie = s->cookie;
	return state_of(s) == state && s->number == number;
}

int sessions_look(const struct lane_view *v, uint64_t now, struct session_list *list)
{
	*list = (struct session_list){ .all = calloc(v->n_sessions + 1, sizeof(*list->all)) };
	if (!list->all)
		return -ENOMEM;
	for (uint32_t k = 0; k < v->n_sessions; k++) {
		struct session_view *to = &list->all[list->n];

		if (!copy(&v->sessions[k], k, now, to))
			continue;
		if (v->sessions[v->n_sessions - 1].cookie == 0) /* the first socket serves all */
			to->cookie = v->sessions[0].cookie;
		list->n++;
		list->n_open += to->is_open != 0;
		list->n_closing += to->is_open == 0;
	}
	list->n_free = v->n_sessions - list->n;
	return 0;
}

/* All of them, in the order of their cookies. */
struct by_cookie {
	uint32_t n;
	struct session_view **all;
};

static int compare_cookies(const void *a, const void *b)
{
	uint64_t x = (*(struct session_view *const *)a)->cookie, y = (*(struct session_view *const *)b)->cookie;

	return (x > y) - (x < y);
}

static int sort(struct by_cookie *sorted, struct session_list *lists, uint32_t n_lists)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_lists; i++)
		n += lists[i].n;
	*sorted = (struct by_cookie){ .all = calloc(n + 1, sizeof(struct session_view *)) };
	if (!sorted->all)
		return -ENOMEM;
	for (uint32_t i = 0; i < n_lists; i++)
		for (uint32_t k = 0; k < lists[i].n; k++)
			sorted->all[sorted->n++] = &lists[i].all[k];
	qsort(sorted->all, sorted->n, sizeof(struct session_view *), compare_cookies);
	return 0;
}

static void note_port(const struct by_cookie *sorted, const struct inet_diag_msg *m)
{
	struct session_view wanted = { .cookie = (uint64_t)m->id.idiag_cookie[1] << 32 | m->id.idiag_cookie[0] };
	const struct session_view *key = &wanted;
	struct session_view **found =
		bsearch(&key, sorted->all, sorted->n, sizeof(struct session_view *), compare_cookies);

	while (found && found > sorted->all && compare_cookies(found - 1, &key) == 0)
		found--;
	for (; found && found < sorted->all + sorted->n && compare_cookies(found, &key) == 0; found++)
		(*found)->port = ntohs(m->id.idiag_sport);
}

/* 1: there is more to come; 0: that was all; or -errno. */
static int take_answer(int fd, const struct by_cookie *sorted)
{
	static union {
		struct nlmsghdr header;
		char bytes[DIAG_BYTES];
	} room;
	ssize_t n = recv(fd, &room, sizeof(room), 0);

	if (n <= 0)
		return n < 0 ? -errno : 0;
	for (struct nlmsghdr *h = &room.header; NLMSG_OK(h, (uint32_t)n); h = NLMSG_NEXT(h, n)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return -EPROTO;
		note_port(sorted, NLMSG_DATA(h));
	}
	return 1;
}

static int ask(int fd, uint8_t family, const struct by_cookie *sorted)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 what;
	} request = { .header = { .nlmsg_len = sizeof(request),
				  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
				  .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		      .what = { .sdiag_family = family, .sdiag_protocol = IPPROTO_UDP, .idiag_states = ALL_STATES } };
	int more = 1;

	if (send(fd, &request, sizeof(request), 0) < 0)
		return -errno;
	while (more > 0)
		more = take_answer(fd, sorted);
	return more;
}

int sessions_find_ports(struct session_list *lists, uint32_t n_lists)
{
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), err;
	struct by_cookie sorted;

	if (fd < 0)
		return -errno;
	err = sort(&sorted, lists, n_lists);
	if (!err)
		err = ask(fd, AF_INET, &sorted);
	if (!err)
		err = ask(fd, AF_INET6, &sorted);
	free(sorted.all);
	close(fd);
	return err;
}
