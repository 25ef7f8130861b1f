/*
 * replies.c - a stage dies before each single store to the segment, in its step and in the recovery from that, while
 * it carries requests one way and replies the other.
 *
 * As crash.c: the stages' own code in this process, on real sockets, with the segment read-only while a stage runs. The
 * destination answers each datagram with the same bytes. After each death every request must have come to it once, and
 * every reply to the client that caused it: once, in order, unchanged, and in account.
 *
 *   plain    clients go on, in the sessions they have
 *   idle     all sessions have been idle when the stage takes its step, with replies in their sockets
 *   churn    likewise, and a client goes and another one comes, in each round; replies leave from the address asked,
 *            of all that the input listens on
 *   hurry    with requests alone under way (forth) or replies (back), and as many sessions as clients: while these are
 *            in the lanes, the sessions have been idle, and another client asks for one. A session that is given away
 *            too early is its
 *
 * usage: replies [--KEY=VALUE]...     options of the config; where tests/mortal/trap.c can let one store through
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "harness/harness.h"
#include "hold/sockets.h"
#include "ingress/sessions.h"
#include "log.h"
#include "mortal/lives.h"
#include "mortal/mortal.h"
#include "mortal/trap.h"
#include "stage/handed.h"
#include "talk.h"

#define N_CLIENTS 2
#define HURRIED 2
#define FORTH 0u
#define BACK 1u
#define IDLE_NS NS_PER_S
#define MOST_STORES 100000u
#define MOST_STEPS 200
#define MOST_WAITS_MS 500 /* for what is between two sockets */
#define TIGHT N_CLIENTS /* sessions, in a hurry */

static const char *const modes[] = { "plain", "idle", "churn", "hurry forth", "hurry back" };
enum { PLAIN, IDLE, CHURN, HURRY_FORTH, HURRY_BACK, N_MODES };

static struct config config;
static struct segment seg;
static char *arguments[64];
static int n_arguments, listen_fd, poll_fd, mode;
static struct client clients[N_CLIENTS + HURRIED]; /* the last ones hurry, and ask once each */
static enum stage_id dead; /* who, ...  */
static uint32_t die_at; /* ... and before which store */
static uint64_t violations;
static uint64_t most_violations = 10; /* then it ends */

static int has_work(enum stage_id id)
{
	if (id == STAGE_INGRESS)
		return lives_is_readable(listen_fd) || lives_is_readable(poll_fd);
	return lives_waits_in_lane(seg.views[FORTH].lane, id) || lives_waits_in_lane(seg.views[BACK].lane, id);
}

static void complain(const char *what)
{
	violations++;
	if (violations <= most_violations)
		printf("     %s, %s: %s, dead before store %u\n", modes[mode], stage_name(dead), what, die_at);
}

static void never_ends(void)
{
	complain("it does not come to an end");
}

static void work_off(void)
{
	int id;

	talk_answer();
	for (int steps = 0; (id = lives_turn()) >= 0; steps++) {
		if (steps == MOST_STEPS) {
			complain("something is stuck");
			return;
		}
		mortal_step((enum stage_id)id);
		talk_answer();
	}
}

static int have_all_come(void)
{
	int all = 1;

	for (int i = 0; i < N_CLIENTS + HURRIED; i++) {
		talk_listen(&clients[i]);
		all &= i >= N_CLIENTS || clients[i].came_pkts >= clients[i].sent_pkts;
	}
	return all;
}

