/*
 * churn.c - kill -9 the three stages, a thousand times, while clients come and go over a small pool of sessions:
 * each request reaches the destination once, in order, each reply the client that caused it, and none another one.
 *
 * As storm.c, with real processes and sockets. A client asks some times, with a few requests under way, and makes room
 * for another one. One request in some is answered late, most of them when their session has ended: that reply may
 * reach its client or nobody. A client whose first request has no reply must be counted as one without a session.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/harness.h"
#include "hold/sockets.h"
#include "log.h"
#include "random.h"
#include "traffic.h"

#define MEAN_GAP_US 8000
#define FORTH 0u
#define BACK 1u

extern char **environ;

static struct config config;
static struct segment seg;
static uint64_t kills, killed[N_STAGES], moments; /* moments: random */
static pid_t pids[N_STAGES];
static char file[] = "/tmp/ontime-churn-XXXXXX", directory[256] = "build";
static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

static void start_stage(int stage)
{
	char path[512];
	char *arguments[] = { path, (char *)"-c", file, NULL };

	snprintf(path, sizeof(path), "%s/%s", directory, stage_name((enum stage_id)stage));
	if (posix_spawn(&pids[stage], path, NULL, NULL, arguments, environ)) {
		log_error("start %s", path);
		exit(1);
	}
}

static void end_stages(int sig)
{
	for (int i = 0; i < N_STAGES; i++)
		if (pids[i] > 0) {
			kill(pids[i], sig);
			waitpid(pids[i], NULL, 0);
			pids[i] = 0;
		}
}

static void clean_up(void)
{
	end_stages(SIGKILL);
	unlink(file);
	if (seg.shared)
		segment_remove(config.instance);
}

/* A random set of stages, two times in three with ingress among them. */
static void strike(void)
{
	uint32_t set = 1 + (uint32_t)(random_next(&moments) % 7);

	set |= random_next(&moments) % 3 ? 1u << STAGE_INGRESS : 0;
	for (int i = 0; i < N_STAGES; i++)
		if (set >> i & 1) {
			kill(pids[i], SIGKILL);
			killed[i]++;
			kills++;
		}
	for (int i = 0; i < N_STAGES; i++)
		if (set >> i & 1) {
			waitpid(pids[i], NULL, 0);
			start_stage(i);
		}
}

static void strike_until(uint64_t most)
{
	while (kills < most && !interrupted) {
		/* One time in four the successor has 0 to 2 ms: it dies while it attaches or recovers. */
		usleep((useconds_t)(random_next(&moments) % (random_next(&moments) % 4 ? 2 * MEAN_GAP_US : 2000)));
		strike();
	}
}

static uint16_t free_port(int *fd)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	*fd = traffic_socket();
	if (bind(*fd, (struct sockaddr *)&at, len) < 0 || getsockname(*fd, (struct sockaddr *)&at, &len) < 0)
		exit(1);
	return ntohs(at.sin_port);
}

