/* send.c - sendmmsg and UDP_SEGMENT. */
#include "send.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "log.h"
#include "mutant.h"
#include "settle.h"
#include "softnet.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#define GSO_PAUSE_NS (100 * NS_PER_MS)
#define MOST_REFUSALS 8 /* without an ICMP error in between, and without a datagram sent */
#define LOOK_NS NS_PER_S
#define LONGEST_SCAN 512 /* slots looked at per batch, dropped ones included; fits released[] */

/* A batch as it is built up. */
struct batch {
	uint32_t class, n_msgs, n_pkts, wire_bytes;
	uint32_t first; /* slot of the first packet to be sent */
	uint32_t scanned; /* slots looked at: sent ones and dropped ones */
	uint32_t run_len_bytes, run_total_bytes, run_pkts; /* the open message */
	uint32_t first_len_bytes; /* of the first message's packets */
	uint16_t released[BATCH]; /* as in the journal, which others can write to: this one is believed */
	uint8_t pkts[BATCH]; /* of each message */
	uint32_t gso_below_bytes; /* of `to`, now */
	struct output *to;
};

static int is_late(const struct sender *s, uint32_t class, uint32_t index, uint64_t now)
{
	uint64_t budget_ns = s->stage->config.classes[class].budget_ns;

	return s->stage->config.late == LATE_DROP && budget_ns != BUDGET_NONE &&
	       now > s->stage->seg.views[class].arrivals[index].arrived_at_ns + budget_ns;
}

/* Mark the packet for settle(); returns 1 if it is to be sent. */
static int judge(struct sender *s, uint32_t class, uint32_t index, uint64_t now)
{
	const struct lane_view *v = &s->stage->seg.views[class];
	struct departure *d = &v->departures[index];

	if (v->results[index].drop != DROP_NONE)
		return 0;
	d->handed_at_ns = now;
	d->drop = is_late(s, class, index, now) ? DROP_LATE_EGRESS : DROP_NONE;
	return d->drop == DROP_NONE;
}

static struct output *output_of(struct sender *s, uint32_t class, uint32_t index)
{
	uint32_t source = s->stage->seg.views[class].arrivals[index].source;

	return &s->outputs[class][source % s->stage->config.classes[class].n_dests];
}

static uint32_t available(const struct sender *s, uint32_t class)
{
	uint64_t n = lane_distance_pkts(lane_processed(s->stage->seg.views[class].lane), s->word[class]);

	stage_check_counts(s->stage, class, n);
	return n < LONGEST_SCAN ? (uint32_t)n : LONGEST_SCAN;
}

uint32_t send_oldest_bytes(struct sender *s, uint32_t class, uint64_t now)
{
	const struct lane_view *v = &s->stage->seg.views[class];
	uint32_t n, dropped, index = 0;

	if (now < s->retry_at_ns[class])
		return 0;
	do { /* until there is one to send, or nothing: who sleeps behind dropped ones is not rung for again */
		n = available(s, class);
		for (dropped = 0; dropped < n; dropped++) {
			index = lane_index(v, s->word[class], dropped);
			if (judge(s, class, index, now))
				break;
		}
		if (dropped)
			settle(s, class, dropped, now);
	} while (dropped == LONGEST_SCAN);
	return dropped < n ? v->results[index].len_bytes + output_of(s, class, index)->overhead_bytes : 0;
}

int send_is_idle(struct sender *s)
{
	uint32_t waiting = 0;

	for (uint32_t class = 0; class < s->stage->config.n_classes; class ++)
		waiting += available(s, class);
	return waiting == 0;
}

static int joins_run(const struct batch *b, uint32_t len_bytes)
{
	return b->n_msgs > 0 && b->run_len_bytes > 0 && len_bytes > 0 && len_bytes <= b->run_len_bytes &&
	       b->run_len_bytes < b->gso_below_bytes && b->run_total_bytes + len_bytes <= GSO_MOST_BYTES;
}

static void write_segment_size(struct egress_journal *j, uint32_t i, uint32_t len_bytes)
{
	struct msghdr *m = &j->msgs[i].msg_hdr;
	uint16_t size = (uint16_t)len_bytes;
	struct cmsghdr *c = (struct cmsghdr *)j->control[i]; /* not by way of the vector, which others can write to */

	m->msg_control = c;
	m->msg_controllen = CMSG_SPACE(sizeof(size));
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(c), &size, sizeof(size));
}

