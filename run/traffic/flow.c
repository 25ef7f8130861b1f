/* flow.c - one class's counts. */
#include "flow.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "clock.h"

static_assert(MAX_CLASSES == 1 << STREAM_RUN_SHIFT, "a stream names the class in its lowest bits");

void flow_reset(struct flow *f, uint32_t stream)
{
	size_t kept_bytes = offsetof(struct flow, stream);

	memset((uint8_t *)f + kept_bytes, 0, sizeof(*f) - kept_bytes);
	f->stream = stream;
	f->drops_before = flow_all_drops(f);
}

uint64_t flow_sink_dropped_pkts(const struct flow *f)
{
	return flow_all_drops(f) - f->drops_before;
}

int64_t flow_lost_pkts(const struct flow *f)
{
	/* relaxed: after the end, or for a progress display */
	return (int64_t)(atomic_load_explicit(&f->sent_pkts, memory_order_relaxed) -
			 atomic_load_explicit(&f->received_pkts, memory_order_relaxed)) -
	       (int64_t)atomic_load_explicit(&f->corrupt_pkts, memory_order_relaxed);
}

static void count_received(struct flow *f, uint64_t n)
{
	atomic_store_explicit(&f->received_pkts, f->received_pkts + n, memory_order_relaxed); /* relaxed: as above */
}

/* What short datagrams were counted when they came, and turn out to be one too many. */
static void recount(struct flow *f, uint64_t doubled_pkts)
{
	f->doubled_pkts += doubled_pkts;
	count_received(f, (uint64_t)0 - doubled_pkts);
}

/* The window of sequence numbers moves on: what has come is told up to here. */
static void move_on(struct flow *f, uint64_t to)
{
	if (to - f->next_sequence >= SEEN_WINDOW)
		memset(f->seen, 0, sizeof(f->seen));
	else
		for (uint64_t i = f->next_sequence; i < to; i++)
			f->seen[i % SEEN_WINDOW / 8] &= (uint8_t) ~(1u << i % 8);
	f->next_sequence = to;
}

static void close_shorts(struct flow *f, uint64_t sequence)
{
	struct short_verdict v = short_close(&f->shorts, &f->sizes, f->next_sequence, sequence);

	f->reordered_pkts += v.reordered_pkts;
	recount(f, v.doubled_pkts);
}

static void note_short(struct flow *f, uint32_t bytes)
{
	count_received(f, 1);
	short_note(&f->shorts, bytes);
	if (!short_is_exact(&f->shorts, &f->sizes, f->next_sequence))
		return;
	close_shorts(f, f->next_sequence + SHORT_WINDOW);
	move_on(f, f->next_sequence + SHORT_WINDOW);
}

static void note_sequence(struct flow *f, uint64_t sequence)
{
	uint64_t *order_next = &f->order_next[sequence % f->n_orders], at = sequence % SEEN_WINDOW;
	uint8_t bit = (uint8_t)(1u << at % 8);

	if (sequence >= f->next_sequence) {
		close_shorts(f, sequence);
		move_on(f, sequence + 1);
	} else if (f->next_sequence - sequence <= SEEN_WINDOW && f->seen[at / 8] & bit) {
		f->doubled_pkts++;
		return;
	}
	if (sequence < *order_next)
		f->reordered_pkts++;
	else
		*order_next = sequence + 1;
	if (f->next_sequence - sequence <= SEEN_WINDOW)
		f->seen[at / 8] |= bit;
	count_received(f, 1);
}

void flow_hand(struct flow *f, uint32_t n, uint64_t at_ns)
{
	uint64_t first = atomic_load_explicit(&f->sent_pkts, memory_order_relaxed); /* relaxed: the caller's own */

	for (uint32_t i = 0; i < n; i++) /* relaxed: the sink looks at it after the datagram, and doubts it */
		atomic_store_explicit(&f->handed_at_ns[(first + i) % HANDED_WINDOW], at_ns, memory_order_relaxed);
}

/* When the source handed it to the kernel; when that is not known any more, when it was due. */
static uint64_t handed_at(const struct flow *f, uint64_t sequence, uint64_t due_at_ns, uint64_t at_ns)
{
	const struct flow *of = f->forth ? f->forth : f;
	/* relaxed, both: a place that was used again, or is about to be, shows by these comparisons */
	uint64_t sent_pkts = atomic_load_explicit(&of->sent_pkts, memory_order_relaxed);
	uint64_t handed_at_ns = atomic_load_explicit(&of->handed_at_ns[sequence % HANDED_WINDOW], memory_order_relaxed);

	if (sent_pkts > sequence + HANDED_WINDOW / 2 || handed_at_ns < due_at_ns || handed_at_ns > at_ns)
		return due_at_ns;
	return handed_at_ns;
}

