/*
 * crash.c - a stage dies before each single store to the segment, in its step and in the recovery from that: every
 * crash point there is, one after the other.
 *
 * The stages' own code, compiled as ever, runs in this process, on real sockets. While a stage runs, its segment is
 * read-only:
 * each store faults, is counted, and is let through alone (single step); the one whose turn it is kills the stage
 * instead: its private state is thrown away, and a successor opens. System calls write to the segment as a whole, as
 * the kernel does when SIGKILL waits for their end. After each death what was on its way must arrive: once, in order,
 * unchanged, and accounted for.
 *
 * usage: crash [--copies] [--KEY=VALUE]...  options of the config (gro = on: trains are sent); where
 * tests/mortal/trap.c works. With --copies each class sends to three destinations, the last one of which refuses in the
 * last class.
 */
#include <errno.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hold/sockets.h"
#include "mortal/lives.h"
#include "mortal/mortal.h"
#include "mortal/trap.h"
#include "harness/harness.h"
#include "shm/journal.h"
#include "log.h"

#define BATCH_PKTS 5
#define LONG_BYTES 1100 /* of datagrams whose trains are aimed at slots */
#define TRAIN_PKTS 3
#define LEARNT 3 /* calls after which it is known where their datagrams will lie */
#define ONE_CLASS 0xeu /* as a round: of the first class only */
#define KEPT 64 /* lengths of what is on its way */
#define MOST_STORES 100000u
#define MOST_STEPS 200
#define MOST_WAITS_MS 500 /* for what is between two sockets */
#define MOST_SHOWN 10 /* violations */
#define FIRST_INPUT_FD 3 /* as handed on: one input per class, in order */

static char *arguments[64];
static int n_arguments;
static struct config config;
static struct segment seg;
static int source_fd[MAX_CLASSES], sink_fd[MAX_CLASSES][MAX_DESTS]; /* -1: nobody listens there */
static uint32_t sent_pkts[MAX_CLASSES], came_pkts[MAX_CLASSES][MAX_DESTS];
static uint16_t sent_bytes[MAX_CLASSES][KEPT]; /* by number */
static enum trains { TRAINS_MIXED, TRAINS_LIKE, TRAINS_BEHIND, TRAINS_OTHER, N_TRAINS } trains; /* send_trains() */
static enum stage_id dead; /* who, ... */
static uint32_t die_at; /* ... and before which store */
static uint64_t violations;

/* Has ingress something to do for the class: read, waiting for room in a journal; or to read, with a journal free? */
static int has_input(uint32_t class)
{
	uint64_t word = journal_read(&seg.shared->ingress_journal.word);
	uint64_t aside = journal_read(&seg.shared->ingress_journal_aside.word);

	if ((word && journal_owner(word) == class) || (aside && journal_owner(aside) == class))
		return 1;
	return !(word && aside) && lives_is_readable(FIRST_INPUT_FD + (int)class);
}

static int has_work(enum stage_id id)
{
	for (uint32_t i = 0; i < config.n_classes; i++) {
		const struct lane *l = seg.views[i].lane;

		if (lives_waits_in_lane(l, id))
			return 1;
		if (id == STAGE_INGRESS && has_input(i) &&
		    lane_distance_pkts(lane_received(l), lane_processed(l)) < config.classes[i].ingress_to_edf_pkts)
			return 1;
	}
	return 0;
}

static uint32_t bytes_of(uint32_t number)
{
	static const uint32_t bytes[BATCH_PKTS] = { 0, 200, 200, 200,
						    64 }; /* an empty one, and a run for UDP_SEGMENT */

	return bytes[number % BATCH_PKTS];
}

