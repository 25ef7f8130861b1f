/* receive.c - recvmmsg into slots. */
#include "receive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "beside.h"
#include "clock.h"
#include "drops.h"
#include "log.h"
#include "mutant.h"
#include "origin.h"
#include "refusals.h"
#include "shm/journal.h"

#define MOST_APART_NS (3 * NS_PER_US) /* two clocks read in a row */

/* Packets of the class that may still be published: both the queue limit and the ring set a bound. */
static uint32_t publishable_pkts(const struct receiver *r, uint32_t class)
{
	const struct lane_view *v = &r->stage->seg.views[class];
	const struct config *c = &r->stage->config;
	uint64_t waiting = lane_distance_pkts(r->word[class], lane_processed(v->lane));
	uint64_t held = lane_distance_pkts(r->word[class], lane_sent(v->lane));
	uint64_t limit = c->classes[class].ingress_to_edf_pkts;
	/* With full = drop a batch of slots stays free to read into, so that there is a name for what is dropped. */
	uint64_t ring = v->slots - (c->full == FULL_DROP && v->slots > BATCH ? BATCH : 0);

	stage_check_counts(r->stage, class, waiting);
	stage_check_counts(r->stage, class, held);
	limit = waiting < limit ? limit - waiting : 0;
	ring = held < ring ? ring - held : 0;
	return (uint32_t)(limit < ring ? limit : ring);
}

uint32_t receive_room_pkts(const struct receiver *r, uint32_t class)
{
	const struct lane_view *v = &r->stage->seg.views[class];
	uint64_t room;

	if (r->stage->config.full == FULL_WAIT)
		return publishable_pkts(r, class);
	room = v->slots - lane_distance_pkts(r->word[class], lane_sent(v->lane));
	stage_check_counts(r->stage, class, room);
	return (uint32_t)room;
}

struct clocks {
	uint64_t read_at_ns, real_ns, not_before_ns;
};

/* Both clocks at one instant: a stage that is preempted between the two would take its own pause for waiting. */
static struct clocks read_clocks(uint64_t not_before_ns)
{
	struct clocks t = { .not_before_ns = not_before_ns };

	for (int tries = 0; tries < 3; tries++) {
		uint64_t before_ns = now_ns();

		t.real_ns = real_ns();
		t.read_at_ns = now_ns();
		if (t.read_at_ns - before_ns <= MOST_APART_NS)
			break;
	}
	return t;
}

/* A step of CLOCK_REALTIME must not invent waiting: the packet came after the socket was last seen empty. */
static uint64_t to_monotonic(uint64_t stamp_ns, const struct clocks *t)
{
	uint64_t waited_ns = t->real_ns - stamp_ns;

	if (stamp_ns == 0 || stamp_ns >= t->real_ns)
		return t->read_at_ns;
	if (waited_ns > t->read_at_ns - t->not_before_ns)
		return t->not_before_ns;
	return t->read_at_ns - waited_ns;
}

/* Is it a way back whose replies come to one socket? */
static int is_one_socket(const struct receiver *r, uint32_t class)
{
	return r->back[class] && r->back[class]->has_one_socket;
}

/* The address that a reply came to says whose it is. */
static void note_reply(struct receiver *r, uint32_t class, uint32_t i, const struct beside *b, struct arrival *a)
{
	int k = sessions_find_back(r->back[class], b->local, b->local_port, &r->journal->names[i]);

	a->source = k < 0 ? 0 : (uint16_t)k;
	if (k < 0 && a->drop == DROP_NONE)
		a->drop = DROP_NO_SESSION;
	if (k >= 0)
		sessions_note_back(r->back[class], (uint32_t)k, (r->word[class] >> COUNT_SHIFT) + i + 1, a->read_at_ns);
}

/* Whose it is; a sender for whom no session is free is told apart from all others. */
static void note_session(struct receiver *r, const struct ingress *in, int flow, uint32_t i, const struct beside *b,
			 struct arrival *a)
{
	uint32_t class = in->class_of[flow];
	/* One that does not fit is not published: nothing may wait for its count. */
	uint64_t count = (r->word[class] >> COUNT_SHIFT) + (i < r->fits ? i + 1 : r->fits);
	const struct sender_address from = { &r->journal->names[i], b->local, in->listen_of[flow], b->is_v4_local,
					     b->local_scope };
	int k;