/* Add a packet: to the open run, or as a new message. */
static void add_packet(struct sender *s, struct batch *b, uint32_t index)
{
	const struct lane_view *v = &s->stage->seg.views[b->class];
	const struct result *r = &v->results[index];
	struct egress_journal *j = s->journal;
	struct iovec *vector = &j->vectors[b->n_pkts];

	stage_check_length(s->stage, b->class, r->len_bytes);
	vector->iov_base = lane_payload(v, index) + (r->second ? v->second_offset : 0);
	vector->iov_len = r->len_bytes;
	if (joins_run(b, r->len_bytes)) {
		j->msgs[b->n_msgs - 1].msg_hdr.msg_iovlen++;
		if (b->run_pkts == 1)
			write_segment_size(j, b->n_msgs - 1, b->run_len_bytes);
		b->run_total_bytes += r->len_bytes;
		b->run_pkts++;
		if (r->len_bytes < b->run_len_bytes)
			b->run_len_bytes = 0; /* a shorter packet ends the run */
	} else {
		if (b->n_msgs == 0)
			b->first_len_bytes = r->len_bytes;
		b->pkts[b->n_msgs] = 0;
		j->msgs[b->n_msgs++].msg_hdr = (struct msghdr){ .msg_iov = vector, .msg_iovlen = 1 };
		b->run_len_bytes = b->run_total_bytes = r->len_bytes;
		b->run_pkts = 1;
	}
	b->pkts[b->n_msgs - 1]++;
	b->n_pkts++;
	b->wire_bytes += r->len_bytes + b->to->overhead_bytes;
}

/* Once the last message is sent, all that was scanned is released: for this process and for a successor. */
static void note_released(struct sender *s, struct batch *b)
{
	if (b->n_msgs)
		s->journal->released[b->n_msgs - 1] = b->released[b->n_msgs - 1] = (uint16_t)(b->scanned + 1);
}

/* Collect packets to one destination until a limit is met. The first one goes whatever most_bytes says. */
static void build(struct sender *s, struct batch *b, uint32_t most_bytes, uint64_t now)
{
	const struct lane_view *v = &s->stage->seg.views[b->class];
	uint32_t n = available(s, b->class);

	for (; b->scanned < n && b->n_pkts < BATCH; b->scanned++) {
		uint32_t index = lane_index(v, s->word[b->class], b->scanned);
		struct output *to;

		if (!judge(s, b->class, index, now)) {
			note_released(s, b);
			continue;
		}
		to = output_of(s, b->class, index);
		if (!b->to) {
			b->to = to;
			b->first = index;
			b->gso_below_bytes = now < to->gso_again_at_ns ? 0 : to->gso_below_bytes;
		}
		if (to != b->to ||
		    (b->n_pkts && b->wire_bytes + v->results[index].len_bytes + to->overhead_bytes > most_bytes))
			break;
		add_packet(s, b, index);
		note_released(s, b);
	}
}

/* Does a packet to another destination wait behind those of the batch? */
static int delays_others(struct sender *s, const struct batch *b)
{
	const struct lane_view *v = &s->stage->seg.views[b->class];
	uint32_t n = s->stage->config.classes[b->class].n_dests > 1 ? available(s, b->class) : 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t index = lane_index(v, s->word[b->class], i);

		if (v->results[index].drop == DROP_NONE && output_of(s, b->class, index) != b->to)
			return 1;
	}
	return 0;
}

/* How long the packet at the head of the batch is worth a try. */
static uint64_t left_ns(const struct sender *s, const struct batch *b, uint64_t now)
{
	uint64_t budget_ns = s->stage->config.classes[b->class].budget_ns, until_ns;

	if (s->stage->config.late != LATE_DROP || budget_ns == BUDGET_NONE)
		return UINT64_MAX;
	until_ns = s->stage->seg.views[b->class].arrivals[b->first].arrived_at_ns + budget_ns;
	return until_ns > now ? until_ns - now : 0;
}