/* n datagrams of one length, in one piece if there are many. */
static void send_alike(uint32_t class, uint32_t n, uint32_t bytes)
{
	uint8_t payload[TRAIN_PKTS * LONG_BYTES];
	int piece_bytes = n > 1 ? (int)bytes : 0;

	for (uint32_t k = 0; k < n; k++) {
		uint32_t number = sent_pkts[class]++;

		sent_bytes[class][number % KEPT] = (uint16_t)bytes;
		memset(payload + k * bytes, (int)(number & 0xff), bytes);
	}
	if (setsockopt(source_fd[class], SOL_UDP, UDP_SEGMENT, &piece_bytes, sizeof(piece_bytes)) < 0 ||
	    send(source_fd[class], payload, (size_t)n * bytes, 0) != (ssize_t)n * bytes) {
		log_error("send %u of %u bytes: %s", n, bytes, strerror(errno));
		exit(1);
	}
}

static void send_one(uint32_t class)
{
	send_alike(class, 1, bytes_of(sent_pkts[class]));
}

/*
 * Three of equal length in one piece between two alone: what lies behind a train must make way for it. Then what
 * ingress aims at slots once it has seen some of it: two trains alike; one that comes behind a datagram, and one of
 * another length, so that they do not lie where they were expected.
 */
static void send_trains(uint32_t class)
{
	if (trains == TRAINS_MIXED || trains == TRAINS_BEHIND)
		send_one(class);
	if (trains == TRAINS_OTHER)
		send_alike(class, TRAIN_PKTS, LONG_BYTES - 1);
	if (trains == TRAINS_LIKE)
		send_alike(class, TRAIN_PKTS, LONG_BYTES);
	send_alike(class, TRAIN_PKTS, trains == TRAINS_MIXED ? 200 : LONG_BYTES);
	if (trains == TRAINS_MIXED)
		send_one(class);
}

static void complain(const char *what)
{
	violations++;
	if (violations <= MOST_SHOWN)
		printf("     %s: %s, dead before store %u\n", stage_name(dead), what, die_at);
}

static void never_ends(void)
{
	complain("it does not come to an end");
}

/* What has arrived must be the next ones. */
static void look_at_sink(uint32_t class, uint32_t dest)
{
	for (;;) {
		uint8_t payload[2 * LONG_BYTES] = { 0 };
		ssize_t got = recv(sink_fd[class][dest], payload, sizeof(payload), MSG_DONTWAIT);
		uint32_t number = came_pkts[class][dest];
		uint32_t bytes = sent_bytes[class][number % KEPT];

		if (got < 0)
			return;
		came_pkts[class][dest]++;
		if (number >= sent_pkts[class])
			complain("a datagram too many");
		else if ((uint32_t)got != bytes ||
			 (got > 0 && (payload[got - 1] != (uint8_t)(number & 0xff) || payload[0] != payload[got - 1])))
			complain("another datagram than the next");
	}
}

static void work_off(void)
{
	int id;

	for (int steps = 0; (id = lives_turn()) >= 0; steps++) {
		if (steps == MOST_STEPS) {
			complain("something is stuck");
			break;
		}
		mortal_step((enum stage_id)id);
	}
}

static int have_all_come(void)
{
	int all = 1;

	for (uint32_t i = 0; i < config.n_classes; i++)
		for (uint32_t d = 0; d < config.classes[i].n_dests; d++) {
			if (sink_fd[i][d] < 0)
				continue;
			look_at_sink(i, d);
			all &= came_pkts[i][d] >= sent_pkts[i];
		}
	return all;
}

/* Everything on its way arrives, and the books balance. A kernel that is short of time delivers a little later. */
static void settle_all(void)
{
	work_off();
	for (int waits = 0; !have_all_come() && violations < MOST_SHOWN && waits < MOST_WAITS_MS; waits++) {
		usleep(1000);
		work_off();
	}
	for (uint32_t i = 0; i < config.n_classes; i++) {
		struct account a;

		for (uint32_t d = 0; d < config.classes[i].n_dests; d++)
			if (sink_fd[i][d] >= 0 && came_pkts[i][d] != sent_pkts[i]) {
				complain("a datagram is missing");
				came_pkts[i][d] = sent_pkts[i];
			}
		if (account_read(&seg, i, &a) || a.unbalanced_pkts || a.held_pkts || a.sent_pkts != sent_pkts[i]) {
			complain("the account is wrong");
			account_read(&seg, i, &a);
			if (a.sent_pkts != sent_pkts[i] || a.held_pkts)
				exit(1); /* all that follows would be wrong too */
		}
	}
}

