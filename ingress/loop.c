/* loop.c - the ingress stage: one step, its sleep, and what it does between start and end. */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "log.h"
#include "refusals.h"
#include "stage/listen.h"
#include "train.h"

#define DRAIN_NS NS_PER_S /* USR1: under a steady flood the input is never empty */
#define MOST_CALLS 8 /* that read a socket, before all are looked at again */
#define SPACE_POLL_MS 1 /* when no wake can come: started without the `space` descriptor */
#define SPACE_FLOW MAX_FLOWS
/*
 * While there is more to read, edf is woken once per this many packets: on a shared CPU each wake is a switch there and
 * back, which per 64 packets costs a tenth of the whole relay.
 */
#define RING_PKTS 192
/* datagrams of a train count a third: ingress has read as many in less time than the others */
#define RING_TRAIN_PKTS 512 /* of trains: that many take ingress no longer */

static struct ingress_loop *loop_of(struct stage *s)
{
	return (struct ingress_loop *)s;
}

/* One that is no socket is none that was handed on: another start would not find more. Whatever else fails may pass. */
static int refuse_socket(const struct ingress_loop *l, uint32_t flow, int err)
{
	const char *class = l->stage.config.classes[l->ingress.class_of[flow]].name;
	uint32_t i = l->ingress.listen_of[flow];

	if (err == EBADF || err == EPERM) {
		log_error("no socket '%s.in.%u' was handed on (LISTEN_FDS): start with run/launch.sh", class, i);
		return EXIT_CONFIG;
	}
	log_error("epoll_ctl for socket '%s.in.%u': %s", class, i, log_text_of(err));
	return EXIT_TEMPORARY;
}

/* Those of an input: one, or one for each bucket; and one for what is denied there. */
static int find_sockets(struct ingress_loop *l, uint32_t flow)
{
	const struct class_config *class = &l->stage.config.classes[l->ingress.class_of[flow]];
	uint32_t i = l->ingress.listen_of[flow], at = listen_socket(&l->stage.config, flow);
	int fd = handed_socket(class->name, "in", i);

	for (uint32_t k = 0; k < (class->fair ? class->fair : 1); k++)
		l->receiver.listening[at + k] = fd < 0 ? -1 : fd + (int)k;
	l->receiver.listening[listen_denied(&l->stage.config, flow)] = handed_socket(class->name, "deny", i);
	l->receiver.fd[flow] = fd;
	if (!class->fair)
		return 0;
	l->receiver.fair[flow] = fair_open(fd, class->fair, l->stage.config.payload_bytes);
	if (!l->receiver.fair[flow])
		return -1;
	l->receiver.fd[flow] = l->receiver.fair[flow]->poll_fd;
	return 0;
}

static int open_sockets(struct ingress_loop *l)
{
	struct epoll_event event = { .events = EPOLLIN };

	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0) {
		log_error("epoll_create1: %s", log_text_of(errno));
		return EXIT_TEMPORARY;
	}
	for (uint32_t flow = 0; flow < l->ingress.n_flows; flow++) {
		uint32_t of = l->ingress.class_of[flow];

		if (flow < l->ingress.n_inputs && find_sockets(l, flow))
			return refuse_socket(l, flow, errno);
		if (l->receiver.back[of])
			l->receiver.fd[flow] = l->receiver.back[of]->has_one_socket ? l->receiver.back[of]->first_fd
										    : l->receiver.back[of]->poll_fd;
		event.data.u32 = flow;
		if (epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->receiver.fd[flow], &event) < 0 ||
		    (l->receiver.back[of] && l->receiver.back[of]->second_fd >= 0 &&
		     epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->receiver.back[of]->second_fd, &event) < 0))
			return refuse_socket(l, flow, errno);
	}
	event.data.u32 = SPACE_FLOW;
	if (l->stage.space_fd >= 0 && epoll_ctl(l->epoll_fd, EPOLL_CTL_ADD, l->stage.space_fd, &event) < 0)
		l->stage.space_fd = -1;
	return 0;
}

static void take_space_wake(struct ingress_loop *l)
{
	uint64_t wakes;

	/* One read takes all. Left there, it would end every sleep at once. */
	if (read(l->stage.space_fd, &wakes, sizeof(wakes)) < 0 && errno != EAGAIN)
		stage_call_failed(&l->stage, "read of the wake descriptor", errno);
	else
		stage_call_works(&l->stage, "read of the wake descriptor");
}

static uint64_t all_flows(const struct ingress_loop *l)
{
	return l->ingress.n_flows < 64 ? (1ULL << l->ingress.n_flows) - 1 : UINT64_MAX;
}