static void note_relay(struct flow *f, uint64_t relay_ns)
{
	f->relay[histogram_bucket(relay_ns)]++;
	if (relay_ns > f->relay_max_ns)
		f->relay_max_ns = relay_ns;
}

static void note_latency(struct flow *f, uint64_t latency_ns)
{
	f->timed_pkts++;
	f->latency[histogram_bucket(latency_ns)]++;
	f->on_time_pkts += f->budget_ns == BUDGET_NONE || latency_ns <= f->budget_ns;
	if (latency_ns > f->latency_max_ns)
		f->latency_max_ns = latency_ns;
}

static void note_gap(struct flow *f, uint64_t at_ns)
{
	uint64_t last_at_ns = atomic_load_explicit(&f->last_at_ns, memory_order_relaxed);

	/* relaxed: for a display */
	if (last_at_ns && at_ns > last_at_ns &&
	    at_ns - last_at_ns > atomic_load_explicit(&f->gap_max_ns, memory_order_relaxed)) {
		atomic_store_explicit(&f->gap_max_ns, at_ns - last_at_ns, memory_order_relaxed);
		atomic_store_explicit(&f->gap_end_at_ns, at_ns, memory_order_relaxed);
	}
	atomic_store_explicit(&f->last_at_ns, at_ns, memory_order_relaxed);
}

static int is_possible(const struct packet_sizes *s, uint32_t bytes)
{
	return (bytes >= s->smallest_bytes && bytes <= s->largest_bytes) || (s->run_pkts && bytes == s->run_bytes);
}

static void count_corrupt(struct flow *f)
{
	/* relaxed: a count */
	atomic_store_explicit(&f->corrupt_pkts, f->corrupt_pkts + 1, memory_order_relaxed);
}

static void note_times(struct flow *f, uint64_t sequence, uint64_t due_at_ns, uint64_t at_ns)
{
	note_latency(f, at_ns > due_at_ns ? at_ns - due_at_ns : 0);
	note_relay(f, at_ns > due_at_ns ? at_ns - handed_at(f, sequence, due_at_ns, at_ns) : 0);
}

static void note_content(struct flow *f, const uint8_t *payload, uint32_t bytes, uint64_t at_ns)
{
	int64_t sequence = content_find(f->content, payload, bytes);

	note_gap(f, at_ns);
	if (sequence == CONTENT_TWICE)
		f->doubled_pkts++;
	else if (sequence < 0)
		count_corrupt(f);
	if (sequence < 0)
		return;
	note_sequence(f, (uint64_t)sequence);
	note_times(f, (uint64_t)sequence, content_due_at_ns(f->content, (uint64_t)sequence), at_ns);
}

void flow_note(struct flow *f, const uint8_t *payload, uint32_t bytes, uint64_t at_ns)
{
	struct packet_header h = { 0 };
	int kind = packet_read(payload, bytes, &h);
	uint64_t doubled_pkts = f->doubled_pkts;

	if (kind > 0 && f->stream >> STREAM_RUN_SHIFT == 0)
		f->stream |= h.stream & ~(MAX_CLASSES - 1u);
	if (kind > 0 && h.stream >> STREAM_RUN_SHIFT !=
				f->stream >> STREAM_RUN_SHIFT) { /* another run; another class would be a change */
		f->stray_pkts++;
		return;
	}
	note_gap(f, at_ns);
	if (kind < 0 || !is_possible(&f->sizes, bytes) || (kind > 0 && h.stream != f->stream)) {
		count_corrupt(f);
		return;
	}
	if (kind == 0) {
		note_short(f, bytes);
		return;
	}
	note_sequence(f, h.sequence);
	if (f->doubled_pkts != doubled_pkts)
		return;
	note_times(f, h.sequence, h.due_at_ns, at_ns);
}

void flow_note_at(struct flow *f, uint32_t i, const uint8_t *payload, uint32_t bytes, uint64_t at_ns)
{
	struct packet_header h;

	if (f->copies && i > 0)
		return;
	if (f->content)
		note_content(f, payload, bytes, at_ns);
	else if (f->forth && packet_read(payload, bytes, &h) > 0 && h.stream == f->stream &&
		 h.sequence % f->n_orders != i)
		f->misled_pkts++;
	else
		flow_note(f, payload, bytes, at_ns);
}

void flow_end(struct flow *f, int knows_sent)
{
	uint64_t sent_pkts = knows_sent ? atomic_load_explicit(&f->sent_pkts, memory_order_relaxed)
					: f->next_sequence + f->shorts.n_got; /* relaxed: the threads have ended */

	atomic_store_explicit(&f->sent_pkts, sent_pkts, memory_order_relaxed);
	if (sent_pkts > f->next_sequence || f->shorts.n_got)
		close_shorts(f, sent_pkts > f->next_sequence ? sent_pkts : f->next_sequence);
	recount(f, short_end(&f->shorts));
}
