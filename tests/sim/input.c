/*
 * input.c - traffic, and the sockets it arrives at.
 *
 * Memory:  a ring per listen address, as long as its receive buffer can hold.
 * Rules:   a flow is packets in bursts, of sizes and from senders at random. Only ingress looks at sockets and reads
 *          CLOCK_REALTIME, so what happened up to its clock is made up when it looks. As in the kernel a datagram that
 *          finds the buffer full is lost, and the next one that is queued tells how many were so far. A train is
 *          queued in one piece, or lost and counted as one, where the socket takes trains; elsewhere it is cut.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "log.h"
#include "sim.h"

#define OVERHEAD_BYTES 576 /* of a receive buffer, per datagram beyond its length */
#define N_SOURCES 8
#define REAL_AHEAD_NS (1700000000ULL * NS_PER_S)
#define WAKE_NS (3 * NS_PER_US) /* from an arrival to the end of a sleep */
#define WAKE_SPREAD_NS (40 * (uint32_t)NS_PER_US)
#define GAP_SPREAD_NS (3 * (uint32_t)NS_PER_US) /* between the packets of a burst */
#define STEP_SPREAD_NS (400 * (uint32_t)NS_PER_MS)
#define STEP_MOST_US 20000000u
#define LIKE_BYTES 1100 /* as long as those that ingress aims at slots, where it knows what comes */
#define TOS_OF_TOKEN (0xffULL << 32) /* sim_tos() */

struct flow {
	struct sim_datagram *ring;
	uint32_t mask, used_bytes, drops, told_drops;
	uint64_t first, last; /* waiting: first <= n < last */
	uint64_t next_at_ns; /* the next packet; UINT64_MAX: no more */
	uint64_t spread_ns; /* between bursts, at most */
	uint64_t drained_at_ns; /* when it was last seen empty, by the clock that ingress had read before */
	uint32_t burst_left, class, family;
	int takes_trains; /* UDP_GRO is on */
	struct epoll_event polled;
};

static struct flow flows[MAX_FLOWS];
static uint32_t n_flows;
static uint64_t traffic; /* random, for nothing else */
static uint64_t real_ahead_ns, step_at_ns, n_tokens;
static uint32_t clock_steps;
static struct epoll_event space;
static int space_rung;

uint32_t input_flows(void)
{
	return n_flows;
}

static void open_flow(struct flow *f, uint32_t class, const struct address *at)
{
	uint32_t slots = 2;

	while (slots < sim.setup.buffer_bytes / OVERHEAD_BYTES + 1)
		slots *= 2;
	*f = (struct flow){ .mask = slots - 1, .class = class, .family = at->at.ss_family };
	f->ring = calloc(slots, sizeof(*f->ring));
	if (!f->ring) {
		log_error("no memory for a receive buffer");
		exit(1);
	}
	f->next_at_ns = SIM_BEGIN_NS + sim_below(&traffic, (uint32_t)NS_PER_MS);
}

/* All rates together are as asked for; some flows send four times as much as others. */
static void share_rate(void)
{
	uint64_t gap_ns = NS_PER_S * sim.setup.burst_pkts / sim.setup.rate_pps; /* between bursts */
	uint32_t weights[MAX_FLOWS], sum = 0;

	for (uint32_t i = 0; i < n_flows; i++)
		sum += weights[i] = 1 + sim_below(&traffic, 4);
	for (uint32_t i = 0; i < n_flows; i++)
		flows[i].spread_ns = 2 * gap_ns * sum / weights[i];
}

void input_open(void)
{
	traffic = sim.setup.seed * 2 + 1;
	n_flows = 0;
	for (uint32_t class = 0; class < sim.config.n_classes; class++)
		for (uint32_t i = 0; i < sim.config.classes[class].n_listen; i++)
			open_flow(&flows[n_flows++], class, &sim.config.classes[class].listen[i]);
	share_rate();
	real_ahead_ns = REAL_AHEAD_NS;
	step_at_ns = sim.setup.faults & FAULT_CLOCK ? SIM_BEGIN_NS : UINT64_MAX;
	clock_steps = 0;
	n_tokens = 0;
	space_rung = 0;
	space = (struct epoll_event){ 0 };
}

/* Large steps and small ones, forward and back. */
static void step_clock(void)
{
	uint64_t by_ns = sim_below(&sim.random, sim_below(&sim.random, 2) ? STEP_MOST_US : 1000) * NS_PER_US;

	real_ahead_ns += sim_below(&sim.random, 2) ? by_ns : -by_ns;
	clock_steps++;
	step_at_ns += 1 + sim_below(&sim.random, STEP_SPREAD_NS);
	if (step_at_ns >= sim.ends_at_ns)
		step_at_ns = UINT64_MAX;
}