/* Packets under way, up to the stage that is to die: n of each class. */
static void bring(enum stage_id id, uint32_t round)
{
	for (uint32_t k = 0; k < BATCH_PKTS; k++)
		for (uint32_t class = 0; class < config.n_classes; class++)
			if ((round >> class & 1) == 0 && config.gro != GRO_ON)
				send_one(class);
			else if ((round >> class & 1) == 0 && k == 0)
				send_trains(class);
	lives_work_before(id);
}

/* Die before each store of a step; the successor dies too, at a place that goes through all of its recovery in time. */
static uint32_t die_everywhere(enum stage_id id)
{
	uint32_t k, in_recovery = 1;

	for (k = 1; k < MOST_STORES; k++) {
		int died;

		dead = id;
		die_at = k;
		bring(id, k % 3);
		died = lives_step_until(id, k);
		if (died) {
			in_recovery = lives_open_until(id, in_recovery) ? in_recovery + 1 : 1;
			if (in_recovery > 1)
				lives_open(id);
		}
		settle_all();
		if (!died)
			return k - 1;
	}
	return k;
}

/* To a process that has seen nothing, or something that often: how it makes its calls depends on that. */
static void bring_anew(enum stage_id id, uint32_t has_seen, enum trains what)
{
	uint32_t round = what == TRAINS_MIXED ? 0 : ONE_CLASS; /* one shows as much of long trains as all */

	mortal_die(id);
	lives_open(id);
	trains = what == TRAINS_MIXED ? TRAINS_MIXED : TRAINS_LIKE;
	for (uint32_t i = 0; i < has_seen; i++, settle_all())
		bring(id, round);
	trains = what;
	bring(id, round);
	trains = TRAINS_MIXED;
}

/* Die right after the system call, when there is most to recover, and then before each store of the recovery. */
static uint32_t die_in_each_recovery(enum stage_id id, uint32_t has_seen, enum trains what)
{
	uint32_t k, called_at, died = 1;

	dead = id;
	die_at = 0;
	bring_anew(id, has_seen, what);
	lives_step_until(id, MOST_STORES);
	called_at = trap.called_at;
	settle_all();
	for (k = 1; k < MOST_STORES && died; k++) {
		die_at = k;
		bring_anew(id, has_seen, what);
		if (!lives_step_until(id, called_at + 1))
			complain("the call that it was to die after did not come");
		died = (uint32_t)lives_open_until(id, k);
		if (died)
			lives_open(id);
		settle_all();
	}
	return k - 1 - !died;
}

/* Die before each store of a step that reads what was expected, or what was not. */
static uint32_t die_with_trains(enum stage_id id, enum trains what)
{
	uint32_t k, died = 1;

	dead = id;
	for (k = 1; k < MOST_STORES && died; k++) {
		die_at = k;
		bring_anew(id, LEARNT, what);
		died = (uint32_t)lives_step_until(id, k);
		if (died)
			lives_open(id);
		settle_all();
	}
	return k - 1 - !died;
}

static void remove_segment(void)
{
	segment_remove(config.instance);
}

/* The addresses of this host that end in 1, 2 and 3, with the port that the class sends to. */
static void copy_all(void)
{
	static char words[2 * MAX_CLASSES][128];
	int n = 0, n_known = n_arguments;

	for (int i = 0; i < n_known; i++) {
		const char *key = arguments[i], *value = strstr(key, ".send=127.0.0.1:"), *port = strrchr(key, ':');

		if (!value)
			continue;
		snprintf(words[n], sizeof(words[0]), "%.*s.spread=copy", (int)(value - key), key);
		arguments[n_arguments++] = words[n++];
		snprintf(words[n], sizeof(words[0]), "%s 127.0.0.2%s 127.0.0.3%s", key, port, port);
		arguments[i] = words[n++];
	}
}

