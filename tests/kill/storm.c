/*
 * storm.c - kill -9 the three stages, thousands of times, under load: nothing lost, doubled, reordered or changed.
 *
 * Real processes and sockets: this program binds the sockets and creates the segment as run/hold does, starts the
 * stages, sends and receives in threads of its own, and kills: one, two or three stages at once, at random
 * microseconds, and successors during their own recovery. A successor starts when its predecessor is reaped, never
 * before.
 * With --mutant one rule of the crash protocol is broken in the stages (common/mutant.h): the storm must then fail.
 */
#include <errno.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hold/sockets.h"
#include "traffic/packet.h"
#include "traffic/sink.h"
#include "harness/harness.h"
#include "log.h"
#include "random.h"

#define OUTSTANDING_PKTS 8000 /* more would overrun a socket buffer while a stage is away */
#define MEAN_GAP_US 8000 /* between kills: time for a successor to get to work */
#define CATCH_UP_NS (10 * NS_PER_S)
#define RUN_PKTS 16
#define RUN_BYTES 200
#define LONG_RUN_BYTES 1100 /* with --gro on, where ingress aims trains of that length at slots */
#define TRAIN_PKTS 4u /* what of a run leaves in one piece then */
#define SMALL_BYTES 3 /* in half of the classes: a quarter is empty, and none has room for a number */

extern char **environ;

struct storm {
	struct config config;
	struct segment seg;
	struct sockets sockets;
	struct flow flows[MAX_CLASSES];
	pid_t pids[N_STAGES];
	char *arguments[16]; /* of each stage */
	const char *dir, *mutant;
	const char *first, *last; /* commands to run before the load and after it; NULL: none */
	uint64_t kills, killed[N_STAGES], random;
	uint32_t rate_pps;
	_Atomic int stop;
};

static struct storm storm;
static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

static void start_stage(struct storm *s, int stage)
{
	char path[512];
	int err;

	snprintf(path, sizeof(path), "%s/%s", s->dir, stage_name((enum stage_id)stage));
	s->arguments[0] = path;
	err = posix_spawn(&s->pids[stage], path, NULL, NULL, s->arguments, environ);
	if (err) {
		log_error("start %s: %s", path, strerror(err));
		exit(1);
	}
}

static void end_stages(struct storm *s, int sig)
{
	for (int i = 0; i < N_STAGES; i++)
		if (s->pids[i] > 0) {
			kill(s->pids[i], sig);
			waitpid(s->pids[i], NULL, 0);
			s->pids[i] = 0;
		}
}

static void clean_up(void)
{
	end_stages(&storm, SIGKILL);
	if (storm.seg.shared)
		segment_remove(storm.config.instance);
}

/* The stages get up to here, and no further: the kernel keeps the rest. */
static int64_t outstanding_pkts(const struct storm *s)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < s->config.n_classes; i++)
		sum += flow_lost_pkts(&s->flows[i]);
	return sum;
}

/* The next datagrams of a flow, which are part of a run, in one piece. */
static void send_train(struct flow *f, uint64_t due_ns)
{
	static uint8_t payload[TRAIN_PKTS * LONG_RUN_BYTES];
	int on = LONG_RUN_BYTES, off = 0;

	for (uint32_t k = 0; k < TRAIN_PKTS; k++)
		packet_fill(payload + k * LONG_RUN_BYTES, LONG_RUN_BYTES, f->sent_pkts + k, due_ns);
	setsockopt(f->out_fd[0], SOL_UDP, UDP_SEGMENT, &on, sizeof(on));
	if (send(f->out_fd[0], payload, sizeof(payload), 0) == (ssize_t)sizeof(payload))
		atomic_store_explicit(&f->sent_pkts, f->sent_pkts + TRAIN_PKTS, memory_order_relaxed);
	setsockopt(f->out_fd[0], SOL_UDP, UDP_SEGMENT, &off, sizeof(off));
}

static int begins_train(const struct flow *f)
{
	return f->sizes.run_bytes == LONG_RUN_BYTES && f->sent_pkts / RUN_PKTS % 2 && f->sent_pkts % TRAIN_PKTS == 0;
}

static void *run_source(void *arg)
{
	struct storm *s = arg;
	uint64_t due_ns = now_ns(), gap_ns = NS_PER_S / s->rate_pps;
	uint8_t payload[MAX_LOAD_BYTES];

	for (uint32_t i = 0; !atomic_load_explicit(&s->stop, memory_order_relaxed); i++) {
		struct flow *f = &s->flows[i % s->config.n_classes];
		uint32_t bytes = packet_bytes(&f->sizes, f->sent_pkts);
		struct timespec t = { .tv_sec = (time_t)(due_ns / NS_PER_S), .tv_nsec = (long)(due_ns % NS_PER_S) };

		if (i % 16 == 0)
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		while (outstanding_pkts(s) > OUTSTANDING_PKTS &&
		       !atomic_load_explicit(&s->stop, memory_order_relaxed)) {
			usleep(200);
			due_ns = now_ns();
		}
		if (begins_train(f)) {
			send_train(f, due_ns);
			due_ns += TRAIN_PKTS * gap_ns;
			continue;
		}
		packet_fill(payload, bytes, f->sent_pkts, due_ns);
		if (send(f->out_fd[0], payload, bytes, 0) == (ssize_t)bytes)
			atomic_store_explicit(&f->sent_pkts, f->sent_pkts + 1, memory_order_relaxed);
		due_ns += gap_ns;
	}
	return NULL;
}

