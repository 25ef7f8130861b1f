/*
 * voice.c - one voice stream beside a flood: what a relay adds to each datagram of voice, told apart from what the
 * source adds.
 *
 * usage: voice CONFIG VOICE-PPS FLOOD-PPS SECONDS     the config's first class is voice, its second the flood
 *
 * Prints: of voice sent, received, on time, us p50, p99, p99.9 and max; us p99 that its source was late; of the flood
 * sent, received.
 *
 * Rules:   time counts from the send call to the kernel's receive stamp at the destination, so neither a source nor a
 *          sink that waits for its CPU shows in it. Where real time is allowed, voice has it before the sink; the flood
 *          is ordinary, since what takes all of a CPU in real time is held up by the kernel for 50 ms a second, and
 *          voice with it.
 *          The flood is open loop in calls of UDP_SEGMENT; what its source could not send in time is left out, not sent
 *          later.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <netinet/udp.h>

#include "traffic/sink.h"
#include "clock.h"
#include "log.h"
#include "shm/segment.h"

#define VOICE_BYTES 160
#define FLOOD_BYTES 64
#define CALL_PKTS 64 /* the kernel's limit of one UDP_SEGMENT call on older kernels */
#define PAUSE_NS (100 * NS_PER_US)
#define LATE_NS NS_PER_MS
#define PATIENCE_NS NS_PER_S
#define PRIORITY 30

static struct flow flows[2];
static struct config config;
static _Atomic int stop;

static void take_priority(int above)
{
	struct sched_param p = { .sched_priority = PRIORITY + above };

	sched_setscheduler(0, SCHED_FIFO, &p); /* or not: then all of it is ordinary */
}

static void sleep_until(uint64_t at_ns)
{
	struct timespec t = { (time_t)(at_ns / NS_PER_S), (long)(at_ns % NS_PER_S) };

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

/* relaxed, here and below: read when the threads have ended, or to see how far it is */
static void count_sent(struct flow *f, uint32_t n)
{
	f->sent_timed_pkts += n;
	atomic_store_explicit(&f->sent_pkts, f->sent_pkts + n, memory_order_relaxed);
}

static void fill(const struct flow *f, uint8_t *to, uint32_t bytes, uint32_t i, uint64_t at_ns)
{
	packet_fill_stream(to, bytes, f->stream, f->sent_pkts + i, at_ns);
}

static int send_call(struct flow *f, uint8_t *payload, uint32_t n)
{
	char control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
	uint16_t size = FLOOD_BYTES;
	struct iovec v = { payload, (size_t)n * FLOOD_BYTES };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(c), &size, sizeof(size));
	return sendmsg(f->out_fd[0], &m, 0) == (ssize_t)v.iov_len;
}

static void *run_flood(void *arg)
{
	static uint8_t payload[CALL_PKTS * FLOOD_BYTES];
	struct flow *f = &flows[1];
	double gap_ns = 1e9 / *(const double *)arg, due_ns = (double)now_ns();

	while (!atomic_load_explicit(&stop, memory_order_relaxed)) { /* relaxed: only a flag */
		uint64_t now = now_ns();
		uint32_t n = 0;

		if ((double)now > due_ns + LATE_NS)
			due_ns = (double)now;
		for (; n < CALL_PKTS && due_ns <= (double)now; n++, due_ns += gap_ns)
			fill(f, payload + n * FLOOD_BYTES, FLOOD_BYTES, n, now);
		if (n == 0) {
			sleep_until(now + PAUSE_NS);
			continue;
		}
		flow_hand(f, n, now);
		if (send_call(f, payload, n))
			count_sent(f, n);
	}
	return NULL;
}

/* Returns how late the source was in 99 of 100 sends. */
static uint64_t run_voice(double pps, double seconds)
{
	static uint64_t late[HISTOGRAM_BUCKETS];
	struct flow *f = &flows[0];
	uint64_t gap_ns = (uint64_t)(1e9 / pps), due_at_ns = now_ns() + gap_ns,
		 until_ns = due_at_ns + (uint64_t)(seconds * 1e9);
	uint8_t payload[VOICE_BYTES];

	take_priority(1);
	for (; due_at_ns < until_ns; due_at_ns += gap_ns) {
		uint64_t now;

		sleep_until(due_at_ns);
		now = now_ns();
		late[histogram_bucket(now - due_at_ns)]++;
		fill(f, payload, VOICE_BYTES, 0, now);
		flow_hand(f, 1, now);
		if (send(f->out_fd[0], payload, VOICE_BYTES, 0) == VOICE_BYTES)
			count_sent(f, 1);
	}
	return histogram_percentile(late, 990000);
}

static double us_of(const struct flow *f, uint32_t per_million)
{
	uint64_t ns = histogram_percentile(f->relay, per_million);

	return (double)(ns < f->relay_max_ns ? ns : f->relay_max_ns) / 1e3;
}

static void report(uint64_t late_ns)
{
	struct flow *v = &flows[0], *f = &flows[1];

	printf("%llu %llu %llu %.0f %.0f %.0f %.0f %.0f %llu %llu\n", (unsigned long long)v->sent_pkts,
	       (unsigned long long)v->received_pkts, (unsigned long long)v->on_time_pkts, us_of(v, 500000),
	       us_of(v, 990000), us_of(v, 999000), (double)v->relay_max_ns / 1e3, (double)late_ns / 1e3,
	       (unsigned long long)f->sent_pkts, (unsigned long long)f->received_pkts);
}

static int open_flows(void)
{
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t bytes = i ? FLOOD_BYTES : VOICE_BYTES;
		struct packet_sizes sizes = { i, bytes, bytes, 0, 0 };

		flows[i].beside = flows;
		flows[i].n_beside = i;
		if (flow_open(&flows[i], &config.classes[i], &sizes, 1, FLOW_SENDS | FLOW_RECEIVES))
			return -1;
		flow_reset(&flows[i], (uint32_t)getpid() << STREAM_RUN_SHIFT | i);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct sink sink;
	pthread_t flood, sink_thread;
	char why[WHY_BYTES];
	uint64_t late_ns;
	double flood_pps;

	log_set_name("voice");
	if (argc != 5 || atof(argv[2]) <= 0 || atof(argv[3]) <= 0) {
		log_error("usage: voice CONFIG VOICE-PPS FLOOD-PPS SECONDS");
		return 2;
	}
	if (config_load(&config, argv[1], 0, NULL, why, sizeof(why)) || config.n_classes != 2) {
		log_error("%s: %s", argv[1], config.n_classes == 2 ? why : "two classes are wanted");
		return 1;
	}
	flood_pps = atof(argv[3]);
	prctl(PR_SET_TIMERSLACK, 1UL);
	if (open_flows() || pthread_create(&flood, NULL, run_flood, &flood_pps))
		return 1;
	take_priority(0); /* the sink's thread inherits it */
	if (sink_start(&sink, flows, 2, &sink_thread))
		return 1;
	late_ns = run_voice(atof(argv[2]), atof(argv[4]));
	atomic_store_explicit(&stop, 1, memory_order_relaxed); /* relaxed: only a flag */
	pthread_join(flood, NULL);
	sink_finish(&sink, sink_thread, PATIENCE_NS);
	report(late_ns);
	return 0;
}
