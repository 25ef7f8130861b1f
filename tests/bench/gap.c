/*
 * gap.c - how long nothing arrives when a stage of a running instance is killed or restarted under load.
 *
 * usage: bench_gap CONFIG STAGE ROUNDS [COMMAND...]     without a command the stage gets SIGKILL
 *
 * Rules:   four classes in turn at 20,000 packets/s. Each round takes the longest time between two arrivals of a class
 *          from the kill to 50 ms later, and in the 50 ms before, when nothing happens: what the machine adds on its
 *          own. Of the same class comes the time from the kill to the first packet after that gap.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "traffic/sink.h"
#include "clock.h"
#include "harness/harness.h"
#include "log.h"

#define RATE_PPS 20000
#define WINDOW_NS (50 * NS_PER_MS)
#define MOST_ROUNDS 1000

static struct flow flows[MAX_CLASSES];
static struct config config;
static _Atomic int stop;

static void *run_source(void *arg)
{
	uint64_t due_ns = now_ns(), now;
	uint8_t payload[MAX_LOAD_BYTES];

	(void)arg;
	for (uint32_t i = 0; !atomic_load_explicit(&stop, memory_order_relaxed); i++) { /* relaxed: only a flag */
		struct flow *f = &flows[i % config.n_classes];
		uint32_t bytes = packet_bytes(&f->sizes, f->sent_pkts);

		now = now_ns();
		if (now < due_ns)
			pass_time(due_ns - now);
		packet_fill(payload, bytes, f->sent_pkts, due_ns);
		if (send(f->out_fd[0], payload, bytes, 0) == (ssize_t)bytes)
			atomic_fetch_add_explicit(&f->sent_pkts, 1, memory_order_relaxed);
		due_ns += NS_PER_S / RATE_PPS;
	}
	return NULL;
}

/* The longest gap of any class since the last call; *end_at_ns: when it ended. */
static uint64_t take_gap_ns(uint64_t *end_at_ns)
{
	uint64_t most = 0;

	for (uint32_t i = 0; i < config.n_classes; i++) {
		uint64_t gap_ns = atomic_exchange_explicit(&flows[i].gap_max_ns, 0, memory_order_relaxed);

		if (gap_ns <= most)
			continue;
		most = gap_ns;
		*end_at_ns = atomic_load_explicit(&flows[i].gap_end_at_ns, memory_order_relaxed);
	}
	return most;
}

static void strike(const struct segment *seg, enum stage_id id, char **command)
{
	pid_t child;

	if (!command[0]) {
		kill((pid_t)atomic_load_explicit(&seg->shared->stages[id].pid, memory_order_relaxed), SIGKILL);
		return;
	}
	child = fork();
	if (child == 0) {
		execvp(command[0], command);
		_exit(127);
	}
	waitpid(child, NULL, 0);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

struct rounds {
	uint64_t before_ns[MOST_ROUNDS], gap_ns[MOST_ROUNDS], first_ns[MOST_ROUNDS];
	size_t n;
};

static double at_ms(uint64_t *values_ns, size_t n, size_t i)
{
	qsort(values_ns, n, sizeof(*values_ns), compare);
	return (double)values_ns[i] / 1e6;
}

static void print_row(const char *stage, const char *how, struct rounds *r)
{
	size_t n = r->n;
	int64_t lost = 0;

	for (uint32_t i = 0; i < config.n_classes; i++)
		lost += flow_lost_pkts(&flows[i]);
	printf("%-14s %-8s %6.2f %6.2f %6.2f %9.2f %13.2f %6.2f %6lld\n", how, stage, at_ms(r->gap_ns, n, n / 2),
	       at_ms(r->gap_ns, n, n * 9 / 10), at_ms(r->gap_ns, n, n - 1), at_ms(r->first_ns, n, n / 2),
	       at_ms(r->before_ns, n, n / 2), at_ms(r->before_ns, n, n - 1), (long long)lost);
}

static void run_round(struct rounds *r, const struct segment *seg, enum stage_id id, char **command)
{
	uint64_t struck_at_ns, end_at_ns = 0;

	take_gap_ns(&end_at_ns);
	pass_time(WINDOW_NS);
	r->before_ns[r->n] = take_gap_ns(&end_at_ns);
	struck_at_ns = now_ns();
	strike(seg, id, command);
	pass_time(WINDOW_NS);
	r->gap_ns[r->n] = take_gap_ns(&end_at_ns);
	r->first_ns[r->n++] = end_at_ns > struck_at_ns ? end_at_ns - struck_at_ns : 0;
	pass_time(NS_PER_S); /* a stage that lived a second did not die quickly: no back-off */
}

int main(int argc, char **argv)
{
	static struct rounds rounds;
	static struct sink sink;
	size_t n_rounds = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
	int id = 0;
	pthread_t source_thread, sink_thread;
	struct segment seg;
	char why[WHY_BYTES];

	log_set_name("bench_gap");
	while (argc > 2 && id < N_STAGES && strcmp(stage_name((enum stage_id)id), argv[2]) != 0)
		id++;
	if (n_rounds == 0 || n_rounds > MOST_ROUNDS || id == N_STAGES) {
		log_error("usage: bench_gap CONFIG ingress|edf|egress ROUNDS [COMMAND...]");
		return 2;
	}
	if (config_load(&config, argv[1], 0, NULL, why, sizeof(why)) || segment_observe(&seg, config.instance, why)) {
		log_error("%s", why);
		return 1;
	}
	for (uint32_t i = 0; i < config.n_classes; i++) {
		struct packet_sizes sizes = { i, 0, MAX_LOAD_BYTES, 0, 0 };

		if (flow_open(&flows[i], &config.classes[i], &sizes, 1, FLOW_SENDS | FLOW_RECEIVES))
			return 1;
	}
	sink_start(&sink, flows, config.n_classes, &sink_thread);
	pthread_create(&source_thread, NULL, run_source, NULL);
	pass_time(NS_PER_S / 2);
	while (rounds.n < n_rounds)
		run_round(&rounds, &seg, (enum stage_id)id, argv + 4);
	atomic_store_explicit(&stop, 1, memory_order_relaxed);
	pthread_join(source_thread, NULL);
	sink_finish(&sink, sink_thread, NS_PER_S);
	print_row(argv[2], argc > 4 ? argv[4] : "kill -9", &rounds);
	return 0;
}
