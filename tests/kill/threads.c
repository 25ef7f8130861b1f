/*
 * threads.c - the three stages as threads of one process, for ThreadSanitizer (make SAN=thread): it sees every pair of
 * accesses to the segment that no ORDER edge puts in order.
 *
 * Memory:  stages map the segment each for themselves, which would hide their races: mmap() is wrapped at link time,
 *          and gives all threads the first mapping of a file.
 * Rules:   real sockets, sizes and classes as in the storm; an observer reads the account all the while.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "edf/loop.h"
#include "egress/loop.h"
#include "ingress/loop.h"
#include "hold/sockets.h"
#include "traffic/sink.h"
#include "harness/harness.h"
#include "log.h"

#define N_PKTS 20000
#define OUTSTANDING_PKTS 400
#define CATCH_UP_NS (10 * NS_PER_S)
#define SMALLEST_MAPPING (64u << 10)

void *__real_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset);
int __real_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes);

static pthread_mutex_t mapping_lock = PTHREAD_MUTEX_INITIALIZER;
static void *mapping; /* of the one segment */
static char *arguments[16];
static int n_arguments;
static _Atomic int stop_observing;

void *__wrap_mmap(void *at, size_t bytes, int prot, int flags, int fd, off_t offset)
{
	void *got;

	if (fd < 0 || flags != MAP_SHARED || bytes < SMALLEST_MAPPING)
		return __real_mmap(at, bytes, prot, flags, fd, offset);
	pthread_mutex_lock(&mapping_lock);
	if (!mapping)
		mapping = __real_mmap(at, bytes, PROT_READ | PROT_WRITE, flags, fd, offset);
	got = mapping;
	pthread_mutex_unlock(&mapping_lock);
	return got;
}

int __wrap_munmap(void *at, size_t bytes)
{
	return at == mapping ? 0 : __real_munmap(at, bytes);
}

/* A stage, for its thread. */
struct runner {
	const struct stage_ops *ops;
	struct stage *stage;
};

static void *run_stage(void *arg)
{
	static int failed = 1;
	const struct runner *r = arg;

	return stage_run(r->ops, r->stage, n_arguments, arguments) ? &failed : NULL;
}

static void *observe(void *arg)
{
	const struct segment *seg = arg;
	static int unbalanced;
	void *verdict = NULL;

	while (!atomic_load_explicit(&stop_observing, memory_order_relaxed)) /* relaxed: only a flag */
		for (uint32_t i = 0; i < seg->n_classes; i++) {
			struct account a;

			if (account_read(seg, i, &a) == 0 && a.unbalanced_pkts)
				verdict = &unbalanced;
		}
	return verdict;
}

static void send_all(struct flow *flows, uint32_t n_flows)
{
	static uint8_t payload[MAX_LOAD_BYTES];

	for (uint32_t i = 0; i < N_PKTS; i++) {
		struct flow *f = &flows[i % n_flows];
		uint32_t bytes = packet_bytes(&f->sizes, f->sent_pkts);

		for (uint64_t until_ns = now_ns() + CATCH_UP_NS;
		     flow_lost_pkts(f) > OUTSTANDING_PKTS && now_ns() < until_ns;)
			pass_time(200 * NS_PER_US);
		packet_fill(payload, bytes, f->sent_pkts, now_ns());
		if (send(f->out_fd[0], payload, bytes, 0) == (ssize_t)bytes)
			atomic_fetch_add_explicit(&f->sent_pkts, 1, memory_order_relaxed); /* relaxed: one writer */
	}
}

/* Returns how much is wrong: 0 for nothing. */
static uint64_t judge(const struct segment *seg, const struct flow *flows)
{
	uint64_t wrong = 0;

	for (uint32_t i = 0; i < seg->n_classes; i++) {
		const struct flow *f = &flows[i];
		struct account a;

		account_read(seg, i, &a);
		wrong += (flow_lost_pkts(f) != 0) + f->doubled_pkts + f->reordered_pkts + f->corrupt_pkts +
			 (a.unbalanced_pkts != 0) + a.held_pkts + (a.sent_pkts != f->sent_pkts);
	}
	return wrong;
}

int main(void)
{
	static struct ingress_loop ingress_loop;
	static struct edf_loop edf_loop;
	static struct egress_loop egress_loop;
	static struct runner stages[N_STAGES] = { { &ingress_ops, &ingress_loop.stage },
						  { &edf_ops, &edf_loop.stage },
						  { &egress_ops, &egress_loop.stage } };
	static struct config config;
	static struct flow flows[MAX_CLASSES];
	static struct sockets sockets;
	static struct sink sink;
	struct segment seg;
	pthread_t threads[N_STAGES], sink_thread, observer;
	char why[WHY_BYTES];
	uint64_t wrong = 0;
	void *result;

	log_set_name("threads");
	n_arguments = harness_arguments(arguments, "threads");
	arguments[n_arguments++] = (char *)"--fifo=off"; /* the stages are this process */
	arguments[n_arguments] = NULL;
	if (config_load(&config, NULL, n_arguments, arguments, why, sizeof(why)) || sockets_open(&sockets, &config) ||
	    segment_create(&seg, &config, sockets.cookies, sockets.n - sockets.n_uncounted, why)) {
		log_error("set up: %s", why);
		return 1;
	}
	seg.fd = harness_move_fd(seg.fd);
	if (sockets_hand_on(&sockets))
		return 1;
	for (uint32_t i = 0; i < config.n_classes; i++) {
		struct packet_sizes sizes = { i, 0, i % 2 ? MAX_LOAD_BYTES : 40, 16, 200 };

		if (flow_open(&flows[i], &config.classes[i], &sizes, 1, FLOW_SENDS | FLOW_RECEIVES))
			return 1;
	}
	sink_start(&sink, flows, config.n_classes, &sink_thread);
	pthread_create(&observer, NULL, observe, &seg);
	for (int i = 0; i < N_STAGES; i++)
		pthread_create(&threads[i], NULL, run_stage, &stages[i]);
	for (int i = 0; i < N_STAGES; i++)
		while (atomic_load_explicit(&seg.shared->stages[i].state, memory_order_relaxed) != STATE_READY)
			pass_time(NS_PER_MS);
	segment_remove(config.instance); /* all have it: nothing is left behind, however this ends */
	send_all(flows, config.n_classes);
	sink_finish(&sink, sink_thread, CATCH_UP_NS);
	kill(getpid(), SIGTERM);
	for (int i = 0; i < N_STAGES; i++) {
		pthread_join(threads[i], &result);
		wrong += result != NULL;
	}
	atomic_store_explicit(&stop_observing, 1, memory_order_relaxed);
	pthread_join(observer, &result);
	wrong += result != NULL;
	wrong += judge(&seg, flows);
	printf("%s three stages as threads relay %d datagrams whole and in order\n", wrong ? "FAIL" : "ok", N_PKTS);
	printf("threads: %d passed, %d failed, 0 skipped\n", !wrong, wrong != 0);
	return wrong != 0;
}
