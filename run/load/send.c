/* send.c - the sending side. */
#include "send.h"

#include <errno.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "clock.h"
#include "log.h"

#define OVERRUN_NS NS_PER_S /* past the end, for a source that is behind */
/* What is late by more than this is sent at the schedule's pace times CATCH_UP: see horizon_of(). */
#define LATE_NS NS_PER_MS
#define CATCH_UP 2
#define LONGEST_STEP_NS                                                                                                \
	(5 * NS_PER_MS) /* that counts for the pace: longer without a CPU, and the source was stopped again */
#define HICCUP_NS (10 * NS_PER_MS) /* at the end of a run is no sign of a source too slow */
/* At such rates to sleep for each datagram takes more CPU time than to send it: some then wait for the next ones. */
#define COALESCE_FROM_PPS 100000
#define COALESCE_NS (50 * NS_PER_US)
#define SUPER_BYTES 60000 /* of one UDP_SEGMENT datagram, below 64 KiB with its headers */

static void sleep_until(const struct source *s, uint64_t at_ns)
{
	struct timespec t = { .tv_sec = (time_t)(at_ns / NS_PER_S), .tv_nsec = (long)(at_ns % NS_PER_S) };

	while (!*s->stop && now_ns() < at_ns)
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

/*
 * Up to which time of the schedule may be sent now? As a rule to now. But a source that got no CPU for a while must not
 * send all it missed at once: such a flood is not what was asked for, and a relay would rightly shed some of it. So it
 * goes through what it missed at twice the schedule's pace, gaps and bursts alike, until it has caught up. Latency
 * counts from the scheduled time all the same.
 */
static uint64_t horizon_of(struct source *s, uint64_t due_at_ns, uint64_t now)
{
	uint64_t step_ns = now - s->horizon_at_ns;

	if (now <= due_at_ns + LATE_NS) {
		s->horizon_ns = 0;
		return now;
	}
	if (s->horizon_ns)
		s->horizon_ns += CATCH_UP * (step_ns < LONGEST_STEP_NS ? step_ns : LONGEST_STEP_NS);
	else
		s->horizon_ns = due_at_ns;
	s->horizon_at_ns = now;
	return s->horizon_ns < now ? s->horizon_ns : now;
}

/* Sleep until what is due then may be sent, for least_ns at least. Returns the horizon. */
static uint64_t wait_for_turn(struct source *s, uint64_t due_at_ns, uint64_t least_ns)
{
	for (;;) {
		uint64_t now = now_ns(), horizon_ns = horizon_of(s, due_at_ns, now), pause_ns;

		if (*s->stop || due_at_ns <= horizon_ns)
			return horizon_ns;
		pause_ns = due_at_ns > now ? due_at_ns - now : (due_at_ns - horizon_ns) / CATCH_UP;
		sleep_until(s, now + (pause_ns > least_ns ? pause_ns : least_ns));
	}
}

/* Send n prepared messages from one socket; what the kernel refuses for now is tried again. How many, or -errno. */
static int send_all(const struct source *s, struct flow *f, int fd, struct mmsghdr *msgs, uint32_t n)
{
	uint32_t done = 0;

	while (done < n && !*s->stop) {
		int sent = sendmmsg(fd, msgs + done, n - done, 0), err = errno;

		if (sent > 0) {
			done += (uint32_t)sent;
		} else if (err == ECONNREFUSED) {
			f->refused_events++;
		} else if (err != EAGAIN && err != ENOBUFS && err != EINTR) {
			log_error("send to class %s: %s", f->name, strerror(err));
			return -err;
		}
	}
	return (int)done; /* fewer than n when stopped */
}

/* relaxed: the sink reads it after the threads are joined, or for the progress only */
static void count_sent(struct flow *f, uint32_t n, uint32_t n_timed)
{
	f->sent_timed_pkts += n_timed;
	atomic_store_explicit(&f->sent_pkts, f->sent_pkts + n, memory_order_relaxed);
}

static void note_lag(struct source *s, uint32_t n)
{
	uint64_t now = now_ns();

	for (uint32_t i = 0; i < n; i++) {
		uint64_t lag_ns = now > s->due_at_ns[i] ? now - s->due_at_ns[i] : 0;

		s->lag[histogram_bucket(lag_ns)]++;
		if (lag_ns > s->lag_max_ns)
			s->lag_max_ns = lag_ns;
	}
}

static void aim(struct source *s, uint32_t i, uint8_t *payload, uint32_t bytes, uint64_t due_at_ns)
{
	s->vectors[i] = (struct iovec){ .iov_base = payload, .iov_len = bytes };
	s->msgs[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &s->vectors[i], .msg_iovlen = 1 } };
	s->due_at_ns[i] = due_at_ns;
}

static void prepare(struct source *s, const struct flow *f, uint32_t i, uint32_t bytes, uint64_t due_at_ns)
{
	packet_fill_stream(s->payload[i], bytes, f->stream, f->sent_pkts + i, due_at_ns);
	aim(s, i, s->payload[i], bytes, due_at_ns);
}

/* Equal sizes, and the user wants it: then a batch is one super-datagram, which costs a third. */
static int is_super(const struct source *s, const struct flow *f)
{
	return s->options->gso && f->n_out == 1 && f->sizes.smallest_bytes > 0 &&
	       f->sizes.smallest_bytes == f->sizes.largest_bytes;
}

static uint32_t batch_pkts(const struct source *s, const struct flow *f)
{
	uint32_t fit;

	if (f->n_out > 1)
		return 1; /* each socket has its turn */
	if (!is_super(s, f))
		return SEND_BATCH;
	fit = SUPER_BYTES / f->sizes.smallest_bytes;
	return fit < SEND_BATCH ? fit : SEND_BATCH;
}