/* Returns 1 if the packet may be tried again later. */
static int wait_for_room(struct sender *s, const struct batch *b, int err, uint64_t now)
{
	uint64_t most_ns = delays_others(s, b) ? ROOM_SHARED_NS : ROOM_ALONE_NS;
	uint64_t wait_ns = output_room_wait_ns(b->to, err, now, most_ns, left_ns(s, b, now));

	if (wait_ns == 0)
		return 0;
	s->retry_at_ns[b->class] = now + wait_ns;
	s->tally[b->class].send_waits++;
	settle(s, b->class, 0, now); /* so that it is known while it lasts */
	return 1;
}

/*
 * Was the packet at the head of the failed call part of a super-datagram? Then the next try goes without. For good where the
 * errno may mean the super-datagram itself; a missing route or the like ends.
 */
static int give_up_gso(struct sender *s, const struct batch *b, int err, uint64_t now)
{
	if (b->pkts[0] < 2)
		return 0;
	if (err != EMSGSIZE && err != EINVAL && err != EIO && err != EOPNOTSUPP && err != ENOPROTOOPT) {
		b->to->gso_again_at_ns = now + GSO_PAUSE_NS;
		return 1;
	}
	b->to->gso_below_bytes = err == EMSGSIZE || err == EINVAL ? b->first_len_bytes : 0;
	log_info("class %s: UDP_SEGMENT of %u bytes refused: %s: sending those singly",
		 s->stage->config.classes[b->class].name, b->first_len_bytes, strerror(err));
	return 1;
}

/* The first message of the batch cannot be sent: drop its packet under the errno's name. */
static void drop_first(struct sender *s, const struct batch *b, int err, uint64_t now)
{
	const struct lane_view *v = &s->stage->seg.views[b->class];
	uint32_t i = 0, index;

	do
		index = lane_index(v, s->word[b->class], i++);
	while (v->results[index].drop != DROP_NONE || v->departures[index].drop != DROP_NONE);
	v->departures[index].send_errno = (uint32_t)err;
	v->departures[index].drop = DROP_SEND_ERROR;
	output_dropped(b->to);
	settle(s, b->class, i, now);
}

static void count_remade(struct sender *s, struct output *o)
{
	if (o->n_remade) /* relaxed: for observers */
		atomic_fetch_add_explicit(&s->stage->self->remade_sockets, o->n_remade, memory_order_relaxed);
	o->n_remade = 0;
}

/* Returns 1 if the packet at the head is to be tried again, now or at retry_at_ns; else the errno to drop it under is in *err. */
static int may_try_again(struct sender *s, const struct batch *b, int *err, uint64_t now)
{
	uint32_t icmp = output_drain_errors(b->to->fd);

	s->tally[b->class].refused_events += icmp;
	if (icmp)
		return 1;
	/* An ICMP error too, but the queue had no room for it. One that comes again and again is about this datagram. */
	if (*err == ECONNREFUSED && b->to->refusals++ < MOST_REFUSALS) {
		s->tally[b->class].refused_events++;
		return 1;
	}
	if (*err == EAGAIN || *err == ENOBUFS || *err == ENOMEM || *err == EINTR)
		return wait_for_room(s, b, *err, now);
	*err = output_mend(b->to, *err, now);
	count_remade(s, b->to);
	return *err == 0;
}

static void handle_error(struct sender *s, const struct batch *b, int err, uint64_t now)
{
	if (may_try_again(s, b, &err, now))
		return;
	if (err == EBADF || err == ENOTSOCK || err == EFAULT) {
		log_error("sendmmsg for class %s: %s", s->stage->config.classes[b->class].name, strerror(err));
		abort();
	}
	if (!give_up_gso(s, b, err, now))
		drop_first(s, b, err, now);
}

void send_look_at_ways(struct sender *s, uint64_t now)
{
	uint32_t looks = 0;

	while (now >= s->look_at_ns && looks++ < s->n_outputs) {
		output_look(s->all_outputs[s->next_output]);
		count_remade(s, s->all_outputs[s->next_output]);
		s->next_output = (s->next_output + 1) % s->n_outputs;
		s->look_at_ns += LOOK_NS / s->n_outputs;
	}
	if (now >= s->look_at_ns) /* it has slept for long */
		s->look_at_ns = now + LOOK_NS / s->n_outputs;
}

