/*
 * rivals.c - one source and one sink for many relays that stay up, a turn each: what a packet costs each of them, and
 * how long it takes.
 *
 * usage: rivals check|saturated|RATE BYTES plain|trains plain|gro ROUNDS TURN-MS CPU STEAL     a relay per line of
 * standard input:
 *        NAME TO-ADDRESS TO-PORT AT-ADDRESS AT-PORT SOURCE-NS SINK-NS N-STOPPED [PID]...
 *
 * Rules:   FLOWS flows, on neighbouring ports. Sockets are opened in the network namespaces of the processes SOURCE-NS
 *          and SINK-NS; 0: here.
 *          saturated: the first N-STOPPED processes are stopped while their sockets are filled; then they work that
 *          off. RATE: in a steady schedule, in trains of PACED_TRAIN with UDP_SEGMENT if asked for. Each turn begins
 *          with some packets that do not count.
 *          A relay does nothing between its turns, because nothing is sent to it. The order moves on by one each round.
 *          A round in which the hypervisor took more than STEAL percent of this CPU or of CPU, which is the relays',
 *          counts as discarded.
 *          Rounds are repeated for it, until as many have been run as were asked for, twice over.
 * Prints:  a line per turn: ROUND kept|discarded NAME sent received misplaced CPU-ns voluntary involuntary SEND-NS p50
 *          p99 p99.9.
 *          SEND-NS: of a packet in the call that sends, the median. CPU and switches are those of all its PIDs. Latency
 *          in ns, from the call that sends to the kernel's stamp at the sink; where a turn has too few packets for a
 *          quantile, the greatest. At the end: `carried` and how many packets in all, with those that do not count.
 *          check: the names of those that carry packets.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "turns.h"
#include "clock.h"
#include "traffic/packet.h"

#define BURST_PKTS 8192u /* at most, that stopped sockets are filled with */
#define LEAST_BURST_PKTS 256u
#define WARM_PKTS 1024u
#define WARM_MS 10
#define FULL_TRAIN 64u /* the most that every kernel with UDP_SEGMENT takes */
#define PACED_TRAIN 16u
#define LOOK_NS NS_PER_MS /* the sink looks that often while packets are sent */

static void signal_stopped(const struct relay *r, int sig)
{
	for (uint32_t i = 0; i < r->n_stopped; i++)
		kill(r->pids[i], sig);
}

/* Stopped sockets are filled, and worked off. */
static void run_burst(struct bench *b, const struct relay *r, uint32_t pkts)
{
	uint64_t until = b->turn.sent + pkts;

	signal_stopped(r, SIGSTOP);
	while (b->turn.sent < until)
		turn_send(b, r, b->train);
	signal_stopped(r, SIGCONT);
	turn_drain(b, r);
}

static void run_saturated(struct bench *b, const struct relay *r)
{
	uint64_t until_ns = now_ns() + b->turn_ms * NS_PER_MS;

	do
		run_burst(b, r, r->burst_pkts);
	while (now_ns() < until_ns);
}

/* What a source that lost its CPU could not send in time is not sent at once, but left out. */
static void run_paced(struct bench *b, const struct relay *r, uint32_t ms)
{
	uint64_t step_ns = NS_PER_S * b->train / b->rate, now = now_ns(), due_ns = now, looked_ns = now;
	uint64_t until_ns = now + ms * NS_PER_MS;

	while ((now = now_ns()) < until_ns) {
		if (now >= due_ns) {
			turn_send(b, r, b->train);
			due_ns = (due_ns + LOOK_NS < now ? now : due_ns) + step_ns;
		} else if (now - looked_ns > LOOK_NS) {
			turn_take(b, r);
			looked_ns = now;
		}
	}
	turn_drain(b, r);
}

/* A burst that went through whole, but slowly, is cut to what the relay does in half a turn. */
static uint32_t cut_to_turn(const struct bench *b, uint32_t pkts, uint64_t took_ns)
{
	uint64_t room_ns = b->turn_ms * NS_PER_MS / 2;

	return took_ns <= room_ns ? pkts : (uint32_t)(pkts * room_ns / took_ns);
}

