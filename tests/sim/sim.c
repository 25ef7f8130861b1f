/* sim.c - the three stages in a simulated world: what is run, and what is said of it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "sim.h"

/* What the tests run. */
#define STANDARD_WORLDS 100
#define STANDARD_SWEEP 9
#define STANDARD_TRAINS 60
#define STANDARD_FLAPS 300
#define STANDARD_REPLIES 60
#define STANDARD_SECONDS 60
#define MOST_CALLS 7.2 /* seven for each packet; and parks that end, looks at drops, starts */
#define MOST_OFF_SHARE 0.01

static const char help[] =
	"sim - the stages' own code on a virtual clock with simulated sockets, from a seed.\n\n"
	"usage: sim [OPTION]...\n\n"
	"  --seed N      the (first) seed (default 1)\n"
	"  --worlds N    N short worlds, each with a config, traffic and faults of its own\n"
	"  --replies N   N short worlds with replies and sessions, and N/2 of other forms\n"
	"  --trains N    N short worlds in which datagrams come in trains\n"
	"  --flaps N     N short worlds in which destinations are down now and then\n"
	"  --flap N      one of them, of seed N, as it was\n"
	"  --train N     one of them, of seed N, as it was\n"
	"  --sweep N     N worlds in which the stages die before each store\n"
	"  --seconds S   a long run of four classes, S simulated seconds; --hours H likewise\n"
	"  --rate PPS    its packets per second (default 10000)\n"
	"  --burst PKTS  packets that come together in it, on average (default 1)\n"
	"  --faults N    faults of all kinds in it, per simulated second (default 0)\n"
	"  --world N     the short world of seed N again, as it was\n"
	"Without one of these: what the tests run, which is some of each, shares, and one world twice.\n\n"
	"  build/tests/sim --hours 1\n"
	"  build/tests/sim --seconds 600 --faults 20 --seed 7\n"
	"  build/tests/sim --worlds 10000 --seed 1000\n\n"
	"Exit status: 0 all held, 1 something did not, 2 usage.\n";

static struct options {
	uint64_t seed, worlds, replies, trains, train, flaps, flap, sweep, world, seconds, hours, rate, burst, faults;
} options = { .seed = 1, .rate = 10000, .burst = 1 };

static const struct known {
	const char *name;
	uint64_t *value, least, most;
} known[] = {
	{ "--seed", &options.seed, 1, UINT32_MAX },   { "--worlds", &options.worlds, 1, 1000000 },
	{ "--sweep", &options.sweep, 1, 1000 },	      { "--replies", &options.replies, 1, 1000000 },
	{ "--world", &options.world, 1, UINT64_MAX }, { "--seconds", &options.seconds, 1, 1000000 },
	{ "--trains", &options.trains, 1, 1000000 },  { "--train", &options.train, 1, UINT64_MAX },
	{ "--flaps", &options.flaps, 1, 1000000 },    { "--flap", &options.flap, 1, UINT64_MAX },
	{ "--hours", &options.hours, 1, 1000 },	      { "--rate", &options.rate, 1, 10000000 },
	{ "--burst", &options.burst, 1, 10000 },      { "--faults", &options.faults, 0, 1000 },
};

static struct sim_result *shared; /* of a world that another process runs */
static uint32_t n_passed, n_failed;

/* run_apart - in a process of its own: a stage that aborts is a finding too. */
static struct sim_result run_apart(const struct sim_setup *setup)
{
	int status = -1;
	pid_t pid;

	fflush(stdout);
	*shared = (struct sim_result){ .violations = 1 };
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (sim_prepare(setup))
			_exit(1);
		sim_run();
		*shared = sim.result;
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0) {
		printf("     seed %llu: ended with wait status %d\n", (unsigned long long)setup->seed, status);
		shared->violations = 1;
	}
	return *shared;
}

static double calls_per_packet(const struct sim_result *r)
{
	return (double)r->calls / (double)(r->came_pkts ? r->came_pkts : 1);
}

static void print_result(const struct sim_setup *setup, const struct sim_result *r, uint64_t took_ns)
{
	double lasted_s = (double)(r->ended_at_ns - SIM_BEGIN_NS) / 1e9, took_s = (double)took_ns / 1e9;
	uint64_t came_pkts = r->came_pkts ? r->came_pkts : 1;

	printf("     seed %llu: %llu packets came, %llu left, %llu lost in sockets, %llu deaths, %llu of them in "
	       "recovery\n",
	       (unsigned long long)setup->seed, (unsigned long long)r->came_pkts, (unsigned long long)r->left_pkts,
	       (unsigned long long)r->kernel_pkts, (unsigned long long)r->deaths,
	       (unsigned long long)r->recovery_deaths);
	printf("     %.1f simulated seconds took %.2f s: %.0f ns per packet; %.2f system calls for each; digest "
	       "%016llx, %llu "
	       "violations\n",
	       lasted_s, took_s, took_s * 1e9 / (double)came_pkts, calls_per_packet(r), (unsigned long long)r->digest,
	       (unsigned long long)r->violations);
}