uint64_t send_again_at_ns(struct sender *s, uint32_t class, uint64_t now)
{
	if (s->is_starvable && unread_is_due(&s->unread, now)) {
		int begins = s->unread.since_ns == 0;

		if (unread_look(&s->unread, softnet_waiting_pkts(), now) && begins) {
			s->tally[class].send_waits++;
			settle(s, class, 0, now);
		}
	}
	return s->unread.until_ns > now ? s->unread.until_ns : 0;
}

static uint32_t wire_bytes_sent(const struct sender *s, const struct batch *b, uint32_t n_msgs)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < n_msgs; i++)
		bytes += s->journal->msgs[i].msg_len + b->pkts[i] * b->to->overhead_bytes;
	return bytes;
}

/* What a predecessor sent, at most: by which address family is not in the journal, and a message has no more packets than a batch. */
static uint32_t wire_bytes_rescued(const struct sender *s, uint32_t n_msgs)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < n_msgs; i++) {
		size_t n = s->journal->msgs[i].msg_hdr.msg_iovlen;

		bytes += s->journal->msgs[i].msg_len + (n < BATCH ? (uint32_t)n : BATCH) * IPV6_UDP_BYTES;
	}
	return bytes;
}

uint32_t send_batch(struct sender *s, uint32_t class, uint32_t most_bytes, uint64_t now)
{
	struct batch b = { .class = class };
	struct egress_journal *j = s->journal;
	uint32_t bytes = 0;
	int n, err;

	build(s, &b, most_bytes, now);
	if (b.n_msgs == 0)
		return 0;
	journal_open(&j->word, j->msgs, class, b.n_msgs, s->word[class]);
	n = sendmmsg(b.to->fd, j->msgs, b.n_msgs, MSG_DONTWAIT | MSG_NOSIGNAL);
	err = errno;
	s->unread.sent_pkts += b.n_pkts;
	if (n > 0) {
		bytes = wire_bytes_sent(s, &b, (uint32_t)n);
		settle(s, class, b.released[n - 1], now_ns());
		output_taken(b.to);
	}
	journal_close(&j->word);
	if (n < 0)
		handle_error(s, &b, err, now);
	return bytes;
}

/* What the predecessor's call released; never more than waits, whatever the journal says. */
static uint32_t released_pkts(const struct sender *s, uint32_t class, uint32_t done)
{
	uint32_t n = s->journal->released[done - 1], waiting = available(s, class);

	if (n <= waiting)
		return n;
	log_error(
		"segment %s: class %s: the journal tells of %u packets sent, and %u wait: it is damaged; run/stop.sh, "
		"then run/launch.sh",
		s->stage->seg.name, s->stage->config.classes[class].name, n, waiting);
	abort();
}

static void recover(struct sender *s)
{
	uint64_t word = journal_read(&s->journal->word);
	uint32_t class = journal_owner(word), done;

	if (word != 0 && class < s->stage->config.n_classes && !mutant_is("no-recovery") &&
	    journal_is_open(word, s->word[class])) {
		done = journal_count_done(s->journal->msgs, journal_messages(word));
		if (done > 0 && done <= BATCH) {
			s->rescued_wire_bytes = wire_bytes_rescued(s, done);
			settle(s, class, released_pkts(s, class, done), now_ns());
			atomic_fetch_add_explicit(&s->stage->self->rescued_pkts, s->tally[class].n_updates,
						  memory_order_relaxed);
		}
	}
	journal_close(&s->journal->word);
}

int send_init(struct sender *s, struct stage *stage)
{
	memset(s, 0, sizeof(*s));
	s->stage = stage;
	s->is_starvable = softnet_is_starvable();
	s->journal = &stage->seg.shared->egress_journal;
	segment_touch(s->journal, sizeof(*s->journal));
	for (uint32_t class = 0; class < stage->config.n_classes; class ++) {
		const struct class_config *c = &stage->config.classes[class];

		settle_load(s, class);
		for (uint32_t i = 0; i < c->n_dests; i++) {
			char text[ADDRESS_BYTES];
			int err = output_make(&s->outputs[class][i], c, i, (int)stage->config.gso);

			s->all_outputs[s->n_outputs++] = &s->outputs[class][i];
			if (!err)
				continue;
			log_error("open the output of class %s to %s: %s", c->name, address_format(&c->dests[i], text),
				  strerror(-err));
			return EXIT_TEMPORARY;
		}
	}
	s->look_at_ns = now_ns() + LOOK_NS / s->n_outputs;
	recover(s);
	return 0;
}
