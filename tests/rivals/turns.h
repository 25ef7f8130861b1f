/*
 * turns.h - the source and the sink of rivals.c, and what its relays use.
 *
 * Rules:   one thread does all of it. A packet is counted in the turn in which it was sent, or nowhere.
 *          Latency: from the call that sends to the kernel's stamp at the sink; of a train, each packet's from the one
 *          call.
 */
#ifndef ONTIME_TESTS_TURNS_H
#define ONTIME_TESTS_TURNS_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "units.h"

#define FLOWS 4
#define MOST_RELAYS 16
#define MOST_PIDS 16
#define MOST_SAMPLES (1u << 17) /* per turn */
#define SENT_WINDOW (1u << 15) /* more than a flow has under way */
#define SUPER_BYTES 65000u
#define BATCH_MSGS 64
#define BATCH_SUPERS 8
#define PLAIN_ROOM 2048
#define SUPER_ROOM 65536

struct relay {
	char name[32];
	char to[32], at[32];
	int to_port, at_port, source_ns, sink_ns;
	uint32_t n_stopped, n_pids, burst_pkts;
	pid_t pids[MOST_PIDS];
	int out[FLOWS], in[FLOWS];
};

struct use {
	uint64_t cpu_ns, voluntary, involuntary;
};

struct turn {
	uint32_t id, flow; /* flow: the next to send to */
	uint64_t sent, received;
	uint64_t sent_of[FLOWS], next_of[FLOWS], misplaced; /* misplaced: came again, or after a later one */
	uint32_t n_latencies, n_calls;
	uint32_t latency_ns[MOST_SAMPLES], call_ns[MOST_SAMPLES];
	uint64_t sent_at_ns[FLOWS][SENT_WINDOW]; /* by sequence, CLOCK_REALTIME as the kernel's stamps */
};

struct bench {
	int is_saturated, is_gro, cpu;
	double steal_most; /* of a CPU, in a round that counts */
	uint32_t bytes, train, rate, turn_ms;
	uint32_t n_relays;
	struct relay relays[MOST_RELAYS];
	uint64_t carried; /* to any turn's sink, counted or not */
	struct turn turn;
	struct mmsghdr msgs[BATCH_MSGS];
	struct iovec vectors[BATCH_MSGS];
	uint8_t control[BATCH_MSGS][128];
	uint8_t in[BATCH_SUPERS * SUPER_ROOM]; /* or BATCH_MSGS times PLAIN_ROOM */
	uint8_t out[SUPER_BYTES];
};

/* give_up - one line about what could not be done, with errno, and the end. */
void give_up(const char *what) __attribute__((noreturn));

/* turns_open - the sockets of all relays. */
void turns_open(struct bench *b);

/* turn_begin - counts start at 0; what was sent before is not counted any more. */
void turn_begin(struct turn *t);

/* turn_send - the next n packets, all of one flow and in one call; the next call is the next flow's. */
void turn_send(struct bench *b, const struct relay *r, uint32_t n);

/* turn_take - what has come. */
void turn_take(struct bench *b, const struct relay *r);

/* turn_drain - until all has come, or nothing does any more, and the relay sleeps. */
void turn_drain(struct bench *b, const struct relay *r);

/* use_of - of all processes of a relay so far. */
struct use use_of(const struct relay *r);

/* steal_of - ticks that the hypervisor took from a CPU so far. */
uint64_t steal_of(int cpu);

#endif
