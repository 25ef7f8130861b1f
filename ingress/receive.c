/* receive.c - recvmmsg into slots. */
#include "receive.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "shm/journal.h"
#include "log.h"
#include "mutant.h"

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

static uint16_t hash_source(const struct sockaddr_in6 *from)
{
	const uint8_t *p = (const uint8_t *)from;
	size_t len = from->sin6_family == AF_INET ? 8 : sizeof(*from); /* v4: family, port, address */
	uint32_t hash = 0x811c9dc5u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * 0x01000193u;
	return (uint16_t)(hash >> 16 ^ hash);
}

/* What the kernel says beside a datagram. */
struct beside {
	uint64_t stamp_ns; /* CLOCK_REALTIME; 0 if none */
	uint64_t socket_drops; /* the socket's cumulative count; untouched if not told */
	uint8_t tos; /* 0 if not asked for */
};

static void parse_socket_control(const struct cmsghdr *c, struct beside *b)
{
	struct timespec t;
	uint32_t drops;

	if (c->cmsg_type == SCM_TIMESTAMPNS) {
		memcpy(&t, CMSG_DATA(c), sizeof(t));
		b->stamp_ns = (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
	} else if (c->cmsg_type == SO_RXQ_OVFL) {
		memcpy(&drops, CMSG_DATA(c), sizeof(drops));
		b->socket_drops = drops;
	}
}

/*
 * What the kernel wrote lies in shared memory: it is copied first, and no pointer and no length of it is followed. IPv4
 * tells the type of service in a byte, IPv6 the traffic class in an int.
 */
static void parse_control(const struct ingress_journal *j, uint32_t i, struct beside *b)
{
	alignas(struct cmsghdr) uint8_t copy[RECEIVE_CONTROL_BYTES];
	size_t len = j->msgs[i].msg_hdr.msg_controllen;
	struct msghdr msg = { .msg_control = copy, .msg_controllen = len < sizeof(copy) ? len : sizeof(copy) };
	int class;

	memcpy(copy, j->control[i], sizeof(copy));
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level == SOL_SOCKET) {
			parse_socket_control(c, b);
		} else if (c->cmsg_level == SOL_IP && c->cmsg_type == IP_TOS) {
			b->tos = *CMSG_DATA(c);
		} else if (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_TCLASS) {
			memcpy(&class, CMSG_DATA(c), sizeof(class));
			b->tos = (uint8_t)class;
		}
	}
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

/*
 * The socket's cumulative count, told by a datagram as of its arrival, or by the socket as of now: it may seem to go
 * back.
 */
static int note_drops(struct receiver *r, const struct ingress *in, int flow, uint32_t drops)
{
	struct ingress_tally *tally = &r->tally[in->class_of[flow]];
	uint64_t *seen = &tally->socket_drops_seen[in->listen_of[flow]];
	int32_t more = (int32_t)(drops - (uint32_t)*seen);

	if (more <= 0)
		return 0;
	tally->kernel_pkts += (uint32_t)more;
	*seen = drops;
	return 1;
}

static uint64_t note_arrival(struct receiver *r, const struct ingress *in, int flow, uint32_t i, const struct clocks *t)
{
	uint32_t class = in->class_of[flow];
	const struct lane_view *v = &r->stage->seg.views[class];
	struct arrival *a = &v->arrivals[lane_index(v, r->word[class], i)];
	struct mmsghdr *m = &r->journal->msgs[i];
	struct beside b = { .socket_drops = r->tally[class].socket_drops_seen[in->listen_of[flow]] };

	parse_control(r->journal, i, &b);
	a->arrived_at_ns = to_monotonic(b.stamp_ns, t);
	a->read_at_ns = t->read_at_ns;
	a->len_bytes = m->msg_len;
	a->source = r->stage->config.classes[class].n_dests > 1 ? hash_source(&r->journal->names[i]) : 0;
	a->drop = m->msg_hdr.msg_flags & MSG_TRUNC ? DROP_OVERSIZE : DROP_NONE;
	a->tos = b.tos;
	note_drops(r, in, flow, (uint32_t)b.socket_drops);
	return m->msg_len;
}