	if (is_one_socket(r, class)) {
		note_reply(r, class, i, b, a);
		return;
	}
	if (r->back[class]) {
		a->source = (uint16_t)r->session;
		sessions_note_back(r->back[class], r->session, count, a->read_at_ns);
		return;
	}
	a->source = 0;
	if (a->drop != DROP_NONE)
		return;
	/* A sender without a port cannot be answered. It is at the same place in both families. */
	k = from.from->sin6_port ? sessions_find(r->forth[class], &from, count, a->read_at_ns) : -1;
	if (k < 0) {
		a->drop = DROP_NO_SESSION;
		return;
	}
	a->source = (uint16_t)k;
	sessions_note_forth(r->forth[class], (uint32_t)k, count, a->read_at_ns);
}

/* fits: datagrams of the batch that are published; of the others no session learns. */
static uint64_t note_arrival(struct receiver *r, const struct ingress *in, int flow, uint32_t i, uint32_t fits,
			     const struct clocks *t)
{
	uint32_t class = in->class_of[flow];
	const struct lane_view *v = &r->stage->seg.views[class];
	struct arrival *a = &v->arrivals[lane_index(v, r->word[class], i)];
	struct mmsghdr *m = &r->journal->msgs[i];
	struct beside b = { .socket_drops = drops_seen(r, in, flow) };
	struct origin_ends ends;

	beside_read(r->journal, i, &b);
	a->arrived_at_ns = to_monotonic(b.stamp_ns, t);
	a->read_at_ns = t->read_at_ns;
	a->len_bytes = m->msg_len;
	a->drop = m->msg_hdr.msg_flags & MSG_TRUNC ? DROP_OVERSIZE : DROP_NONE;
	a->tos = b.tos;
	drops_note(r, in, flow, (uint32_t)b.socket_drops);
	if (v->origins)
		ends = origin_find(r, in, flow, i, &b, a);
	if (!r->forth[class] && !r->back[class])
		a->source = r->stage->config.classes[class].n_dests > 1
				    ? origin_hash(v->origins ? &ends.from : &r->journal->names[i])
				    : 0;
	else if (i < fits)
		note_session(r, in, flow, i, &b, a);
	if (v->origins)
		origin_write(r, class, i, &ends);
	return m->msg_len;
}

static uint64_t *drained_at(struct receiver *r, const struct ingress *in, int flow)
{
	uint32_t class = in->class_of[flow];

	return r->back[class] && !is_one_socket(r, class) ? &r->back[class]->drained_at_ns[r->session]
							  : &r->drained_at_ns[flow];
}

/* Of builds that break rules (mutant.h): where the newest packets lie is stored when they are published already. */
static void hint_late(struct receiver *r, uint32_t class, uint64_t word, uint32_t n)
{
	const struct lane_view *v = &r->stage->seg.views[class];

	for (uint32_t i = 0; i < n; i++) {
		const struct arrival *a = &v->arrivals[lane_index(v, word, i)];

		if (r->back[class])
			r->back[class]->all[a->source].last_back = (word >> COUNT_SHIFT) + i + 1;
		else if (r->forth[class] && a->drop == DROP_NONE)
			r->forth[class]->all[a->source].last_forth = (word >> COUNT_SHIFT) + i + 1;
	}
}

