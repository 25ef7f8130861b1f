/* flow.c - one class's sockets and counts. */
#include "flow.h"

#include <assert.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "config/address.h"
#include "log.h"

static_assert(MAX_CLASSES == 1 << STREAM_RUN_SHIFT, "a stream names the class in its lowest bits");

#define SOCKET_BUFFER_BYTES (256 << 20)

static int send_to(int fd, const struct address *a)
{
	int err = group_aim(fd, a, 1, 1);

	return !err && connect(fd, (const struct sockaddr *)&a->at, a->len) < 0 ? -errno : err;
}

static int open_socket(const struct address *a, uint32_t what)
{
	int receives = what == FLOW_RECEIVES;
	int fd = socket(a->at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | (receives ? SOCK_NONBLOCK : 0), 0);
	int bytes = SOCKET_BUFFER_BYTES, on = 1, err;

	if (fd < 0)
		return -errno;
	if (receives) /* before the first datagram: until the kernel stamps, it gives the time of the read */
		setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, receives ? SO_RCVBUF : SO_SNDBUF, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, receives ? SO_RCVBUFFORCE : SO_SNDBUFFORCE, &bytes, sizeof(bytes));
	err = receives ? group_receive(fd, a, &a->at) : send_to(fd, a);
	if (err == 0)
		return fd;
	close(fd);
	return err;
}

/* The class's datagrams must be those that its rule names, if other classes listen there too. */
static int mark(const struct flow *f, const struct class_config *class, const struct address *to, int fd)
{
	bool v4 = to->at.ss_family == AF_INET, only;
	int dscp = match_dscp(&class->match, &only), tos = dscp << 2;
	char text[MATCH_BYTES];

	if (class->match.n == 0)
		return 0;
	if (dscp < 0 || !only) {
		log_error("class %s: match = %s: the datagrams made here can have a DSCP, nothing else; name the other "
			  "classes in --rate, or begin the rule with `dscp NAME,`",
			  f->name, match_format(&class->match, text));
		return -EINVAL;
	}
	if (setsockopt(fd, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &tos, sizeof(tos)) == 0)
		return 0;
	log_error("class %s: set DSCP %d: %s", f->name, dscp, strerror(errno));
	return -EINVAL;
}

static int open_sources(struct flow *f, const struct class_config *class, uint32_t n)
{
	char text[ADDRESS_BYTES];

	for (uint32_t i = 0; i < n; i++) {
		const struct address *to = &class->listen[i % class->n_listen];

		f->out_fd[i] = open_socket(to, FLOW_SENDS);
		if (f->out_fd[i] >= 0 && mark(f, class, to, f->out_fd[i]) == 0)
			continue;
		if (f->out_fd[i] >= 0)
			return -EINVAL;
		log_error("send to class %s on %s from socket %u of %u: %s", f->name, address_format(to, text), i + 1,
			  n, strerror(-f->out_fd[i]));
		return f->out_fd[i];
	}
	f->n_out = n;
	return 0;
}

const struct address *flow_shared_dest(const struct class_config *a, const struct class_config *b)
{
	for (uint32_t i = 0; i < a->n_dests; i++)
		for (uint32_t k = 0; k < b->n_dests; k++)
			if (address_overlap(&a->dests[i], &b->dests[k]))
				return &a->dests[i];
	return NULL;
}

/* Has this flow, or one before it, a socket that receives what is sent there? */
static int is_bound(struct flow *f, const struct address *at)
{
	for (uint32_t i = 0; i < f->n_beside; i++)
		for (uint32_t k = 0; k < f->beside[i].n_in; k++)
			if (address_overlap(&f->beside[i].in_at[k], at)) {
				f->beside[i].is_shared = 1;
				return 1;
			}
	for (uint32_t k = 0; k < f->n_in; k++)
		if (address_overlap(&f->in_at[k], at))
			return 1;
	return 0;
}

/* Whoever had the port may be on its way out: a receiver that was ended just before. */
static int open_sink(const struct address *at)
{
	int fd = open_socket(at, FLOW_RECEIVES);

	for (uint64_t until_ns = now_ns() + NS_PER_S; fd == -EADDRINUSE && now_ns() < until_ns;) {
		usleep(50000);
		fd = open_socket(at, FLOW_RECEIVES);
	}
	return fd;
}

static int open_sinks(struct flow *f, const struct class_config *class)
{
	char text[ADDRESS_BYTES];

	f->n_in = 0;
	for (uint32_t i = 0; i < class->n_dests; i++) {
		int fd;

		if (is_bound(f, &class->dests[i]))
			continue;
		fd = open_sink(&class->dests[i]);
		if (fd < 0) {
			log_error("receive for class %s on %s: %s%s", f->name, address_format(&class->dests[i], text),
				  strerror(-fd), fd == -EADDRINUSE ? ": another program has this port" : "");
			return fd;
		}
		f->in_at[f->n_in] = class->dests[i];
		f->in_fd[f->n_in++] = fd;
	}
	return 0;
}

int flow_open(struct flow *f, const struct class_config *class, const struct packet_sizes *sizes, uint32_t n_sources,
	      uint32_t what)
{
	int err = 0;

	memcpy(f->name, class->name, sizeof(f->name));
	f->sizes = *sizes;
	f->budget_ns = class->budget_ns;
	f->n_orders = class->n_listen > 1 || class->n_dests > 1 ? n_sources : 1;
	if (what & FLOW_SENDS)
		err = open_sources(f, class, n_sources);
	if (!err && what & FLOW_RECEIVES)
		err = open_sinks(f, class);
	return err;
}

static uint32_t socket_drops(int fd)
{
	uint32_t memory[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(memory);

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &len) == 0 ? memory[SK_MEMINFO_DROPS] : 0;
}

void flow_reset(struct flow *f, uint32_t stream)
{
	size_t kept_bytes = offsetof(struct flow, stream);

	memset((uint8_t *)f + kept_bytes, 0, sizeof(*f) - kept_bytes);
	f->stream = stream;
	for (uint32_t i = 0; i < f->n_in; i++)
		f->drops_before[i] = socket_drops(f->in_fd[i]);
}

uint64_t flow_sink_dropped_pkts(const struct flow *f)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < f->n_in; i++)
		sum += socket_drops(f->in_fd[i]) - f->drops_before[i];
	return sum;
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
	/* relaxed, both: a place that was used again, or is about to be, shows by these comparisons */
	uint64_t sent_pkts = atomic_load_explicit(&f->sent_pkts, memory_order_relaxed);
	uint64_t handed_at_ns = atomic_load_explicit(&f->handed_at_ns[sequence % HANDED_WINDOW], memory_order_relaxed);

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
		atomic_store_explicit(&f->corrupt_pkts, f->corrupt_pkts + 1,
				      memory_order_relaxed); /* relaxed: a count */
		return;
	}
	if (kind == 0) {
		note_short(f, bytes);
		return;
	}
	note_sequence(f, h.sequence);
	if (f->doubled_pkts != doubled_pkts)
		return;
	note_latency(f, at_ns > h.due_at_ns ? at_ns - h.due_at_ns : 0);
	note_relay(f, at_ns > h.due_at_ns ? at_ns - handed_at(f, h.sequence, h.due_at_ns, at_ns) : 0);
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