static int open_sink(uint32_t class, uint32_t dest)
{
	const struct address *at = &config.classes[class].dests[dest];
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (dest > 0 && class + 1 == config.n_classes && dest + 1 == config.classes[class].n_dests) {
		close(fd);
		return -1;
	}
	if (bind(fd, (const struct sockaddr *)&at->at, at->len) < 0) {
		log_error("set up: %s", strerror(errno));
		exit(1);
	}
	return fd;
}

static void set_up(char **more)
{
	static struct sockets sockets;
	char why[WHY_BYTES];

	log_set_name("crash");
	setenv("ONTIME_LOG", "error", 1);
	n_arguments = harness_arguments(arguments, "crash");
	arguments[n_arguments++] = "--fifo=off"; /* the stages are this process */
	/* Short vectors: more of the same stores would only take longer. */
	arguments[n_arguments++] = "--high.ingress_to_edf=6";
	arguments[n_arguments++] = "--medium.ingress_to_edf=6";
	arguments[n_arguments++] = "--low.ingress_to_edf=6";
	arguments[n_arguments++] = "--besteffort.ingress_to_edf=6";
	if (*more && strcmp(*more, "--copies") == 0) {
		copy_all();
		more++;
	}
	while (*more && n_arguments + 1 < (int)(sizeof(arguments) / sizeof(arguments[0])))
		arguments[n_arguments++] = *more++;
	arguments[n_arguments] = NULL;
	if (config_load(&config, NULL, n_arguments, arguments, why, sizeof(why)) || sockets_open(&sockets, &config) ||
	    segment_create(&seg, &config, sockets.cookies, sockets.n - sockets.n_uncounted, why)) {
		log_error("set up: %s", why);
		exit(1);
	}
	atexit(remove_segment);
	seg.fd = harness_move_fd(seg.fd);
	if (sockets_hand_on(&sockets))
		exit(1);
	for (uint32_t i = 0; i < config.n_classes; i++) {
		const struct address *in = &config.classes[i].listen[0];

		source_fd[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (connect(source_fd[i], (const struct sockaddr *)&in->at, in->len) < 0) {
			log_error("set up: %s", strerror(errno));
			exit(1);
		}
		for (uint32_t d = 0; d < config.classes[i].n_dests; d++)
			sink_fd[i][d] = open_sink(i, d);
	}
	lives = (struct lives){ has_work, never_ends, arguments, n_arguments, 0, 0 };
	trap_set_up();
	for (enum stage_id id = 0; id < N_STAGES; id++)
		lives_open(id);
}

int main(int argc, char **argv)
{
	uint32_t points = 0;

	(void)argc;
	if (!TRAP_WORKS) {
		puts("skip a stage dies before each store: not on this machine's instructions (tests/mortal/trap.c)\n"
		     "crash: 0 passed, 0 failed, 1 skipped");
		return 77;
	}
	set_up(argv + 1);
	for (enum stage_id id = 0; id < N_STAGES; id++) {
		uint64_t before = violations;
		uint32_t in_step = die_everywhere(id);
		uint32_t in_recovery =
			die_in_each_recovery(id, 0, TRAINS_MIXED) + die_in_each_recovery(id, 1, TRAINS_MIXED);

		for (enum trains what = TRAINS_LIKE; id == STAGE_INGRESS && config.gro == GRO_ON && what < N_TRAINS;
		     what++) {
			in_step += die_with_trains(id, what);
			in_recovery += die_in_each_recovery(id, LEARNT, what);
		}
		points += in_step + in_recovery;
		printf("%s %s dies before each of %u stores of a step and %u of a recovery\n",
		       violations == before ? "ok  " : "FAIL", stage_name(id), in_step, in_recovery);
	}
	printf("     %u crash points, %llu deaths in steps, %llu in recovery, %llu violations\n", points,
	       (unsigned long long)lives.deaths, (unsigned long long)lives.recovery_deaths,
	       (unsigned long long)violations);
	printf("crash: %d passed, %d failed, 0 skipped\n", violations == 0, violations != 0);
	return violations != 0;
}
