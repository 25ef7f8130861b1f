/* refusal.c - what each errno of a send means, and what follows from it. */
#include "refusal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "stage/icmp.h"
#include "target.h"

#define GSO_PAUSE_NS (100 * NS_PER_MS)
#define MOST_REFUSALS 8 /* without an ICMP error in between, and without a datagram sent */
#define MOST_DOUBTS 1 /* likewise, where the errno may be the datagram's own */

/* What is known of the way to whom the packet at the head is for. */
static struct output *find_peer(struct sender *s, const struct batch *b, uint64_t now)
{
	return s->ways[b->class].peers ? sender_peer(s, b->class, sender_index(s, b->class, 0), now) : b->to;
}

/* Is the packet in a slot for another one than the head of the batch? */
static int is_for_another(struct sender *s, const struct batch *b, uint32_t index)
{
	if (s->ways[b->class].peers)
		return sender_session(s, b->class, index) != b->sessions[0];
	return sender_output(s, b->class, index) != b->to;
}

/* Does a packet to another destination wait behind those of the batch? */
static int delays_others(struct sender *s, const struct batch *b)
{
	const struct lane_view *v = &s->stage->seg.views[b->class];
	int is_alone = s->ways[b->class].n_sessions == 0 && s->stage->config.classes[b->class].n_dests == 1;
	uint32_t n = is_alone ? 0 : sender_waiting_pkts(s, b->class);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t index = sender_index(s, b->class, i);

		if (v->results[index].drop == DROP_NONE && is_for_another(s, b, index))
			return 1;
	}
	return 0;
}

/* How long the packet at the head is worth a try. */
static uint64_t left_ns(const struct sender *s, uint32_t class, uint64_t now)
{
	uint64_t budget_ns = s->stage->config.classes[class].budget_ns, until_ns;

	if (s->stage->config.late != LATE_DROP || budget_ns == BUDGET_NONE)
		return UINT64_MAX;
	until_ns = s->stage->seg.views[class].arrivals[sender_index(s, class, 0)].arrived_at_ns + budget_ns;
	return until_ns > now ? until_ns - now : 0;
}

/*
 * Returns 1 if the packet may be tried again later. What one sender's way has no room for waits as long as others can
 * bear; where nothing is taken for any sender, all of them together do not wait for longer than one alone.
 */
static int wait_for_room(struct sender *s, const struct batch *b, struct output *peer, int err, uint64_t now)
{
	uint64_t most_ns = delays_others(s, b) ? ROOM_SHARED_NS : ROOM_ALONE_NS, left = left_ns(s, b->class, now);
	uint64_t wait_ns = output_room_wait_ns(peer, err, now, most_ns, left), common_ns;

	if (b->common != peer) {
		common_ns = output_room_wait_ns(b->common, err, now, ROOM_ALONE_NS, left);
		wait_ns = common_ns < wait_ns ? common_ns : wait_ns;
	}
	if (wait_ns == 0)
		return 0;
	s->retry_at_ns[b->class] = now + wait_ns;
	s->settled.tally[b->class].send_waits++;
	settle(&s->settled, b->class, 0, now); /* observers see the wait while it lasts */
	return 1;
}

/* Does ingress read the socket too? */
static int is_read(const struct output *o)
{
	return o->is_peerless || o->session_number;
}

/*
 * Returns 1 if the packet at the head is to be tried again, now or at retry_at_ns; else *err is what to drop it under.
 */
static int may_try_again(struct sender *s, const struct batch *b, struct output *peer, int *err, uint64_t now)
{
	int has_doubts = icmp_may_be_own(*err) && (!b->to->is_peerless || b->pkts[0] > 1);
	uint32_t icmp = icmp_take(b->to->fd);

	s->settled.tally[b->class].refused_events += icmp;
	target_refused(s, b->class, b->to, sender_index(s, b->class, 0), icmp);
	/*
	 * Not if it failed for another reason, as what a firewall here refuses does: that tells of it by ICMP each
	 * time.
	 */
	if (icmp && icmp_is_told(*err))
		return 1;
	/*
	 * An ICMP error too, but the queue had no room for it, or ingress has emptied it meanwhile and counted it. If
	 * it comes again and again, it is about this datagram. Where one socket serves many, more of them come that are
	 * about others; a super-datagram is tried in pieces first.
	 */
	if (icmp_is_told(*err) && peer->refusals++ < (has_doubts ? MOST_DOUBTS : MOST_REFUSALS)) {
		s->settled.tally[b->class].refused_events += !icmp_may_be_own(*err) && !is_read(b->to);
		return 1;
	}
	if (*err == EAGAIN || *err == ENOBUFS || *err == ENOMEM || *err == EINTR)
		return wait_for_room(s, b, peer, *err, now);
	*err = output_mend(peer, *err, now);
	sender_count_remade(s, peer);
	return *err == 0;
}