/* Publish the n datagrams at the front of the vector; used after a call and by a successor alike. */
static uint32_t accept_batch(struct receiver *r, const struct ingress *in, int flow, uint32_t n)
{
	uint32_t class = in->class_of[flow], fits = n, bytes = 0;
	const struct lane_view *v = &r->stage->seg.views[class];
	struct clocks t = read_clocks(*drained_at(r, in, flow));
	uint64_t published_at_ns, word;

	/* With full = wait no more was read than fits; that a reload lowered the limit since must not drop it. */
	if (r->stage->config.full == FULL_DROP) {
		/*
		 * One look: between two the stages behind may make room, and the second would offer slots nobody
		 * filled.
		 */
		uint32_t room_pkts = publishable_pkts(r, class);

		fits = room_pkts < n ? room_pkts : n;
	}
	r->fits = fits;
	for (uint32_t i = 0; i < n; i++)
		bytes += (uint32_t)note_arrival(r, in, flow, i, fits, &t);
	published_at_ns = now_ns();
	for (uint32_t i = 0; i < fits; i++) {
		struct arrival *a = &v->arrivals[lane_index(v, r->word[class], i)];

		a->published_at_ns = published_at_ns;
		r->tally[class].oversize_pkts += a->drop == DROP_OVERSIZE;
		r->tally[class].bad_proxy_pkts += a->drop == DROP_BAD_PROXY;
		r->tally[class].no_session_pkts += a->drop == DROP_NO_SESSION;
	}
	r->tally[class].read_pkts += n;
	r->tally[class].read_bytes += bytes;
	r->tally[class].ingress_full_pkts += n - fits;
	if (fits)
		probe_commit(&r->stage->probes, class, r->word[class], fits, published_at_ns);
	word = r->word[class];
	receive_publish(r, class, fits);
	if (mutant_is("hint-after-commit"))
		hint_late(r, class, word, fits);
	return bytes;
}

static void prepare_vector(struct receiver *r, uint32_t class, uint32_t n)
{
	const struct lane_view *v = &r->stage->seg.views[class];
	uint32_t payload_bytes = r->stage->config.payload_bytes;
	int wants_source =
		r->stage->config.classes[class].n_dests > 1 || r->forth[class] || is_one_socket(r, class) || v->origins;

	if (!r->stage->seg
		     .locked) /* a fault in the kernel's copy of the sender's address would lose the datagram too */
		segment_touch(r->journal, sizeof(*r->journal));
	for (uint32_t i = 0; i < n; i++) {
		struct msghdr *m = &r->journal->msgs[i].msg_hdr;
		uint8_t *payload = lane_payload(v, lane_index(v, r->word[class], i));

		r->journal->vectors[i] = (struct iovec){ .iov_base = payload, .iov_len = payload_bytes };
		*m = (struct msghdr){
			.msg_name = wants_source ? &r->journal->names[i] : NULL,
			.msg_namelen = wants_source ? sizeof(r->journal->names[i]) : 0,
			.msg_iov = &r->journal->vectors[i],
			.msg_iovlen = 1,
			.msg_control = r->journal->control[i],
			.msg_controllen = RECEIVE_CONTROL_BYTES,
		};
		/* A fault inside the kernel's copy with SIGKILL pending would lose the datagram: fault here. */
		if (!r->stage->seg.locked || r->touched_pkts[class] + i < v->slots)
			segment_touch(payload, payload_bytes);
	}
}

/* What may pass is tried again, after a pause that keeps it from spinning; what cannot is a damaged process. */
static void note_result(struct receiver *r, const struct ingress *in, int flow, int err)
{
	if (err == EBADF || err == ENOTSOCK || err == EFAULT || err == EINVAL) {
		log_error("recvmmsg on socket %s.in.%u: %s", r->stage->config.classes[in->class_of[flow]].name,
			  in->listen_of[flow], strerror(err));
		abort();
	}
	if (err)
		stage_call_failed(r->stage, "recvmmsg", err);
	else
		stage_call_works(r->stage, "recvmmsg");
}