/* Kill a random non-empty set of stages, reap them, start their successors in random order. */
static void strike(struct storm *s)
{
	uint32_t set = 1 + (uint32_t)(random_next(&s->random) % 7),
		 first = (uint32_t)(random_next(&s->random) % N_STAGES);
	int overlap = s->mutant && strcmp(s->mutant, "no-lock") == 0;

	for (int i = 0; i < N_STAGES; i++)
		if (set >> i & 1) {
			if (!overlap)
				kill(s->pids[i], SIGKILL);
			s->killed[i]++;
			s->kills++;
		}
	for (uint32_t k = 0; k < N_STAGES; k++) {
		uint32_t i = (first + k) % N_STAGES;
		pid_t old = s->pids[i];

		if (!(set >> i & 1))
			continue;
		if (!overlap)
			waitpid(old, NULL, 0);
		start_stage(s, (int)i);
		if (overlap) { /* the broken rule: the successor starts while its predecessor still works */
			usleep(500);
			kill(old, SIGKILL);
			waitpid(old, NULL, 0);
		}
	}
}

static void strike_until(struct storm *s, uint64_t kills)
{
	while (s->kills < kills && !interrupted) {
		/* One time in four the successor has 0 to 2 ms: it dies while it attaches or recovers. */
		uint64_t us = random_next(&s->random) % (random_next(&s->random) % 4 ? 2 * MEAN_GAP_US : 2000);

		usleep((useconds_t)us);
		strike(s);
	}
}

static int set_up(struct storm *s)
{
	char why[WHY_BYTES];
	struct sockets *k = &s->sockets;

	if (sockets_open(k, &s->config))
		return 1;
	for (uint32_t i = 0; i < s->config.n_classes; i++) {
		struct packet_sizes sizes = { s->random + i, 0, i % 2 ? MAX_LOAD_BYTES : SMALL_BYTES, RUN_PKTS,
					      s->config.gro == GRO_ON ? LONG_RUN_BYTES : RUN_BYTES };

		if (flow_open(&s->flows[i], &s->config.classes[i], &sizes, 1, FLOW_SENDS | FLOW_RECEIVES))
			return 1;
	}
	if (segment_create(&s->seg, &s->config, k->cookies, k->n - k->n_uncounted, why)) {
		log_error("%s", why);
		return 1;
	}
	/* The sockets move to fd 3 and up; whatever lies there moves out of the way. */
	for (uint32_t i = 0; i < s->config.n_classes; i++) {
		s->flows[i].out_fd[0] = harness_move_fd(s->flows[i].out_fd[0]);
		s->flows[i].in_fd[0] = harness_move_fd(s->flows[i].in_fd[0]);
	}
	s->seg.fd = harness_move_fd(s->seg.fd);
	segment_populate(&s->seg);
	return sockets_hand_on(k);
}

static uint64_t rescued_pkts(const struct storm *s)
{
	uint64_t sum = 0;

	for (int i = 0; i < N_STAGES; i++)
		sum += atomic_load_explicit(&s->seg.shared->stages[i].rescued_pkts, memory_order_relaxed);
	return sum;
}

/* Returns how many promises were broken. */
static uint64_t judge(struct storm *s, const char *name)
{
	uint64_t broken = 0, sent = 0;

	for (uint32_t i = 0; i < s->config.n_classes; i++) {
		const struct flow *f = &s->flows[i];
		struct account a;
		int64_t lost = flow_lost_pkts(f);

		if (account_read(&s->seg, i, &a))
			memset(&a, 0, sizeof(a));
		sent += f->sent_pkts;
		broken += (uint64_t)(lost != 0) + f->doubled_pkts + f->reordered_pkts + f->corrupt_pkts +
			  (uint64_t)(a.unbalanced_pkts != 0) + a.held_pkts;
		printf("  %-10s sent %9llu  lost %lld  twice %llu  reordered %llu  corrupt %llu  dropped %llu  held "
		       "%llu  "
		       "unbalanced %lld\n",
		       f->name, (unsigned long long)f->sent_pkts, (long long)lost, (unsigned long long)f->doubled_pkts,
		       (unsigned long long)f->reordered_pkts, (unsigned long long)f->corrupt_pkts,
		       (unsigned long long)account_dropped_pkts(&a), (unsigned long long)a.held_pkts,
		       (long long)a.unbalanced_pkts);
	}
	printf("%s: %llu kills (ingress %llu, edf %llu, egress %llu), %llu packets, %llu rescued\n", name,
	       (unsigned long long)s->kills, (unsigned long long)s->killed[STAGE_INGRESS],
	       (unsigned long long)s->killed[STAGE_EDF], (unsigned long long)s->killed[STAGE_EGRESS],
	       (unsigned long long)sent, (unsigned long long)rescued_pkts(s));
	return broken;
}