/* How many packets the relay's sockets hold. Its first packets: sessions are opened for them. */
static void size_burst(struct bench *b, struct relay *r)
{
	uint32_t step = FLOWS * b->train, pkts = BURST_PKTS;

	turn_begin(&b->turn);
	run_burst(b, r, LEAST_BURST_PKTS);
	while (pkts > LEAST_BURST_PKTS) {
		uint64_t began_ns = now_ns();

		turn_begin(&b->turn);
		run_burst(b, r, pkts);
		if (b->turn.received >= b->turn.sent) {
			pkts = cut_to_turn(b, pkts, now_ns() - began_ns);
			break;
		}
		pkts = (uint32_t)b->turn.received * 3 / 4;
	}
	pkts = pkts < LEAST_BURST_PKTS ? LEAST_BURST_PKTS : pkts;
	r->burst_pkts = pkts < step ? step : pkts - pkts % step;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t quantile(uint32_t *values, uint32_t n, double q)
{
	qsort(values, n, sizeof(*values), compare);
	return n ? values[(uint32_t)((n - 1) * q + 0.999999)] : 0;
}

static void print_turn(struct turn *t, const struct relay *r, const struct use *before, char *line, size_t room)
{
	struct use after = use_of(r);

	snprintf(line, room, "%s %llu %llu %llu %llu %llu %llu %u %u %u %u", r->name, (unsigned long long)t->sent,
		 (unsigned long long)t->received, (unsigned long long)t->misplaced,
		 (unsigned long long)(after.cpu_ns - before->cpu_ns),
		 (unsigned long long)(after.voluntary - before->voluntary),
		 (unsigned long long)(after.involuntary - before->involuntary), quantile(t->call_ns, t->n_calls, 0.5),
		 quantile(t->latency_ns, t->n_latencies, 0.5), quantile(t->latency_ns, t->n_latencies, 0.99),
		 quantile(t->latency_ns, t->n_latencies, 0.999));
}

static void run_turn(struct bench *b, struct relay *r, char *line, size_t room)
{
	struct use before;

	turn_begin(&b->turn);
	if (b->is_saturated)
		run_burst(b, r, r->burst_pkts < WARM_PKTS ? r->burst_pkts : WARM_PKTS);
	else
		run_paced(b, r, WARM_MS);
	turn_begin(&b->turn);
	before = use_of(r);
	if (b->is_saturated)
		run_saturated(b, r);
	else
		run_paced(b, r, b->turn_ms);
	print_turn(&b->turn, r, &before, line, room);
}

/* Whether the round counts. */
static int run_round(struct bench *b, uint32_t round)
{
	static char lines[MOST_RELAYS][256];
	int cpus[] = { sched_getcpu(), b->cpu };
	uint64_t stolen[] = { steal_of(cpus[0]), steal_of(cpus[1]) }, began_ns = now_ns();
	double ticks, most = 0;

	for (uint32_t i = 0; i < b->n_relays; i++)
		run_turn(b, &b->relays[(round + i) % b->n_relays], lines[i], sizeof(lines[i]));
	ticks = (double)(now_ns() - began_ns) / 1e9 * (double)sysconf(_SC_CLK_TCK);
	for (int i = 0; i < 2; i++) {
		double share = (double)(steal_of(cpus[i]) - stolen[i]) / ticks;

		most = share > most ? share : most;
	}
	for (uint32_t i = 0; i < b->n_relays; i++)
		printf("%u %s %s\n", round, most > b->steal_most ? "discarded" : "kept", lines[i]);
	fflush(stdout);
	return most <= b->steal_most;
}

static void check_all(struct bench *b)
{
	for (uint32_t i = 0; i < b->n_relays; i++) {
		struct relay *r = &b->relays[i];

		for (int tries = 0; tries < 10; tries++) {
			turn_begin(&b->turn);
			for (int flow = 0; flow < FLOWS; flow++)
				turn_send(b, r, 1);
			turn_drain(b, r);
			if (b->turn.received < b->turn.sent)
				continue;
			printf("%s\n", r->name);
			break;
		}
	}
}

static void read_relays(struct bench *b)
{
	char *line = NULL;
	size_t room = 0;

	while (b->n_relays < MOST_RELAYS && getline(&line, &room, stdin) > 0) {
		struct relay *r = &b->relays[b->n_relays];
		int used = 0, more = 0;

		if (sscanf(line, "%31s %31s %d %31s %d %d %d %u%n", r->name, r->to, &r->to_port, r->at, &r->at_port,
			   &r->source_ns, &r->sink_ns, &r->n_stopped, &used) != 8)
			continue;
		while (r->n_pids < MOST_PIDS && sscanf(line + used, "%d%n", &r->pids[r->n_pids], &more) == 1) {
			r->n_pids++;
			used += more;
		}
		b->n_relays++;
	}
	free(line);
}

int main(int argc, char **argv)
{
	static struct bench b;
	uint32_t rounds = argc == 9 ? (uint32_t)atoi(argv[5]) : 0, kept = 0;

	b.bytes = argc > 2 ? (uint32_t)atoi(argv[2]) : 0;
	if (!rounds || b.bytes < sizeof(struct packet_header) || b.bytes > MAX_LOAD_BYTES) {
		fputs("usage: rivals check|saturated|RATE BYTES plain|trains plain|gro ROUNDS TURN-MS CPU STEAL "
		      "<RELAYS\n",
		      stderr);
		return 2;
	}
	b.is_saturated = strcmp(argv[1], "saturated") == 0;
	b.rate = (uint32_t)atoi(argv[1]);
	b.train = strcmp(argv[3], "trains") != 0 ? 1 : b.is_saturated ? FULL_TRAIN : PACED_TRAIN;
	b.train = b.train * b.bytes > SUPER_BYTES ? SUPER_BYTES / b.bytes : b.train;
	b.is_gro = strcmp(argv[4], "gro") == 0;
	b.turn_ms = (uint32_t)atoi(argv[6]);
	b.cpu = atoi(argv[7]);
	b.steal_most = atof(argv[8]) / 100;
	prctl(PR_SET_TIMERSLACK, 1UL);
	read_relays(&b);
	turns_open(&b);
	if (!b.is_saturated && !b.rate) {
		check_all(&b);
		return 0;
	}
	for (uint32_t i = 0; i < b.n_relays && b.is_saturated; i++)
		size_burst(&b, &b.relays[i]);
	for (uint32_t round = 0; kept < rounds && round < 2 * rounds; round++)
		kept += (uint32_t)run_round(&b, round);
	printf("carried %llu\n", (unsigned long long)b.carried);
	return 0;
}