static struct sim_result run_and_print(const struct sim_setup *setup)
{
	uint64_t began_ns = sim_wall_ns();
	struct sim_result r = run_apart(setup);

	print_result(setup, &r, sim_wall_ns() - began_ns);
	return r;
}

static void conclude(int is_ok, const char *sentence)
{
	printf("%-5s%s\n", is_ok ? "ok" : "FAIL", sentence);
	fflush(stdout);
	n_passed += is_ok != 0;
	n_failed += is_ok == 0;
}

/* Short worlds, each drawn from a seed of its own; `again`: the option that repeats one. */
static struct sim_result run_worlds(void (*draw)(struct sim_setup *setup, uint64_t seed), uint64_t n, const char *again)
{
	struct sim_result sum = { 0 };
	struct sim_setup setup;

	for (uint64_t i = 0; i < n; i++) {
		struct sim_result r;

		draw(&setup, options.seed + i);
		r = run_apart(&setup);
		if (r.violations)
			printf("     again: build/tests/sim %s %llu\n", again, (unsigned long long)setup.seed);
		sum.violations += r.violations;
		sum.came_pkts += r.came_pkts;
		sum.left_pkts += r.left_pkts;
		sum.deaths += r.deaths;
		sum.rescues += r.rescues;
	}
	printf("     %llu worlds from seed %llu: %llu packets came, %llu left; %llu deaths, %llu with datagrams under "
	       "way\n",
	       (unsigned long long)n, (unsigned long long)options.seed, (unsigned long long)sum.came_pkts,
	       (unsigned long long)sum.left_pkts, (unsigned long long)sum.deaths, (unsigned long long)sum.rescues);
	return sum;
}

static void run_many_worlds(void)
{
	struct sim_result sum = run_worlds(config_draw, options.worlds, "--world");

	conclude(sum.violations == 0 && (sum.rescues > 0 || options.worlds < STANDARD_WORLDS),
		 "every packet is sent once, in order, or counted as dropped, whatever fails or dies");
}

static void run_trains(void)
{
	struct sim_result sum = run_worlds(config_trains, options.trains, "--train");

	conclude(sum.violations == 0 && (sum.rescues > 0 || options.trains < STANDARD_TRAINS),
		 "likewise where many datagrams are read in one piece, and more than there is room for");
}

static void run_flaps(void)
{
	struct sim_result sum = run_worlds(config_flaps, options.flaps, "--flap");

	conclude(sum.violations == 0 && (sum.rescues > 0 || options.flaps < STANDARD_FLAPS),
		 "likewise where destinations go down and come up: nothing leaves for one that is down");
}

static void run_replies(void)
{
	struct sim_result sum = { 0 };
	struct sim_setup setup;

	/* of three worlds, one has another form */
	for (uint64_t i = 0; i < options.replies + options.replies / 2; i++) {
		int has_form = i >= options.replies;
		struct sim_result r;

		config_replies(&setup, options.seed + i - (has_form ? options.replies : 0), has_form);
		r = run_apart(&setup);
		if (r.violations)
			printf("     seed %llu:\n%s", (unsigned long long)setup.seed, setup.text);
		sum.violations += r.violations;
		sum.came_pkts += r.came_pkts;
		sum.left_pkts += r.left_pkts;
		sum.deaths += r.deaths;
		sum.rescues += r.rescues;
	}
	printf("     %llu worlds with replies from seed %llu: %llu packets came, %llu left; %llu deaths, %llu with "
	       "datagrams under way\n",
	       (unsigned long long)(options.replies + options.replies / 2), (unsigned long long)options.seed,
	       (unsigned long long)sum.came_pkts, (unsigned long long)sum.left_pkts, (unsigned long long)sum.deaths,
	       (unsigned long long)sum.rescues);
	conclude(sum.violations == 0, "a reply goes to the client that caused it, once, in order, and to nobody else");
}

static void run_twice(void)
{
	struct sim_setup setup, other;
	struct sim_result first, second, another;

	config_plain(&setup, options.seed);
	setup.duration_ns = NS_PER_S;
	setup.faults = FAULT_ALL;
	setup.fault_gap_ns = NS_PER_S / 100;
	other = setup;
	other.seed++;
	first = run_and_print(&setup);
	second = run_and_print(&setup);
	another = run_and_print(&other);
	conclude(first.digest == second.digest && first.ended_at_ns == second.ended_at_ns && first.deaths > 0 &&
			 !first.violations && !another.violations,
		 "the same seed gives the same bytes at the same times");
	conclude(first.digest != another.digest, "another seed gives others");
}

