/* send.c - what leaves: shed, look, call; and what a predecessor's last call sent. */
#include "send.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch.h"
#include "copies.h"
#include "log.h"
#include "mutant.h"
#include "refusal.h"
#include "shaper.h"
#include "shm/journal.h"
#include "softnet.h"
#include "target.h"
#include "way.h"

#define LOOK_NS NS_PER_S
#define MOST_RELEASED 8 /* batches in one step of which no destination has anything: others wait too */

static void shed(struct sender *s, uint32_t class, uint64_t now)
{
	uint32_t n, dropped;

	/* until a packet is to be sent or none is left: a sleeping stage is not rung for packets behind dropped ones */
	do {
		n = sender_waiting_pkts(s, class);
		for (dropped = 0; dropped < n; dropped++)
			if (batch_admits(s, class, sender_index(s, class, dropped), now))
				break;
		if (dropped)
			settle(&s->settled, class, dropped, now);
	} while (dropped == LONGEST_SCAN);
	if (s->ways[class].choice)
		target_wait(s, class, now);
}

/* Likewise, until a destination is to be sent its copy of a packet. */
static void shed_for_copies(struct sender *s, uint32_t class, uint64_t now)
{
	for (int i = 0; i < MOST_RELEASED; i++) {
		if (!copies_are_under_way(s, class))
			shed(s, class, now);
		if (now < s->retry_at_ns[class] || sender_waiting_pkts(s, class) == 0 || !copies_prepare(s, class, now))
			return;
	}
}

void send_shed(struct sender *s, uint32_t class, uint64_t now)
{
	if (s->ways[class].choice)
		target_look(s, class);
	if (now < s->retry_at_ns[class])
		return;
	if (s->stage->seg.views[class].copies)
		shed_for_copies(s, class, now);
	else
		shed(s, class, now);
}

uint32_t send_head_bytes(const struct sender *s, uint32_t class, uint64_t now)
{
	const struct lane_view *v = &s->stage->seg.views[class];
	uint32_t index;

	if ((now < s->retry_at_ns[class] && !target_is_stale(s, class)) || sender_waiting_pkts(s, class) == 0)
		return 0;
	index = sender_head(s, class);
	return lane_header_bytes(v, index) + once(v->results[index].len_bytes) + sender_overhead_bytes(s, class, index);
}

int send_is_idle(const struct sender *s)
{
	uint32_t waiting = 0;

	for (uint32_t class = 0; class < s->stage->config.n_classes; class++)
		waiting += sender_waiting_pkts(s, class);
	return waiting == 0;
}

/* What edf has passed on since send_shed() looked may be the head now: the next step sheds it, or has it wait. */
static int is_judged(struct sender *s, uint32_t class, uint64_t now)
{
	uint32_t index = sender_head(s, class);

	return batch_admits(s, class, index, now) && !(s->ways[class].choice && target_is_missing(s, class, index));
}

uint32_t send_batch(struct sender *s, uint32_t class, uint32_t most_bytes, uint64_t now)
{
	struct batch b;
	struct egress_journal *j = s->journal;
	const int copies = s->stage->seg.views[class].copies != NULL;
	uint64_t sent_at_ns;
	uint32_t bytes = 0;
	int n, err;

	/* copies: the step has released enough, or likewise */
	if (copies ? !copies_are_under_way(s, class) : !is_judged(s, class, now))
		return 0;
	if (copies)
		batch_build_copy(&b, s, class, most_bytes);
	else
		batch_build(&b, s, class, most_bytes, now);
	journal_open(&j->word, j->msgs, class, b.n_msgs, s->settled.sent[class]);
	n = sendmmsg(b.to->fd, j->msgs, b.n_msgs, MSG_DONTWAIT | MSG_NOSIGNAL);
	err = errno;
	s->unread.sent_pkts += b.n_pkts;
	if (n > 0) {
		bytes = batch_wire_bytes(&b, (uint32_t)n);
		sent_at_ns = now_ns();
		refusal_end(s, &b, (uint32_t)n, now); /* it looks at slots, which are ingress's after settle() */
		if (copies)
			copies_taken(s, class, b.released[n - 1], sent_at_ns);
		else
			settle(&s->settled, class, b.released[n - 1], sent_at_ns);
	}
	journal_close(&j->word);
	if (n < 0)
		refusal_handle(s, &b, err, now);
	return bytes;
}

uint64_t send_again_at_ns(struct sender *s, uint32_t class, uint64_t now)
{
	if (s->softnet_fd >= 0 && unread_is_due(&s->unread, now)) {
		int begins = s->unread.since_ns == 0;

		if (unread_look(&s->unread, softnet_waiting_pkts(s->softnet_fd), now) && begins) {
			s->settled.tally[class].send_waits++;
			settle(&s->settled, class, 0, now);
		}
	}
	return s->unread.until_ns > now ? s->unread.until_ns : 0;
}