/*
 * What runs meet on the way of one session they would meet on those of all others to that destination: they learn it
 * from its own output, and it is logged once. Where a session's socket is bound to its sender's address, it may be
 * that.
 */
static void learn_limit(struct sender *s, const struct batch *b, struct output *peer, int err)
{
	uint32_t below_bytes = err == EMSGSIZE || err == EINVAL ? b->first_len_bytes : 0;

	peer->gso_below_bytes = below_bytes;
	/* EINVAL may be about the address that this session's socket has, and that is gone */
	if (peer->seen || (b->common != peer && (err == EINVAL || b->common->gso_below_bytes <= below_bytes)))
		return;
	b->common->gso_below_bytes = below_bytes;
	log_info("class %s: UDP_SEGMENT of %u bytes refused: %s: sending those singly",
		 s->stage->config.classes[b->class].name, b->first_len_bytes, strerror(err));
}

/*
 * If the packet at the head was part of a super-datagram, the next try goes without. That lasts where the errno may be
 * about the super-datagram itself; a missing route and its like are over soon, and so is what is known of one sender of
 * many, or of a sender whose address is shown. Returns 1 if there is a next try.
 */
static int give_up_gso(struct sender *s, const struct batch *b, struct output *peer, int err, uint64_t now)
{
	if (b->pkts[0] < 2)
		return 0;
	if (b->first_sender) {
		seen_doubt(s, b->first_sender, now + GSO_PAUSE_NS);
		return 1;
	}
	if (peer->is_peerless ||
	    (err != EMSGSIZE && err != EINVAL && err != EIO && err != EOPNOTSUPP && err != ENOPROTOOPT)) {
		peer->gso_again_at_ns = now + GSO_PAUSE_NS;
		return 1;
	}
	learn_limit(s, b, peer, err);
	return 1;
}

static void drop_head(struct sender *s, const struct batch *b, struct output *peer, int err, uint64_t now)
{
	struct departure *d = &s->stage->seg.views[b->class].departures[sender_index(s, b->class, 0)];

	d->send_errno = (uint32_t)err;
	d->drop = DROP_SEND_ERROR;
	output_dropped(peer);
	settle(&s->settled, b->class, 1, now);
}

/* A sender in doubt has had a datagram taken: it was its run that was refused, and those of others would be too. */
static void end_doubt(struct sender *s, const struct batch *b, uint64_t now)
{
	if (!seen_is_in_doubt(s, b->first_sender, now))
		return;
	seen_trust(s, b->first_sender);
	b->to->gso_again_at_ns = now + GSO_PAUSE_NS;
}

void refusal_end(struct sender *s, const struct batch *b, uint32_t n_msgs, uint64_t now)
{
	output_taken(b->to);
	end_doubt(s, b, now);
	if (s->ways[b->class].n_sessions == 0)
		return;
	output_taken(b->common);
	for (uint32_t i = 0; i < n_msgs && now < s->ways[b->class].known_until_ns; i++) {
		struct output *peer = sender_known_peer(s, b->class, b->sessions[i], now);

		if (peer)
			output_taken(peer);
	}
}

void refusal_handle(struct sender *s, const struct batch *b, int err, uint64_t now)
{
	struct output *peer = find_peer(s, b, now);

	if (may_try_again(s, b, peer, &err, now))
		return;
	if (err == EBADF || err == ENOTSOCK || err == EFAULT) {
		log_error("sendmmsg for class %s: %s", s->stage->config.classes[b->class].name, strerror(err));
		abort();
	}
	if (!give_up_gso(s, b, peer, err, now))
		drop_head(s, b, peer, err, now);
}