static void run_shares(void)
{
	struct sim_setup setup;
	struct sim_result r;

	config_shares(&setup, options.seed);
	r = run_and_print(&setup);
	printf("     %llu seconds with all classes backlogged; at worst %.2f %% off a share\n",
	       (unsigned long long)r.shared_seconds, r.worst_share * 100);
	conclude(r.violations == 0 && r.shared_seconds >= 4 && r.worst_share <= MOST_OFF_SHARE,
		 "shares of each second are within 1 % of the weights with 64, 700 and 1400 bytes mixed");
}

static void run_long(void)
{
	struct sim_setup setup;
	struct sim_result r;

	config_plain(&setup, options.seed);
	setup.duration_ns = options.seconds * NS_PER_S;
	setup.rate_pps = options.rate;
	setup.burst_pkts = (uint32_t)options.burst;
	setup.faults = options.faults ? FAULT_ALL : 0;
	setup.fault_gap_ns = options.faults ? NS_PER_S / options.faults : 0;
	r = run_and_print(&setup);
	conclude(r.violations == 0 && (options.faults || r.left_pkts == r.came_pkts),
		 options.faults ? "a long run with faults loses nothing" : "a long run delivers everything");
}

/* ingress: epoll_wait, recvmmsg, futex; edf: futex twice; egress: futex, sendmmsg. */
static void run_alone(void)
{
	struct sim_setup setup;
	struct sim_result r;

	config_plain(&setup, options.seed);
	setup.duration_ns = 10 * NS_PER_S;
	setup.rate_pps = 1000;
	r = run_and_print(&setup);
	conclude(r.violations == 0 && calls_per_packet(&r) < MOST_CALLS,
		 "a packet that comes alone costs seven system calls");
}

static int run_world(void)
{
	struct sim_setup setup;

	if (options.train)
		config_trains(&setup, options.train);
	else if (options.flap)
		config_flaps(&setup, options.flap);
	else
		config_draw(&setup, options.world);
	printf("%s     faults %#x, one in %llu us; %llu packets/s in bursts of %u\n", setup.text, setup.faults,
	       (unsigned long long)(setup.fault_gap_ns / NS_PER_US), (unsigned long long)setup.rate_pps,
	       setup.burst_pkts);
	return run_and_print(&setup).violations != 0;
}

/* -1: go on; else the exit status. */
static int read_options(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i];
		const struct known *k = known, *end = known + sizeof(known) / sizeof(known[0]);
		char *rest = (char *)"";
		uint64_t n;

		if (strcmp(name, "--help") == 0) {
			fputs(help, stdout);
			return 0;
		}
		while (k < end && strcmp(name, k->name) != 0)
			k++;
		n = k < end && i + 1 < argc ? strtoull(argv[++i], &rest, 10) : 0;
		if (k == end || *rest || n < k->least || n > k->most) {
			log_error("option '%s': unknown, or no number in its range: see --help", name);
			return EXIT_CONFIG;
		}
		*k->value = n;
	}
	options.seconds += options.hours * 3600;
	return -1;
}

static void run_sweep(void)
{
	if (TRAP_WORKS)
		conclude(sweep(options.seed, (uint32_t)options.sweep) == 0,
			 "a stage dies before each store of a step and of a recovery, and nothing is lost or doubled");
	else
		puts("skip a stage dies before each store: not on this machine's instructions (tests/mortal/trap.c)");
}

static void run_standard(void)
{
	options.worlds = STANDARD_WORLDS;
	options.sweep = STANDARD_SWEEP;
	options.seconds = STANDARD_SECONDS;
	options.replies = STANDARD_REPLIES;
	options.trains = STANDARD_TRAINS;
	options.flaps = STANDARD_FLAPS;
	run_many_worlds();
	run_trains();
	run_flaps();
	run_replies();
	run_twice();
	run_shares();
	run_alone();
	run_sweep();
	run_long();
}

static void run_asked(void)
{
	if (options.worlds)
		run_many_worlds();
	if (options.trains)
		run_trains();
	if (options.flaps)
		run_flaps();
	if (options.replies)
		run_replies();
	if (options.sweep)
		run_sweep();
	if (options.seconds)
		run_long();
}

int main(int argc, char **argv)
{
	int status;

	log_set_name("sim");
	status = read_options(argc, argv);
	if (status >= 0)
		return status;
	setenv("ONTIME_LOG", "error", 1);
	trap.is_private = 1;
	trap_set_up();
	/* cppcheck-suppress invalidFunctionArg ; -1 is what MAP_ANONYMOUS wants */
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED) {
		log_error("no memory to share");
		return EXIT_TEMPORARY;
	}
	if (options.world || options.train || options.flap)
		return run_world();
	if (options.worlds || options.replies || options.trains || options.flaps || options.sweep || options.seconds)
		run_asked();
	else
		run_standard();
	printf("sim: %u passed, %u failed, %d skipped\n", n_passed, n_failed, !TRAP_WORKS);
	return n_failed > 0;
}