void send_look_at_ways(struct sender *s, uint64_t now)
{
	uint32_t looks = 0;

	while (now >= s->look_at_ns && looks++ < s->n_outputs) {
		output_look(s->all_outputs[s->next_output]);
		way_look(s, s->next_output);
		sender_count_remade(s, s->all_outputs[s->next_output]);
		s->next_output = (s->next_output + 1) % s->n_outputs;
		s->look_at_ns += LOOK_NS / s->n_outputs;
	}
	if (now >= s->look_at_ns) /* the stage has slept for long */
		s->look_at_ns = now + LOOK_NS / s->n_outputs;
}

void send_apply(struct sender *s, int is_gso_changed)
{
	for (uint32_t i = 0; i < s->n_outputs; i++) {
		if (is_gso_changed)
			s->all_outputs[i]->gso_below_bytes = s->stage->config.gso ? GSO_NO_LIMIT : 0;
		output_set_tos(s->all_outputs[i]);
	}
	way_forget(s);
	target_apply(s);
}

/*
 * What a predecessor's call put on the wire, at most: the journal does not hold the address family, and no message has
 * more packets than a batch.
 */
static uint32_t wire_bytes_rescued(const struct sender *s, uint32_t n_msgs)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < n_msgs; i++) {
		size_t n = once(s->journal->msgs[i].msg_hdr.msg_iovlen);
		uint32_t len = once(s->journal->msgs[i].msg_len);

		/* a message has no more than that, whatever the segment says */
		bytes += (len < UINT16_MAX ? len : UINT16_MAX) + (n < BATCH ? (uint32_t)n : BATCH) * IPV6_UDP_BYTES;
	}
	return bytes;
}

/* How many slots the predecessor's call released. Whatever the journal holds, no more than wait can be. */
static uint32_t released_pkts(const struct sender *s, uint32_t class, uint32_t done)
{
	const struct copies_tally *t = &s->settled.copies[class];
	uint32_t n = once(s->journal->released[done - 1]), waiting = sender_waiting_pkts(s, class);

	if (s->stage->seg.views[class].copies)
		waiting = (uint32_t)(t->batch_slots - t->done_slots);

	if (n <= waiting)
		return n;
	log_error(
		"segment %s: class %s: the journal tells of %u packets sent, and %u wait: it is damaged; run/stop.sh, "
		"then run/launch.sh",
		s->stage->seg.name, s->stage->config.classes[class].name, n, waiting);
	abort();
}

/* The predecessor's call sent `done` messages, and died before it said so. Returns the packets. */
static uint64_t rescue(struct sender *s, uint32_t class, uint32_t done)
{
	uint32_t n_slots = released_pkts(s, class, done);
	int is_to_one = s->stage->config.classes[class].destination_rate_bits_per_s != 0;
	uint64_t sent_pkts;

	s->rescued.class = class;
	s->rescued.destination = is_to_one ? sender_destination(s, class) : 0;
	s->rescued.wire_bytes = wire_bytes_rescued(s, done);
	if (s->stage->seg.views[class].copies)
		return mutant_is("copy-again") ? 0 : copies_taken(s, class, n_slots, now_ns());
	sent_pkts = s->settled.tally[class].sent_pkts;
	settle(&s->settled, class, n_slots, now_ns());
	return s->settled.tally[class].sent_pkts - sent_pkts;
}

static void recover(struct sender *s)
{
	uint64_t word = journal_read(&s->journal->word);
	uint32_t class = journal_owner(word), done;

	if (word != 0 && class < s->stage->config.n_classes && !mutant_is("no-recovery") &&
	    journal_is_open(word, s->settled.sent[class])) {
		done = journal_count_done(s->journal->msgs, journal_messages(word));
		if (done > 0) /* relaxed: for observers */
			atomic_fetch_add_explicit(&s->stage->self->rescued_pkts, rescue(s, class, done),
						  memory_order_relaxed);
	}
	journal_close(&s->journal->word);
}

int send_init(struct sender *s, struct stage *stage)
{
	memset(s, 0, offsetof(struct sender, all_outputs));
	s->stage = s->settled.stage = stage;
	s->softnet_fd = softnet_is_starvable() ? softnet_open() : -1;
	s->journal = &stage->seg.shared->egress_journal;
	segment_touch(s->journal, sizeof(*s->journal));
	for (uint32_t class = 0; class < stage->config.n_classes; class++) {
		int status;

		settle_load(&s->settled, class);
		copies_load(s, class);
		status = way_open(s, class);
		if (status)
			return status;
	}
	s->look_at_ns = now_ns() + LOOK_NS / s->n_outputs;
	recover(s);
	return 0;
}

void send_close(struct sender *s)
{
	if (s->softnet_fd > 0)
		close(s->softnet_fd);
	s->softnet_fd = -1;
}