static int send_super(struct source *s, struct flow *f, uint32_t n)
{
	char control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
	uint16_t size = (uint16_t)f->sizes.smallest_bytes;
	struct mmsghdr m = { .msg_hdr = { .msg_iov = s->vectors,
					  .msg_iovlen = n,
					  .msg_control = control,
					  .msg_controllen = sizeof(control) } };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m.msg_hdr);
	int sent;

	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(c), &size, sizeof(size));
	sent = send_all(s, f, f->out_fd[0], &m, 1);
	return sent > 0 ? (int)n : sent;
}

static int send_prepared(struct source *s, struct flow *f, uint32_t n)
{
	int fd = f->out_fd[f->sent_pkts % f->n_out], sent;
	uint32_t n_timed = 0;

	flow_hand(f, n, now_ns());
	sent = n > 1 && is_super(s, f) ? send_super(s, f, n) : send_all(s, f, fd, s->msgs, n);
	if (sent < 0)
		return sent;
	for (int i = 0; i < sent; i++)
		n_timed += f->content || s->vectors[i].iov_len >= sizeof(struct packet_header);
	count_sent(f, (uint32_t)sent, n_timed);
	return 0;
}

/* All of a flow that is due by then. */
static int send_due(struct source *s, uint32_t flow, uint64_t horizon_ns)
{
	struct flow *f = &s->flows[flow];
	struct schedule *schedule = &s->schedules[flow];
	uint32_t n = 0;
	int err;

	while (n < batch_pkts(s, f)) {
		uint64_t due_at_ns = s->began_at_ns + (uint64_t)schedule->due_at_ns;

		if (due_at_ns > horizon_ns || due_at_ns >= s->until_ns)
			break;
		prepare(s, f, n, packet_bytes(&f->sizes, f->sent_pkts + n), due_at_ns);
		schedule_next(schedule);
		n++;
	}
	err = send_prepared(s, f, n);
	note_lag(s, n);
	return err;
}

/* The least time to sleep. */
static uint64_t least_sleep_ns(const struct source *s)
{
	double pps = 0;

	for (uint32_t i = 0; i < s->n_flows; i++)
		pps += 1e9 / s->schedules[i].mean_gap_ns;
	return pps >= COALESCE_FROM_PPS ? COALESCE_NS : 0;
}

static int run_paced(struct source *s)
{
	uint64_t least_ns = least_sleep_ns(s);
	int err = 0;

	while (!err && !*s->stop) {
		uint64_t due_at_ns, horizon_ns;
		uint32_t next = 0;

		for (uint32_t i = 1; i < s->n_flows; i++)
			if (s->schedules[i].due_at_ns < s->schedules[next].due_at_ns)
				next = i;
		due_at_ns = s->began_at_ns + (uint64_t)s->schedules[next].due_at_ns;
		if (due_at_ns >= s->until_ns || now_ns() > s->until_ns + OVERRUN_NS)
			break;
		horizon_ns = wait_for_turn(s, due_at_ns, least_ns);
		err = *s->stop ? 0 : send_due(s, next, horizon_ns);
	}
	return err;
}

static int run_saturated(struct source *s)
{
	uint64_t now;
	int err = 0;

	for (uint32_t k = 0; !err && !*s->stop && (now = now_ns()) < s->until_ns; k++) {
		struct flow *f = &s->flows[k % s->n_flows];
		uint32_t n = batch_pkts(s, f);

		for (uint32_t i = 0; i < n; i++)
			prepare(s, f, i, packet_bytes(&f->sizes, f->sent_pkts + i), now);
		err = send_prepared(s, f, n);
	}
	return err;
}

/* Sizes come from the trace; datagrams too short for a header get one: what a trace is for is their times. */
static uint32_t trace_bytes(const struct packet *p)
{
	if (p->bytes < sizeof(struct packet_header))
		return sizeof(struct packet_header);
	return p->bytes < MAX_LOAD_BYTES ? p->bytes : MAX_LOAD_BYTES;
}

static int run_trace(struct source *s)
{
	int err = 0;

	for (size_t i = 0; !err && i < s->trace->n && !*s->stop; i++) {
		const struct packet *p = &s->trace->packets[i];
		struct flow *f = &s->flows[s->flow_of[p->class]];
		uint64_t due_at_ns = s->began_at_ns + p->arrival_ns;

		wait_for_turn(s, due_at_ns, 0);
		if (*s->stop)
			break;
		if (f->content)
			aim(s, 0, s->trace->payloads + p->payload_at, p->bytes, due_at_ns);
		else
			prepare(s, f, 0, trace_bytes(p), due_at_ns);
		err = send_prepared(s, f, 1);
		note_lag(s, 1);
	}
	return err;
}

int source_fell_behind(const struct source *s)
{
	uint64_t grace_ns = (s->until_ns - s->began_at_ns) / 100;

	grace_ns = grace_ns > HICCUP_NS ? grace_ns : HICCUP_NS;
	return !*s->stop && !s->options->saturate && s->ended_at_ns > s->until_ns + grace_ns;
}

int source_run(struct source *s)
{
	struct cpu_use before = cpu_of_thread(), after;
	int err;

	s->horizon_ns = 0;
	prctl(PR_SET_TIMERSLACK, 1UL); /* the default lets each sleep end up to 50 us late */
	if (s->trace)
		err = run_trace(s);
	else if (s->options->saturate)
		err = run_saturated(s);
	else
		err = run_paced(s);
	s->ended_at_ns = now_ns();
	after = cpu_of_thread();
	s->cpu = (struct cpu_use){ after.user_ns - before.user_ns, after.system_ns - before.system_ns };
	return err;
}