/*
 * Nobody knows which sockets have datagrams: each is asked. When there is nothing else to do, not more often than need
 * be.
 */
static int look_blindly(struct ingress_loop *l, int timeout_ms, int err)
{
	if (err == EBADF || err == EINVAL || err == EFAULT) {
		log_error("epoll_wait: %s", log_text_of(err));
		abort();
	}
	if (timeout_ms)
		stage_call_failed(&l->stage, "epoll_wait", err);
	if (err != EINTR || l->stage.failing.n_rows)
		l->ingress.ready |= all_flows(l);
	return 0;
}

static void note_event(struct ingress_loop *l, const struct epoll_event *e)
{
	if (e->data.u32 == SPACE_FLOW) {
		take_space_wake(l);
		return;
	}
	if (e->events & EPOLLERR)
		refusals_take(&l->receiver, &l->ingress, (int)e->data.u32);
	if (e->events != EPOLLERR)
		l->ingress.ready |= 1ULL << e->data.u32;
}

/* Learn which sockets have datagrams. Returns how many events came. */
static int look(struct ingress_loop *l, int timeout_ms)
{
	struct epoll_event events[MAX_FLOWS + 1];
	int n = epoll_wait(l->epoll_fd, events, MAX_FLOWS + 1, timeout_ms);

	if (n < 0)
		return look_blindly(l, timeout_ms, errno);
	stage_call_works(&l->stage, "epoll_wait");
	for (int i = 0; i < n; i++)
		note_event(l, &events[i]);
	l->unlooked_pkts = 0;
	return n;
}

static int has_input(void *arg)
{
	return look(arg, 0) > 0;
}

/* Poll just the sockets we could read from: a blocked one would end every sleep at once. */
static void mute(struct ingress_loop *l, uint64_t blocked)
{
	for (uint64_t change = l->muted ^ blocked; change; change &= change - 1) {
		uint32_t flow = (uint32_t)__builtin_ctzll(change);
		struct epoll_event event = { .events = blocked >> flow & 1 ? 0 : EPOLLIN, .data.u32 = flow };

		if (epoll_ctl(l->epoll_fd, EPOLL_CTL_MOD, l->receiver.fd[flow], &event) < 0) {
			stage_call_failed(&l->stage, "epoll_ctl", errno);
			l->ingress.ready |= 1ULL << flow; /* it may not be told of; it is changed at the next step */
			continue;
		}
		stage_call_works(&l->stage, "epoll_ctl");
		l->muted ^= 1ULL << flow;
	}
}

static uint64_t update_room(struct ingress_loop *l)
{
	uint64_t blocked = 0;

	for (uint32_t class = 0; class < l->stage.config.n_classes; class++)
		l->room_pkts[class] = receive_room_pkts(&l->receiver, class);
	for (uint32_t flow = 0; flow < l->ingress.n_flows; flow++)
		if ((l->ingress.ready >> flow & 1) && l->room_pkts[l->ingress.class_of[flow]] == 0)
			blocked |= 1ULL << flow;
	return blocked;
}

/* Until the next heartbeat, or until a session is due to end. */
static int sleep_ms(const struct ingress_loop *l, uint64_t now)
{
	uint64_t most_ns = l->stage.config.heartbeat_ms * NS_PER_MS, due_ns;

	for (uint32_t i = 0; i < l->receiver.n_ways_back; i++) {
		due_ns = sessions_due_ns(&l->receiver.sessions[i], now);
		if (due_ns < now + most_ns)
			most_ns = due_ns > now ? due_ns - now : 0;
	}
	return (int)((most_ns + NS_PER_MS - 1) / NS_PER_MS);
}

/* Nothing to do: wait for a datagram, or for room when a lane is full. */
static void sleep_until_input(struct ingress_loop *l, uint64_t blocked, uint64_t now)
{
	struct stage *s = &l->stage;
	int timeout_ms = sleep_ms(l, now);

	if (!blocked) {
		if (stage_spin(s, has_input, l))
			return;
		s->parks++;
		look(l, timeout_ms);
		return;
	}
	mute(l, blocked);
	bell_announce(&s->self->parked, PARKED_FOR_SPACE);
	if (update_room(l) == blocked) {
		s->parks++;
		look(l, s->space_fd >= 0 ? timeout_ms : SPACE_POLL_MS);
	}
	bell_awake(&s->self->parked);
	l->ingress.ready |= blocked;
}

static void ring_edf(struct stage *s)
{
	struct ingress_loop *l = loop_of(s);

	if (l->unrung_pkts == 0)
		return;
	l->unrung_pkts = 0;
	stage_ring(s, STAGE_EDF, PARKED);
}