/* Odd numbers that do not repeat, and whose bytes look like nothing. */
static uint64_t next_token(void)
{
	return ++n_tokens * 0x9e3779b97f4a7c15ULL;
}

static uint32_t draw_length(void)
{
	static const uint32_t usual[] = { 64, 700, 1400 };
	uint32_t kind = sim_below(&traffic, 8), len = usual[kind % 3];

	if (kind == 7 && !sim.setup.usual_sizes)
		len = sim.setup.least_bytes;
	else if (kind > 4 && !sim.setup.usual_sizes)
		len = sim.setup.least_bytes + sim_below(&traffic, sim.setup.most_bytes - sim.setup.least_bytes + 1);
	if (len < sim.setup.least_bytes)
		len = sim.setup.least_bytes;
	return len < sim.setup.most_bytes ? len : sim.setup.most_bytes;
}

/* n datagrams of a sender come as one: all have the type of service of the first. */
static void queue(struct flow *f, const struct sim_datagram *first, uint32_t n, uint32_t last_bytes)
{
	for (uint32_t i = 0; i < n; i++) {
		struct sim_datagram *d = &f->ring[f->last++ & f->mask];

		*d = *first;
		d->more = (uint8_t)(f->takes_trains ? n - 1 - i : 0);
		d->len_bytes = i + 1 < n ? first->len_bytes : last_bytes;
		d->token = i ? (next_token() & ~TOS_OF_TOKEN) | (first->token & TOS_OF_TOKEN) : first->token;
		f->used_bytes += d->len_bytes + OVERHEAD_BYTES;
	}
}

/* How many datagrams of that length come in one piece. */
static uint32_t draw_train(uint32_t len)
{
	uint32_t most = sim.setup.train_pkts;

	if (most == 0 || sim_below(&traffic, 3) == 0 || len == 0)
		return 1;
	most = most * len <= SIM_MESSAGE_BYTES ? most : SIM_MESSAGE_BYTES / len;
	return 1 + sim_below(&traffic, most);
}

static void arrive(struct flow *f)
{
	uint64_t token = next_token();
	uint32_t len = draw_length(), source = sim_below(&traffic, N_SOURCES), n = draw_train(len);
	uint32_t last_bytes = n > 1 ? 1 + sim_below(&traffic, len) : len, bytes;

	if (sim.setup.like_pkts && sim_below(&traffic, 8)) {
		n = sim.setup.like_pkts;
		last_bytes = len = LIKE_BYTES;
	}
	bytes = (n - 1) * len + last_bytes + n * OVERHEAD_BYTES;
	sim.result.came_pkts += n;
	if (f->used_bytes + bytes > sim.setup.buffer_bytes) {
		f->drops += f->takes_trains ? 1 : n;
		sim.result.kernel_pkts += n;
	} else {
		const struct sim_datagram d = {
			.token = token,
			.arrived_at_ns = f->next_at_ns,
			.stamp_ns = f->next_at_ns + real_ahead_ns,
			.len_bytes = len,
			.drops = f->drops,
			.flow = (uint16_t)(f - flows),
			.source = (uint8_t)source,
			.steps = clock_steps,
		};

		queue(f, &d, n, last_bytes);
	}
	if (f->burst_left > 0) {
		f->burst_left--;
		f->next_at_ns += sim_below(&traffic, GAP_SPREAD_NS);
	} else {
		f->burst_left = sim_below(&traffic, 2 * sim.setup.burst_pkts - 1);
		f->next_at_ns += 1 + (random_next(&traffic) >> 16) % f->spread_ns;
	}
	if (f->next_at_ns >= sim.ends_at_ns)
		f->next_at_ns = UINT64_MAX;
}

static struct flow *next_flow(int polled_only)
{
	struct flow *next = NULL;

	for (struct flow *f = flows; f < flows + n_flows; f++)
		if ((!polled_only || f->polled.events) && (!next || f->next_at_ns < next->next_at_ns))
			next = f;
	return next;
}

/* All that happened up to now, in the order of time. */
static void catch_up(uint64_t now)
{
	for (;;) {
		struct flow *f = next_flow(0);

		if (step_at_ns <= now && step_at_ns <= f->next_at_ns)
			step_clock();
		else if (f->next_at_ns <= now)
			arrive(f);
		else
			return;
	}
}

uint64_t input_real_ns(void)
{
	uint64_t now = sim_now_ns();

	catch_up(now);
	return now + real_ahead_ns;
}

uint32_t input_clock_steps(void)
{
	return clock_steps;
}

