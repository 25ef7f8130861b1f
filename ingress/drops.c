/* drops.c - what the sockets had no room for. */
#include "drops.h"

#include "socket_drops.h"

#define SESSIONS_ASKED 64 /* for the drops of their sockets, at once */

/* What a socket's cumulative count was at the last commit, or will be at the next. */
uint64_t drops_seen(const struct receiver *r, const struct ingress *in, int flow)
{
	uint32_t class = in->class_of[flow];
	const struct ingress_tally *tally = &r->tally[class];

	if (!r->back[class] || r->back[class]->has_one_socket)
		return tally->socket_drops_seen[in->listen_of[flow]];
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
	int32_t more = (int32_t)(drops - (uint32_t)drops_seen(r, in, flow));

	if (more <= 0)
		return 0;
	tally->kernel_pkts += (uint32_t)more;
	if (r->back[class] && !r->back[class]->has_one_socket) {
		tally->session = r->session + 1;
		tally->session_drops_seen = drops;
	} else {
		tally->socket_drops_seen[in->listen_of[flow]] = drops;
	}
	return 1;
}

/* What the last commit said of a session's socket: kept for it, by this process or by a successor alike. */
void drops_keep(struct receiver *r, uint32_t class)
{
	const struct ingress_tally *tally = &r->tally[class];
	struct sessions *x = r->back[class];

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

void receive_ask_drops(struct receiver *r, const struct ingress *in)
{
	for (uint32_t flow = 0; flow < in->n_flows; flow++)
		if (flow < in->n_inputs || r->back[in->class_of[flow]]->has_one_socket)
			ask_socket(r, in, (int)flow, r->fd[flow]);
		else
			ask_sessions(r, in, (int)flow);
}