static void step(struct stage *s)
{
	struct ingress_loop *l = loop_of(s);
	uint64_t blocked, now = now_ns();
	uint32_t bytes, got, n;
	struct fair *fair;
	int flow;

	if (l->ingress.n_flows > 1 && l->ingress.ready && l->unlooked_pkts >= BATCH)
		look(l, 0);
	if (now >= l->drops_due_ns) {
		receive_ask_drops(&l->receiver, &l->ingress);
		l->drops_due_ns = now + l->stage.config.heartbeat_ms * NS_PER_MS / 2;
		inputs_look(&l->inputs, &l->stage, &l->ingress, l->receiver.listening, now);
	}
	for (uint32_t i = 0; i < l->receiver.n_ways_back; i++)
		sessions_end_idle(&l->receiver.sessions[i], now);
	blocked = update_room(l);
	if (l->muted & ~blocked)
		mute(l, l->muted & blocked);
	flow = ingress_pick(&l->ingress, l->room_pkts);
	stage_beat(&l->stage, now, flow >= 0);
	if (flow < 0) {
		ring_edf(s);
		sleep_until_input(l, blocked, now);
		return;
	}
	if (!receive_is_due(&l->receiver, &l->ingress, flow)) {
		ingress_charge(&l->ingress, flow, 0, 1);
		return;
	}
	fair = l->receiver.fair[flow];
	if (fair)
		l->ingress.asks_pkts[flow] = fair->asks_pkts[fair->bucket];
	n = ingress_asks_pkts(&l->ingress, flow, l->room_pkts[l->ingress.class_of[flow]]);
	got = receive_batch(&l->receiver, &l->ingress, flow, n, &bytes);
	ingress_learn(&l->ingress, flow, n, got);
	if (fair) {
		fair->asks_pkts[fair->bucket] = l->ingress.asks_pkts[flow];
		fair_read(fair, bytes, got, l->receiver.emptied);
	}
	/* Where there is more, the others may have some too; and they may have some after a few calls. */
	l->unlooked_pkts += l->receiver.emptied ? got + BATCH / MOST_CALLS : BATCH;
	ingress_charge(&l->ingress, flow, bytes + got,
		       receive_drained(&l->receiver, &l->ingress, flow, l->receiver.emptied));
	l->unrung_pkts += got;
	if (l->unrung_pkts >= (l->receiver.came_in_trains ? RING_TRAIN_PKTS : RING_PKTS) || !l->ingress.ready)
		ring_edf(s);
}

/* USR1: stop once every socket has been seen empty. */
static int is_drained(struct stage *s)
{
	struct ingress_loop *l = loop_of(s);

	if (l->drain_until_ns == 0)
		l->drain_until_ns = now_ns() + DRAIN_NS;
	look(l, 0);
	return l->ingress.ready == 0 || now_ns() > l->drain_until_ns;
}

static void reload(struct stage *s)
{
	struct ingress_loop *l = loop_of(s);
	uint64_t ready = l->ingress.ready;

	ingress_init(&l->ingress, &l->stage.config);
	l->ingress.ready = ready;
	receive_apply(&l->receiver);
	for (uint32_t i = 0; i < l->receiver.n_ways_back; i++)
		sessions_apply(&l->receiver.sessions[i]);
	inputs_apply(&l->inputs, s, &l->ingress, l->receiver.listening);
}

static int open_loop(struct stage *s)
{
	struct ingress_loop *l = loop_of(s);
	int status;

	ingress_init(&l->ingress, &s->config);
	status = receive_init(&l->receiver, s, &l->ingress);
	if (!status)
		status = open_sockets(l);
	if (status)
		return status;
	l->ingress.ready = receive_waiting(&l->receiver);
	train_open(&l->receiver, &l->ingress);
	inputs_open(&l->inputs, s, &l->ingress, l->receiver.listening);
	inputs_apply(&l->inputs, s, &l->ingress, l->receiver.listening);
	receive_begin_drops(&l->receiver, &l->ingress);
	return 0;
}

static void close_loop(struct stage *s)
{
	struct ingress_loop *l = loop_of(s);

	for (uint32_t flow = 0; flow < MAX_FLOWS; flow++) {
		fair_close(l->receiver.fair[flow]);
		l->receiver.fair[flow] = NULL;
	}
	if (l->epoll_fd > 0)
		close(l->epoll_fd);
	l->epoll_fd = 0;
}

const struct stage_ops ingress_ops = { STAGE_INGRESS, open_loop,  reload,	  step, ring_edf,
				       is_drained,    close_loop, &ingress_calls, NULL };