uint32_t receive_batch(struct receiver *r, const struct ingress *in, int flow, uint32_t n, uint32_t *bytes)
{
	uint32_t class = in->class_of[flow];
	struct sessions *x = is_one_socket(r, class) ? NULL : r->back[class];
	uint64_t began_at_ns = now_ns();
	int fd = x ? x->first_fd + (int)r->session : r->fd[flow], got, err;

	*bytes = 0;
	n = n < BATCH ? n : BATCH;
	prepare_vector(r, class, n);
	r->journal->session = r->session;
	journal_open(&r->journal->word, r->journal->msgs, (uint32_t)flow, n, r->word[class]);
	got = recvmmsg(fd, r->journal->msgs, n, MSG_DONTWAIT | MSG_TRUNC, NULL);
	err = got < 0 ? errno : 0;
	if (got > 0)
		*bytes = accept_batch(r, in, flow, (uint32_t)got);
	journal_close(&r->journal->word);
	if (got < 0 ? err == EAGAIN : got < (int)n) /* after another failure there may be more */
		*drained_at(r, in, flow) = began_at_ns;
	/* of what left before: the call has taken it out of the socket, if not of its queue */
	if (refusals_explain(r, class, fd, err))
		err = 0;
	note_result(r, in, flow, err == EAGAIN ? 0 : err);
	if (got <= 0)
		return 0;
	if (r->touched_pkts[class] < r->stage->seg.views[class].slots)
		r->touched_pkts[class] += (uint32_t)got;
	return (uint32_t)got;
}

int receive_is_due(struct receiver *r, const struct ingress *in, int flow)
{
	struct sessions *x = r->back[in->class_of[flow]];
	int k = x && !x->has_one_socket ? sessions_next(x) : 0;

	if (x && !x->via) {
		refusals_note(r, in->class_of[flow], x->refusals);
		x->refusals = 0;
	}
	r->session = k < 0 ? 0 : (uint32_t)k;
	return k >= 0;
}

int receive_drained(struct receiver *r, const struct ingress *in, int flow, int emptied)
{
	struct sessions *x = r->back[in->class_of[flow]];

	return x && !x->has_one_socket ? sessions_read(x, emptied) : emptied;
}

/* Whose socket the predecessor read, on a way back. */
static int find_session(struct receiver *r, const struct ingress *in, uint32_t flow)
{
	const struct sessions *x = r->back[in->class_of[flow]];

	r->session = (uint32_t)r->journal->session;
	return !x || r->session < x->n;
}

static void recover(struct receiver *r, const struct ingress *in)
{
	uint64_t word = journal_read(&r->journal->word);
	uint32_t flow = journal_owner(word), done;

	if (word == 0 || flow >= in->n_flows || !find_session(r, in, flow) || mutant_is("no-recovery"))
		return journal_close(&r->journal->word);
	if (journal_is_open(word, r->word[in->class_of[flow]])) {
		done = journal_count_done(r->journal->msgs, journal_messages(word));
		if (done > 0 && done <= BATCH) {
			uint32_t class = in->class_of[flow];
			uint64_t sent = lane_sent(r->stage->seg.views[class].lane);

			stage_check_counts(r->stage, class, lane_distance_pkts(r->word[class], sent) + done);
			accept_batch(r, in, (int)flow, done);
			/* relaxed: for observers */
			atomic_fetch_add_explicit(&r->stage->self->rescued_pkts, done, memory_order_relaxed);
		}
	}
	journal_close(&r->journal->word);
}

static int open_ways_back(struct receiver *r, struct stage *s)
{
	for (uint32_t class = 0; class < s->config.n_classes; class++) {
		struct sessions *x = &r->sessions[r->n_ways_back];
		int status;

		if (s->seg.views[class].n_sessions == 0)
			continue;
		status = sessions_open(x, s, class);
		if (status)
			return status;
		r->forth[class] = r->back[x->back] = x;
		r->n_ways_back++;
	}
	return 0;
}

int receive_init(struct receiver *r, struct stage *s, const struct ingress *in)
{
	int status;

	memset(r, 0, sizeof(*r));
	r->stage = s;
	r->journal = &s->seg.shared->ingress_journal;
	segment_touch(r->journal, sizeof(*r->journal));
	status = open_ways_back(r, s);
	if (status)
		return status;
	for (uint32_t class = 0; class < s->config.n_classes; class++) {
		struct lane *l = s->seg.views[class].lane;

		lane_read_bank(&l->received, l->ingress[0], &r->tally[class], TALLY_WORDS(r->tally[class]),
			       &r->word[class]);
		drops_keep(r, class);
	}
	recover(r, in);
	return 0;
}