/* One that asked in a hurry may have found no session. */
static void check_account(void)
{
	static uint64_t had_no_session;
	struct account forth, back;
	uint32_t none, unanswered = 0;

	if (account_read(&seg, FORTH, &forth) || account_read(&seg, BACK, &back)) {
		complain("the account cannot be read");
		return;
	}
	none = (uint32_t)(forth.dropped_pkts[DROP_NO_SESSION] - had_no_session);
	had_no_session += none;
	for (struct client *c = clients + N_CLIENTS; c < clients + N_CLIENTS + HURRIED; c++) {
		unanswered += c->sent_pkts - c->came_pkts;
		c->sent_pkts = c->came_pkts = 0;
	}
	if (none != unanswered)
		complain("a client without a session is not counted");
	if (forth.unbalanced_pkts || back.unbalanced_pkts || forth.held_pkts || back.held_pkts ||
	    forth.sent_pkts + had_no_session != talk.asked_pkts || back.sent_pkts != talk.answered_pkts ||
	    forth.sent_pkts != talk.answered_pkts) {
		complain("the account is wrong");
		exit(1); /* all that follows would be wrong too */
	}
}

static void settle_all(void)
{
	work_off();
	for (int waits = 0; !have_all_come() && violations < most_violations && waits < MOST_WAITS_MS; waits++) {
		usleep(1000);
		work_off();
	}
	for (int i = 0; i < N_CLIENTS; i++)
		if (clients[i].came_pkts != clients[i].sent_pkts) {
			complain("a reply is missing");
			clients[i].came_pkts = clients[i].sent_pkts;
		}
	check_account();
}

/* Replies and requests under way, up to the stage that is to die. */
static void bring(enum stage_id id, uint32_t round)
{
	if (mode == CHURN)
		talk_come(&clients[round % N_CLIENTS]);
	for (int i = 0; i < N_CLIENTS && mode != HURRY_FORTH; i++)
		talk_ask(&clients[i], 3);
	lives_work_before(N_STAGES);
	talk_answer();
	calls_skipped_ns += mode == IDLE || mode == CHURN ? 2 * IDLE_NS : 0;
	for (int i = 0; i < N_CLIENTS && mode != HURRY_BACK; i++)
		talk_ask(&clients[i], 2);
	lives_work_before(id);
}

/* All that is under way has been for long, and other clients ask. */
static void hurry(void)
{
	if (mode < HURRY_FORTH)
		return;
	talk_answer(); /* else a session may end that waits for it */
	while (has_work(STAGE_INGRESS))
		mortal_step(STAGE_INGRESS);
	for (int i = 0; i < HURRIED; i++) {
		calls_skipped_ns += 2 * IDLE_NS;
		talk_come(&clients[N_CLIENTS + i]);
		talk_ask(&clients[N_CLIENTS + i], 1);
		while (has_work(STAGE_INGRESS))
			mortal_step(STAGE_INGRESS);
	}
}

/* So that those who come next find a session. */
static void end_sessions(void)
{
	if (mode < HURRY_FORTH)
		return;
	calls_skipped_ns += 2 * IDLE_NS;
	mortal_step(STAGE_INGRESS);
}

/* Die before each store of a step; the successor dies too, at a place that goes through all of its recovery in time. */
static uint32_t die_everywhere(enum stage_id id)
{
	uint32_t k, in_recovery = 1;

	for (k = 1; k < MOST_STORES && violations < most_violations; k++) {
		int died;

		dead = id;
		die_at = k;
		bring(id, k);
		died = lives_step_until(id, k);
		if (died) {
			in_recovery = lives_open_until(id, in_recovery) ? in_recovery + 1 : 1;
			if (in_recovery > 1)
				lives_open(id);
		}
		hurry();
		settle_all();
		end_sessions();
		if (!died)
			break;
	}
	return k - 1;
}

static void remove_segment(void)
{
	segment_remove(config.instance);
}

static uint16_t free_port(int *fd)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);

	*fd = harness_move_fd(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	if (bind(*fd, (struct sockaddr *)&at, len) < 0 || getsockname(*fd, (struct sockaddr *)&at, &len) < 0) {
		log_error("find a free port: %s", strerror(errno));
		exit(1);
	}
	return ntohs(at.sin_port);
}

