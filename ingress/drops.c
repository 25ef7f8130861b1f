/* drops.c - what the sockets had no room for. */
#include "drops.h"

#include "socket_drops.h"
#include "stage/listen.h"

#define SESSIONS_ASKED 64 /* for the drops of their sockets, at once */

/* A socket of a class with `fair`: a bucket, or behind them the one for what is denied. */
static uint64_t number_of(const struct ingress *in, int flow, uint32_t bucket)
{
	return in->listen_of[flow] * (MOST_BUCKETS + 1ull) + bucket;
}

static struct guard *fair_guard(const struct receiver *r, const struct ingress *in, int flow)
{
	uint32_t class = in->class_of[flow];

	return r->stage->config.classes[class].fair && flow < (int)in->n_inputs ? r->stage->seg.views[class].guard
										: NULL;
}

static uint64_t seen_by(const struct ingress_tally *tally, const struct guard *guard, uint64_t number)
{
	return tally->session == number + 1 ? tally->session_drops_seen : guard->drops_seen[number];
}

static void see(struct ingress_tally *tally, uint64_t number, uint32_t drops)
{
	tally->session = number + 1;
	tally->session_drops_seen = drops;
}

/* What a socket's cumulative count was at the last commit, or will be at the next. */
uint64_t drops_seen(const struct receiver *r, const struct ingress *in, int flow)
{
	uint32_t class = in->class_of[flow];
	const struct ingress_tally *tally = &r->tally[class];
	const struct guard *guard = fair_guard(r, in, flow);

	if (guard)
		return seen_by(tally, guard, number_of(in, flow, r->session));
	if (!r->back[class] || r->back[class]->has_one_socket)
		return (uint32_t)tally->socket_drops_seen[in->listen_of[flow]];
	return tally->session == r->session + 1 ? tally->session_drops_seen
						: r->back[class]->all[r->session].drops_seen;
}

/*
 * The socket's cumulative count, told by a datagram as of its arrival, or by the socket as of now: it may seem to go
 * back.
 */
int drops_note(struct receiver *r, const struct ingress *in, int flow, uint32_t drops)
{
	uint32_t class = in->class_of[flow];
	struct ingress_tally *tally = &r->tally[class];
	uint64_t *both = &tally->socket_drops_seen[in->listen_of[flow]];
	int32_t more = (int32_t)(drops - (uint32_t)drops_seen(r, in, flow));

	if (more <= 0)
		return 0;
	tally->kernel_pkts += (uint32_t)more;
	if (fair_guard(r, in, flow))
		see(tally, number_of(in, flow, r->session), drops);
	else if (r->back[class] && !r->back[class]->has_one_socket)
		see(tally, r->session, drops);
	else
		*both = *both >> 32 << 32 | drops;
	return 1;
}

/* Likewise, by the socket for what is denied there. */
static int note_denied(struct receiver *r, const struct ingress *in, int flow, uint32_t drops)
{
	struct ingress_tally *tally = &r->tally[in->class_of[flow]];
	uint64_t *both = &tally->socket_drops_seen[in->listen_of[flow]], number = number_of(in, flow, MOST_BUCKETS);
	const struct guard *guard = fair_guard(r, in, flow);
	uint32_t was = guard ? (uint32_t)seen_by(tally, guard, number) : (uint32_t)(*both >> 32);
	int32_t more = (int32_t)(drops - was);

	if (more <= 0)
		return 0;
	tally->denied_pkts += (uint32_t)more;
	if (guard)
		see(tally, number, drops);
	else
		*both = (uint64_t)drops << 32 | (uint32_t)*both;
	return 1;
}

/* What the last commit said of a session's socket: kept for it, by this process or by a successor alike. */
void drops_keep(struct receiver *r, uint32_t class)
{
	const struct ingress_tally *tally = &r->tally[class];
	struct sessions *x = r->back[class];
	struct guard *guard = r->stage->seg.views[class].guard;

	if (r->stage->config.classes[class].fair && guard && tally->session > 0 &&
	    tally->session <= sizeof(guard->drops_seen) / sizeof(guard->drops_seen[0]))
		guard->drops_seen[tally->session - 1] = tally->session_drops_seen;
	if (x && !x->has_one_socket && tally->session > 0 && tally->session <= x->n)
		x->all[tally->session - 1].drops_seen = tally->session_drops_seen;
}

void receive_publish(struct receiver *r, uint32_t class, uint32_t n)
{
	r->word[class] = lane_publish(r->stage->seg.views[class].lane, r->word[class], n, &r->tally[class]);
	drops_keep(r, class);
}

static void ask_socket(struct receiver *r, const struct ingress *in, int flow, int fd)
{
	uint32_t drops;

	if (socket_drops(fd, &drops) == 0 && drops_note(r, in, flow, drops))
		receive_publish(r, in->class_of[flow], 0);
}

/* Of each way back a few at a time: there may be thousands, and a datagram tells of those before it anyway. */
static void ask_sessions(struct receiver *r, const struct ingress *in, int flow)
{
	struct sessions *x = r->back[in->class_of[flow]];

	for (uint32_t i = 0; i < SESSIONS_ASKED && i < x->n; i++) {
		r->session = x->ask_at;
		x->ask_at = (x->ask_at + 1) % x->n;
		ask_socket(r, in, flow, x->first_fd + (int)r->session);
	}
}

static void ask_buckets(struct receiver *r, const struct ingress *in, int flow)
{
	for (uint32_t k = 0; k < r->fair[flow]->n; k++) {
		r->session = k;
		ask_socket(r, in, flow, r->fair[flow]->first_fd + (int)k);
	}
}

static int is_any_denied(const struct config *c)
{
	for (uint32_t i = 0; i < c->n_classes; i++)
		if (acl_is_asked(&c->classes[i].acl))
			return 1;
	return 0;
}

/* Once a socket is bound it stays so; until then there is nothing to ask it for. */
static void ask_denied(struct receiver *r, const struct ingress *in, int may_be_new)
{
	const struct config *c = &r->stage->config;
	uint32_t drops;

	for (uint32_t flow = 0; flow < in->n_inputs; flow++) {
		int fd = may_be_new || r->denies >> flow & 1 ? r->listening[listen_denied(c, flow)] : -1;

		if (fd >= 0 && !(r->denies >> flow & 1) && listen_is_bound(fd))
			r->denies |= 1ULL << flow;
		if ((r->denies >> flow & 1) && socket_drops(fd, &drops) == 0 && note_denied(r, in, (int)flow, drops))
			receive_publish(r, in->class_of[flow], 0);
	}
}

void receive_begin_drops(struct receiver *r, const struct ingress *in)
{
	ask_denied(r, in, 1);
}

void receive_ask_drops(struct receiver *r, const struct ingress *in)
{
	int may_be_new = is_any_denied(&r->stage->config);

	if (r->denies || may_be_new)
		ask_denied(r, in, may_be_new);
	for (uint32_t flow = 0; flow < in->n_flows; flow++)
		if (r->fair[flow])
			ask_buckets(r, in, (int)flow);
		else if (flow < in->n_inputs || r->back[in->class_of[flow]]->has_one_socket)
			ask_socket(r, in, (int)flow, r->fd[flow]);
		else
			ask_sessions(r, in, (int)flow);
}