int input_space_fd(void)
{
	return SIM_INPUT_FD + (int)n_flows;
}

int input_set_events(int fd, const struct epoll_event *event)
{
	if (fd == input_space_fd())
		space = *event;
	else if (fd >= SIM_INPUT_FD && fd < input_space_fd())
		flows[fd - SIM_INPUT_FD].polled = *event;
	else
		return -EBADF;
	return 0;
}

void input_ring_space(void)
{
	space_rung = 1;
	sim_wake(&space);
}

int input_take_space(void)
{
	int rung = space_rung;

	space_rung = 0;
	return rung;
}

static int collect(struct epoll_event *events, int most)
{
	int n = 0;

	if (space_rung && space.events && n < most)
		events[n++] = space;
	for (struct flow *f = flows; f < flows + n_flows && n < most; f++)
		if (f->polled.events && f->last > f->first) {
			events[n].events = EPOLLIN;
			events[n++].data = f->polled.data;
		}
	return n < most ? n + replies_collect(&events[n]) : n;
}

int input_wait(struct epoll_event *events, int most, int timeout_ms)
{
	uint64_t now = sim_now_ns(), until_ns = now + (uint32_t)timeout_ms * NS_PER_MS;
	struct flow *next;
	int n;

	catch_up(now);
	n = collect(events, most);
	if (n > 0 || timeout_ms == 0)
		return n;
	if (sim_happens(FAULT_CALL, 100))
		return -EINTR;
	next = next_flow(1);
	if (next && next->next_at_ns < until_ns)
		until_ns = next->next_at_ns + WAKE_NS + sim_below(&sim.random, WAKE_SPREAD_NS);
	if (replies_next_ns() < until_ns)
		until_ns = replies_next_ns() + WAKE_NS;
	sim_sleep(&space, until_ns);
	catch_up(sim_now_ns());
	return collect(events, most);
}

static void hand_over(struct mmsghdr *to, struct flow *f)
{
	const struct sim_datagram *all[UINT8_MAX + 1];
	uint32_t n = f->ring[f->first & f->mask].more + 1;

	for (uint32_t i = 0; i < n; i++)
		all[i] = &f->ring[(f->first + i) & f->mask];
	message_write(to, all, f->class, f->family, f->takes_trains);
	f->told_drops = all[0]->drops;
	for (uint32_t i = 0; i < n; i++) {
		replies_note_request(f->class, all[i]);
		f->used_bytes -= all[i]->len_bytes + OVERHEAD_BYTES;
		check_read(f->class, all[i], f->drained_at_ns);
	}
	f->first += n;
}

/* As the kernel: what is queued stays as it was queued. */
int input_take_trains(int fd, int on)
{
	struct flow *f = &flows[fd - SIM_INPUT_FD];

	if (fd < SIM_INPUT_FD || fd >= input_space_fd())
		return -EBADF;
	if (on >= 0)
		f->takes_trains = on;
	return f->takes_trains;
}

int input_receive(uint32_t flow, struct mmsghdr *msgs, uint32_t n)
{
	static const int temporary[] = { EINTR, ENOMEM, ECONNREFUSED };
	struct flow *f = &flows[flow];
	uint64_t now = sim_now_ns();
	uint32_t i;
	int err;

	if (flow >= n_flows)
		return -EBADF;
	catch_up(now);
	if (sim_happens(FAULT_CALL, 200)) {
		err = temporary[sim_below(&sim.random, 3)];
		if (err == ECONNREFUSED)
			replies_note_refusal(f->class);
		return -err;
	}
	for (i = 0; i < n && f->first < f->last; i++)
		hand_over(&msgs[i], f);
	if (i < n)
		f->drained_at_ns = sim_read_ns();
	return i ? (int)i : -EAGAIN;
}

void input_forget(void)
{
	for (uint32_t i = 0; i < n_flows; i++)
		flows[i].drained_at_ns = 0;
	replies_forget();
}

uint64_t input_told_drops(uint32_t class)
{
	uint64_t drops = 0;

	for (uint32_t i = 0; i < n_flows; i++)
		drops += flows[i].class == class ? flows[i].told_drops : 0;
	return drops;
}

int input_is_empty(void)
{
	for (uint32_t i = 0; i < n_flows; i++)
		if (flows[i].next_at_ns != UINT64_MAX || flows[i].first != flows[i].last)
			return 0;
	return replies_are_over();
}

int input_has_waited(uint32_t class, uint64_t since_ns)
{
	for (const struct flow *f = flows; f < flows + n_flows; f++)
		if (f->class == class && f->first < f->last && f->ring[f->first & f->mask].arrived_at_ns < since_ns)
			return 1;
	return 0;
}
