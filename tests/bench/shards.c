/*
 * shards.c - one round of tests/bench/shards.sh: ingress of each shard is stopped, many senders fill its sockets, then
 * it goes on, and the time until all is sent is taken. Nobody else works meanwhile: what the relay sends is dropped at
 * a socket that is full.
 *
 * usage: shards INSTANCE PORT PACKETS BYTES SENDERS     prints wall and CPU ns per packet, and the largest shard's part
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "look/view.h"
#include "shm/lock.h"
#include "stage/waits.h"

#define MOST_SENDERS 1024
#define LOOK_NS 100000
#define PATIENCE_NS (10 * NS_PER_S)

static struct segment parts[MOST_SHARDS];
static int senders[MOST_SENDERS];

static void fail(const char *what)
{
	fprintf(stderr, "shards: %s\n", what);
	exit(1);
}

static void open_parts(const char *instance)
{
	char why[WHY_BYTES];

	if (segment_observe(&parts[0], instance, why))
		fail(why);
	for (uint32_t k = 1; k < parts[0].n_shards; k++)
		if (segment_observe_shard(&parts[k], &parts[0], k, why))
			fail(why);
}

static uint64_t sent_pkts(uint32_t k)
{
	return lane_sent(parts[k].views[0].lane) >> COUNT_SHIFT;
}

static uint64_t all_sent_pkts(void)
{
	uint64_t sum = 0;

	for (uint32_t k = 0; k < parts[0].n_shards; k++)
		sum += sent_pkts(k);
	return sum;
}

static uint64_t cpu_ns(void)
{
	uint64_t sum = 0;

	for (uint32_t k = 0; k < parts[0].n_shards; k++)
		for (int id = 0; id < N_STAGES; id++) {
			struct waits w = { 0 };

			waits_read((uint32_t)segment_stage_pid(&parts[k], (enum stage_id)id), &w);
			sum += w.cpu_ns;
		}
	return sum;
}

static void signal_ingress(int sig)
{
	for (uint32_t k = 0; k < parts[0].n_shards; k++)
		if (kill(segment_stage_pid(&parts[k], STAGE_INGRESS), sig) < 0)
			fail("no ingress");
}

static void fill(uint16_t port, uint32_t n, size_t bytes, uint32_t n_senders)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	static uint8_t payload[1472];

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (uint32_t i = 0; i < n_senders; i++) {
		senders[i] = socket(AF_INET, SOCK_DGRAM, 0);
		if (connect(senders[i], (const struct sockaddr *)&to, sizeof(to)) < 0)
			fail("connect");
	}
	for (uint32_t i = 0; i < n; i++)
		if (send(senders[i % n_senders], payload, bytes, 0) < 0)
			fail("send");
}

int main(int argc, char **argv)
{
	struct timespec pause = { .tv_nsec = LOOK_NS };
	uint64_t before[MOST_SHARDS], sum, began_ns, cpu_before_ns, most = 0;
	uint32_t n, n_senders;

	if (argc != 6)
		fail("usage: shards INSTANCE PORT PACKETS BYTES SENDERS");
	n = (uint32_t)strtoul(argv[3], NULL, 10);
	n_senders = (uint32_t)strtoul(argv[5], NULL, 10);
	if (n == 0 || n_senders == 0 || n_senders > MOST_SENDERS)
		fail("so many cannot be");
	open_parts(argv[1]);
	signal_ingress(SIGSTOP);
	fill((uint16_t)strtoul(argv[2], NULL, 10), n, strtoul(argv[4], NULL, 10), n_senders);
	for (uint32_t k = 0; k < parts[0].n_shards; k++)
		before[k] = sent_pkts(k);
	sum = all_sent_pkts();
	cpu_before_ns = cpu_ns();
	began_ns = now_ns();
	signal_ingress(SIGCONT);
	while (all_sent_pkts() - sum < n && now_ns() - began_ns < PATIENCE_NS)
		nanosleep(&pause, NULL);
	if (all_sent_pkts() - sum < n)
		fail("not all was sent: the sockets had no room for it");
	began_ns = now_ns() - began_ns;
	for (uint32_t k = 0; k < parts[0].n_shards; k++)
		most = sent_pkts(k) - before[k] > most ? sent_pkts(k) - before[k] : most;
	printf("%llu %llu %.3f\n", (unsigned long long)(began_ns / n),
	       (unsigned long long)((cpu_ns() - cpu_before_ns) / n), (double)most / n);
	return 0;
}