/* Publish the n datagrams at the front of the vector; used after a call and by a successor alike. */
static uint32_t accept_batch(struct receiver *r, const struct ingress *in, int flow, uint32_t n)
{
	uint32_t class = in->class_of[flow], fits = n, bytes = 0;
	const struct lane_view *v = &r->stage->seg.views[class];
	struct clocks t = read_clocks(r->drained_at_ns[flow]);
	uint64_t published_at_ns;

	/* With full = wait no more was read than fits; that a reload lowered the limit since must not drop it. */
	if (r->stage->config.full == FULL_DROP) {
		/*
		 * One look: between two the stages behind may make room, and the second would offer slots nobody
		 * filled.
		 */
		uint32_t room_pkts = publishable_pkts(r, class);

		fits = room_pkts < n ? room_pkts : n;
	}
	for (uint32_t i = 0; i < n; i++)
		bytes += (uint32_t)note_arrival(r, in, flow, i, &t);
	published_at_ns = now_ns();
	for (uint32_t i = 0; i < fits; i++) {
		struct arrival *a = &v->arrivals[lane_index(v, r->word[class], i)];

		a->published_at_ns = published_at_ns;
		r->tally[class].oversize_pkts += a->drop == DROP_OVERSIZE;
	}
	r->tally[class].read_pkts += n;
	r->tally[class].read_bytes += bytes;
	r->tally[class].ingress_full_pkts += n - fits;
	if (fits)
		probe_commit(&r->stage->probes, class, r->word[class], fits, published_at_ns);
	r->word[class] = lane_publish(v->lane, r->word[class], fits, &r->tally[class]);
	return bytes;
}

static void prepare_vector(struct receiver *r, uint32_t class, uint32_t n)
{
	const struct lane_view *v = &r->stage->seg.views[class];
	uint32_t payload_bytes = r->stage->config.payload_bytes;
	int wants_source = r->stage->config.classes[class].n_dests > 1;

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
	uint64_t began_at_ns = now_ns();
	int got, err;

	*bytes = 0;
	n = n < BATCH ? n : BATCH;
	prepare_vector(r, class, n);
	journal_open(&r->journal->word, r->journal->msgs, (uint32_t)flow, n, r->word[class]);
	got = recvmmsg(r->fd[flow], r->journal->msgs, n, MSG_DONTWAIT | MSG_TRUNC, NULL);
	err = got < 0 ? errno : 0;
	if (got > 0)
		*bytes = accept_batch(r, in, flow, (uint32_t)got);
	journal_close(&r->journal->word);
	if (got < 0 ? err == EAGAIN : got < (int)n) /* after another failure there may be more */
		r->drained_at_ns[flow] = began_at_ns;
	note_result(r, in, flow, err == EAGAIN ? 0 : err);
	if (got <= 0)
		return 0;
	if (r->touched_pkts[class] < r->stage->seg.views[class].slots)
		r->touched_pkts[class] += (uint32_t)got;
	return (uint32_t)got;
}

void receive_ask_drops(struct receiver *r, const struct ingress *in)
{
	for (uint32_t flow = 0; flow < in->n_flows; flow++) {
		uint32_t class = in->class_of[flow], info[SK_MEMINFO_VARS] = { 0 };
		socklen_t len = sizeof(info);

		if (getsockopt(r->fd[flow], SOL_SOCKET, SO_MEMINFO, info, &len) == 0 &&
		    note_drops(r, in, (int)flow, info[SK_MEMINFO_DROPS]))
			r->word[class] =
				lane_publish(r->stage->seg.views[class].lane, r->word[class], 0, &r->tally[class]);
	}
}

static void recover(struct receiver *r, const struct ingress *in)
{
	uint64_t word = journal_read(&r->journal->word);
	uint32_t flow = journal_owner(word), done;

	if (word == 0 || flow >= in->n_flows || mutant_is("no-recovery"))
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

void receive_init(struct receiver *r, struct stage *s, const struct ingress *in)
{
	memset(r, 0, sizeof(*r));
	r->stage = s;
	r->journal = &s->seg.shared->ingress_journal;
	segment_touch(r->journal, sizeof(*r->journal));
	for (uint32_t class = 0; class < s->config.n_classes; class++) {
		struct lane *l = s->seg.views[class].lane;

		lane_read_bank(&l->received, l->ingress[0], &r->tally[class], TALLY_WORDS(r->tally[class]),
			       &r->word[class]);
	}
	recover(r, in);
}