/* Returns 1 if there is a command, and it failed. */
static int command_fails(const char *command)
{
	return command && system(command) != 0;
}

static int run(struct storm *s, uint64_t kills, const char *name)
{
	static struct sink sink;
	pthread_t sink_thread, source_thread;
	uint64_t began_ns = now_ns(), broken;

	if (set_up(s))
		return 1;
	sink_start(&sink, s->flows, s->config.n_classes, &sink_thread);
	for (int i = 0; i < N_STAGES; i++)
		start_stage(s, i);
	broken = (uint64_t)command_fails(s->first);
	pthread_create(&source_thread, NULL, run_source, s);
	usleep(50000);
	strike_until(s, kills);
	usleep(100000);
	atomic_store_explicit(&s->stop, 1, memory_order_relaxed);
	pthread_join(source_thread, NULL);
	sink_finish(&sink, sink_thread, s->mutant ? NS_PER_S / 2 : CATCH_UP_NS);
	end_stages(s, SIGTERM);
	if (interrupted)
		return 128 + interrupted;
	broken += judge(s, name) + (uint64_t)command_fails(s->last);
	printf("%s: %.1f kills/s\n", name, (double)s->kills * 1e9 / (double)(now_ns() - began_ns));
	return broken > 0;
}

static void configure(struct storm *s, int gso, int gro)
{
	char why[512];
	int argc = harness_arguments(s->arguments, "storm");

	if (!gso)
		s->arguments[argc++] = "--gso=off";
	if (gro)
		s->arguments[argc++] = "--gro=on";
	if (config_load(&s->config, NULL, argc, s->arguments, why, sizeof(why))) {
		log_error("%s", why);
		exit(2);
	}
}

static int usage(int status)
{
	fputs("storm - kill the stages under load; nothing may be lost.\n\n"
	      "usage: storm [--kills N] [--seed N] [--gso on|off] [--gro on|off] [--rate PPS] [--stages DIR] [--mutant "
	      "RULE]\n\n"
	      "  --kills N      SIGKILLs in all (default 1000)\n"
	      "  --seed N       of victims, moments and sizes (default 1)\n"
	      "  --gso on|off   UDP_SEGMENT (default on)\n"
	      "  --gro on|off   UDP_GRO, and trains to it (default off)\n"
	      "  --rate PPS     default 20000\n"
	      "  --stages DIR   where the three binaries are (default build)\n"
	      "  --first COMMAND, --last COMMAND\n"
	      "                 to run before the load and after it, with ONTIME_INSTANCE set; each must succeed\n"
	      "  --mutant RULE  break a rule of the crash protocol: no-recovery, zero-sentinel, no-base, no-lock\n\n"
	      "Exit status: 0 every promise held, 1 one was broken, 2 usage.\n",
	      status ? stderr : stdout);
	return status;
}

int main(int argc, char **argv)
{
	uint64_t kills = 1000, seed = 1;
	struct sigaction act = { .sa_handler = on_signal };
	int gso = 1, gro = 0, status;

	storm.rate_pps = 20000;
	storm.dir = "build";
	log_set_name("storm");
	for (int i = 1; i < argc; i += 2) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!value)
			return usage(strcmp(argv[i], "--help") ? 2 : 0);
		if (strcmp(argv[i], "--kills") == 0)
			kills = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "--gso") == 0)
			gso = strcmp(value, "off") != 0;
		else if (strcmp(argv[i], "--gro") == 0)
			gro = strcmp(value, "off") != 0;
		else if (strcmp(argv[i], "--rate") == 0)
			storm.rate_pps = (uint32_t)strtoul(value, NULL, 10);
		else if (strcmp(argv[i], "--stages") == 0)
			storm.dir = value;
		else if (strcmp(argv[i], "--first") == 0)
			storm.first = value;
		else if (strcmp(argv[i], "--last") == 0)
			storm.last = value;
		else if (strcmp(argv[i], "--mutant") == 0)
			storm.mutant = value;
		else
			return usage(2);
	}
	setenv("ONTIME_LOG", "warning", 1);
	if (storm.mutant)
		setenv("ONTIME_MUTANT", storm.mutant, 1);
	storm.random = (seed + 1) * 0x9e3779b97f4a7c15ULL;
	printf("storm: seed %llu, UDP_SEGMENT %s%s%s\n", (unsigned long long)seed, gso ? "on" : "off",
	       storm.mutant ? ", broken rule: " : "", storm.mutant ? storm.mutant : "");
	configure(&storm, gso, gro);
	setenv("ONTIME_INSTANCE", storm.config.instance, 1);
	atexit(clean_up);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	status = run(&storm, kills, "storm");
	printf("storm: %d passed, %d failed, 0 skipped\n", !status, status != 0);
	return status;
}