static void write_config(uint32_t n_sessions)
{
	static char path[64];
	int fd = harness_move_fd(memfd_create("replies.conf", MFD_CLOEXEC)), other;
	uint16_t server = free_port(&talk.server_fd), in = free_port(&other);

	close(other);
	dprintf(fd,
		"[pipeline]\ninstance = replies%d\npolicy = edf\nfifo = off\n"
		"[class ask]\nlisten = %s:%u\nsend = 127.0.0.1:%u\nreplies = back\nsessions = %u\n"
		"idle = 1s\nidle_unanswered = 1s\ningress_to_edf = 8\n"
		"[class back]\ningress_to_edf = 8\n",
		getpid(), mode == CHURN ? "0.0.0.0" : "127.0.0.1", in, server, n_sessions);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	arguments[0] = (char *)"replies";
	arguments[1] = (char *)"-c";
	arguments[2] = path;
}

static void set_up(char **more, uint32_t n_sessions)
{
	static struct sockets sockets;
	char why[WHY_BYTES];
	uint32_t n;

	write_config(n_sessions);
	n_arguments = 3;
	while (*more && n_arguments + 1 < (int)(sizeof(arguments) / sizeof(arguments[0])))
		arguments[n_arguments++] = *more++;
	if (config_load(&config, arguments[2], n_arguments - 2, arguments + 2, why, sizeof(why)) ||
	    sockets_open(&sockets, &config) ||
	    segment_create(&seg, &config, sockets.cookies, sockets.n - sockets.n_uncounted, why) ||
	    sockets_open_sessions(&sockets, &config, &seg, NULL)) {
		log_error("set up: %s", why);
		exit(1);
	}
	atexit(remove_segment);
	seg.fd = harness_move_fd(seg.fd);
	if (sockets_hand_on(&sockets))
		exit(1);
	talk.to = &config.classes[FORTH].listen[0];
	talk.complain = complain;
	listen_fd = handed_socket("ask", "in", 0);
	poll_fd = handed_range("ask", "poll", &n);
	for (int i = 0; i < N_CLIENTS + HURRIED; i++)
		talk_come(&clients[i]);
	lives = (struct lives){ has_work, never_ends, arguments, n_arguments, 0, 0 };
	trap_set_up();
	for (enum stage_id id = 0; id < N_STAGES; id++)
		lives_open(id);
}

/* In a process of its own: a trap holds one segment. Returns 1 if something was wrong. */
static int run_mode(char **more)
{
	uint64_t points = 0;

	set_up(more, mode >= HURRY_FORTH ? TIGHT : 4 * N_CLIENTS);
	for (enum stage_id id = 0; id < N_STAGES && violations < most_violations; id++)
		points += die_everywhere(id);
	printf("%s %s: %llu stores, %llu deaths in steps, %llu in recovery, %u clients, %llu requests, %llu replies, "
	       "%llu violations\n",
	       violations ? "FAIL" : "ok  ", modes[mode], (unsigned long long)points, (unsigned long long)lives.deaths,
	       (unsigned long long)lives.recovery_deaths, talk.n_ids, (unsigned long long)talk.asked_pkts,
	       (unsigned long long)talk.answered_pkts, (unsigned long long)violations);
	fflush(stdout);
	return violations > 0;
}

int main(int argc, char **argv)
{
	int failed = 0;

	(void)argc;
	if (!TRAP_WORKS) {
		puts("skip a stage dies before each store: not on this machine's instructions (tests/mortal/trap.c)\n"
		     "replies: 0 passed, 0 failed, 1 skipped");
		return 77;
	}
	log_set_name("replies");
	setenv("ONTIME_LOG", "error", 1);
	if (getenv("ONTIME_MUTANT")) /* that it is noticed is all that is asked */
		most_violations = 1;
	for (mode = 0; mode < N_MODES && (failed == 0 || most_violations > 1); mode++) {
		pid_t pid = fork();
		int status = -1;

		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			exit(run_mode(argv + 1));
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			failed++;
	}
	printf("replies: %d passed, %d failed, 0 skipped\n", N_MODES - failed, failed);
	return failed > 0;
}