static void set_up(void)
{
	static struct sockets sockets;
	int fd = mkstemp(file), other, size = 4 << 20;
	uint16_t server = free_port(&traffic.server_fd), in = free_port(&other);
	char why[WHY_BYTES];

	close(other);
	setsockopt(traffic.server_fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	dprintf(fd,
		"[pipeline]\ninstance = churn%d\npolicy = edf\nfifo = off\ncpus = none\n"
		"[class ask]\nlisten = 127.0.0.1:%u\nsend = 127.0.0.1:%u\nreplies = back\nsessions = 40\n"
		"idle = 400ms\nidle_unanswered = 400ms\n"
		"[class back]\n",
		getpid(), in, server);
	close(fd);
	if (config_load(&config, file, 0, NULL, why, sizeof(why)) || sockets_open(&sockets, &config) ||
	    segment_create(&seg, &config, sockets.cookies, sockets.n - sockets.n_uncounted, why) ||
	    sockets_open_sessions(&sockets, &config, &seg, NULL)) {
		log_error("set up: %s", why);
		exit(1);
	}
	traffic.to = &config.classes[FORTH].listen[0];
	seg.fd = harness_move_fd(seg.fd);
	segment_populate(&seg);
	if (sockets_hand_on(&sockets))
		exit(1);
}

/* Returns how many promises were broken. */
static uint64_t judge(void)
{
	struct account forth, back;
	uint64_t lost = traffic_lost(), none = traffic_refused(), broken = traffic.wrong + lost, no_session;

	if (account_read(&seg, FORTH, &forth) || account_read(&seg, BACK, &back))
		return 1;
	no_session = forth.dropped_pkts[DROP_NO_SESSION];
	broken += none != no_session;
	broken += forth.unbalanced_pkts || back.unbalanced_pkts || forth.held_pkts || back.held_pkts;
	broken += forth.sent_pkts != traffic.served || forth.sent_pkts + no_session != traffic.requests ||
		  back.sent_pkts != traffic.replies;
	printf("  %u clients over 40 sessions: %llu requests, %llu at the destination, %llu replies (%llu of "
	       "them "
	       "late)\n"
	       "  lost %llu  to another client %llu  twice, out of order or else wrong %llu  without a session %llu, "
	       "counted "
	       "%llu  strays %llu  excused %llu\n",
	       traffic.n_ids, (unsigned long long)traffic.requests, (unsigned long long)traffic.served,
	       (unsigned long long)traffic.replies, (unsigned long long)traffic.late_replies, (unsigned long long)lost,
	       (unsigned long long)traffic.strange, (unsigned long long)(traffic.wrong - traffic.strange),
	       (unsigned long long)none, (unsigned long long)no_session,
	       (unsigned long long)atomic_load_explicit(&seg.views[FORTH].lane->stray_pkts, memory_order_relaxed),
	       (unsigned long long)traffic.n_excused);
	printf("  %llu kills (ingress %llu, edf %llu, egress %llu); unbalanced %lld, %lld\n", (unsigned long long)kills,
	       (unsigned long long)killed[STAGE_INGRESS], (unsigned long long)killed[STAGE_EDF],
	       (unsigned long long)killed[STAGE_EGRESS], (long long)forth.unbalanced_pkts,
	       (long long)back.unbalanced_pkts);
	return broken;
}

static int usage(int status)
{
	fputs("churn - kill the stages while clients come and go; no reply may be lost, doubled or another's.\n\n"
	      "usage: churn [--kills N] [--seed N] [--stages DIR]\n\n"
	      "Exit status: 0 every promise held, 1 one was broken, 2 usage.\n",
	      status ? stderr : stdout);
	return status;
}

int main(int argc, char **argv)
{
	uint64_t most = 1000, broken;
	struct sigaction act = { .sa_handler = on_signal };
	pthread_t thread;

	log_set_name("churn");
	moments = traffic.random = 0x9e3779b97f4a7c15ULL;
	for (int i = 1; i < argc; i += 2) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!value)
			return usage(strcmp(argv[i], "--help") ? 2 : 0);
		if (strcmp(argv[i], "--kills") == 0)
			most = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			moments *= strtoull(value, NULL, 10) + 1;
		else if (strcmp(argv[i], "--stages") == 0)
			snprintf(directory, sizeof(directory), "%s", value);
		else
			return usage(2);
	}
	setenv("ONTIME_LOG", "error", 1);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	atexit(clean_up);
	set_up();
	for (int i = 0; i < N_STAGES; i++)
		start_stage(i);
	pthread_create(&thread, NULL, traffic_run, NULL);
	usleep(50000);
	strike_until(most);
	usleep(100000);
	atomic_store_explicit(&traffic.stop, 1, memory_order_relaxed);
	pthread_join(thread, NULL);
	end_stages(SIGTERM);
	if (interrupted)
		return 128 + interrupted;
	broken = judge();
	printf("churn: %d passed, %d failed, 0 skipped\n", !broken, broken != 0);
	return broken > 0;
}
