/*
 * sweep.c - death before each single store to the segment, in steps and in the recoveries from that.
 *
 * All stores of a world are counted (tests/mortal/trap.h). Before a store the process forks: in the child's world the
 * stage dies there, a successor recovers, and the world runs to its end, where everything must have arrived: once, in
 * order, and in account.
 * The parent waits, and goes on to the next store. So it is done before every store of some steps, and everywhere else
 * until each store instruction was died at often enough. The stores of a recovery are counted in the child, which forks
 * likewise: before every store of the first recovery per step that has something to rescue, and elsewhere until it is
 * enough.
 *
 * Memory:  what is found out lies in a mapping that all these processes share; only one of them runs at a time.
 */
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

#define N_POINTS 4096 /* a power of two above twice the number of store instructions */
#define WINDOWS 1 /* steps per stage and world whose stores are all died at */
#define ENOUGH 3 /* deaths before each store instruction */
#define COUNTED UINT32_MAX /* stores to go: for ever */
#define MOST_COMPLAINTS 10
#define MOST_S 60 /* of real time, for a millisecond of work: it hangs */

/* A store instruction; one that both steps and recoveries execute counts twice. */
struct point {
	uintptr_t code_at;
	uint32_t recovers, deaths;
};

static struct report {
	struct point points[N_POINTS];
	uint64_t steps, deaths, recovery_deaths, violations;
	uint32_t has_rescued; /* in this step */
} * report;

enum level { WORLD, CHILD, GRANDCHILD };

static enum level level;
static int walked; /* the stage whose step is died in everywhere; -1: none */
static enum stage_id dead; /* in a child: who died */
static int all_of_recovery;
static uint32_t windows_left[N_STAGES];
static uint64_t choices; /* random; not the world's, which must not change by being watched */

static struct point *find_point(uintptr_t code_at, uint32_t recovers)
{
	uint64_t hash = (code_at * 2 + recovers) * 0x9e3779b97f4a7c15ULL;

	for (uint32_t i = (uint32_t)(hash >> 40);; i++) {
		struct point *p = &report->points[i % N_POINTS];

		if (p->code_at == 0)
			*p = (struct point){ .code_at = code_at, .recovers = recovers };
		if (p->code_at == code_at && p->recovers == recovers)
			return p;
	}
}

/* In a new process, whose stage is about to die. */
static void begin_child(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(MOST_S);
	dead = (enum stage_id)sim_stage();
	level = level == WORLD ? CHILD : GRANDCHILD;
	for (int id = 0; id < N_STAGES; id++)
		sim_doom((enum stage_id)id, 0, 0);
	sim_doom(dead, 0, level == CHILD ? COUNTED : 0);
	walked = -1;
	all_of_recovery = 0;
}

static void wait_for(pid_t pid)
{
	int status;

	if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0)
		return;
	if (report->violations++ < MOST_COMPLAINTS)
		printf("     seed %llu: %s died at %llu ns, and all went wrong\n", (unsigned long long)sim.setup.seed,
		       stage_name((enum stage_id)sim_stage()), (unsigned long long)(sim_now_ns() - SIM_BEGIN_NS));
}

/* Called before a store, from the signal handler that counts it. Returns 1 where the stage dies. */
static int on_store(uintptr_t code_at)
{
	int recovers = sim_is_recovering();
	struct point *p = find_point(code_at, (uint32_t)recovers);
	pid_t pid;

	if (recovers && level == CHILD && sim.result.rescues && !report->has_rescued)
		report->has_rescued = (uint32_t)(all_of_recovery = 1);
	if (p->deaths >= ENOUGH && walked != sim_stage() && !(recovers && all_of_recovery))
		return 0;
	p->deaths++;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		begin_child();
		return 1;
	}
	wait_for(pid);
	return 0;
}

static int has_work(enum stage_id id)
{
	for (uint32_t class = 0; class < sim.config.n_classes; class++) {
		const struct lane *l = sim.seg.views[class].lane;

		if (id == STAGE_EGRESS && lane_distance_pkts(lane_processed(l), lane_sent(l)))
			return 1;
		if (id == STAGE_EDF && lane_distance_pkts(lane_received(l), lane_processed(l)))
			return 1;
		if (id == STAGE_INGRESS && input_has_waited(class, sim_now_ns()))
			return 1;
	}
	return 0;
}

static void on_step(enum stage_id id)
{
	if (level != WORLD) {
		if (id == dead)
			sim_doom(id, 0, 0);
		return;
	}
	if (walked == (int)id)
		walked = -1;
	if (walked >= 0 || windows_left[id] == 0 || sim_below(&choices, 4) || (!has_work(id) && sim_below(&choices, 8)))
		return;
	walked = (int)id;
	windows_left[id]--;
	report->steps++;
	report->has_rescued = 0;
}

static void run_world(const struct sim_setup *setup)
{
	if (sim_prepare(setup))
		_exit(1);
	choices = setup->seed | 1;
	walked = -1;
	level = WORLD;
	for (int id = 0; id < N_STAGES; id++) {
		windows_left[id] = WINDOWS;
		sim_doom((enum stage_id)id, COUNTED, COUNTED);
	}
	sim_watch(on_step);
	sim_run();
	report->deaths += sim.result.deaths > 0 && level == CHILD;
	report->recovery_deaths += level == GRANDCHILD;
	if (sim.result.violations)
		printf("     seed %llu: %s died, and then all this\n", (unsigned long long)setup->seed,
		       stage_name(dead));
	report->violations += sim.result.violations;
	fflush(stdout);
	_exit(0);
}

static int print_report(uint32_t n_worlds)
{
	uint32_t met = 0, enough = 0;

	for (const struct point *p = report->points; p < report->points + N_POINTS; p++) {
		met += p->code_at != 0;
		enough += p->deaths > 0;
	}
	printf("     %u worlds, %u store instructions; dead before each store of %llu steps; %llu deaths in steps, "
	       "%llu in "
	       "recoveries, %llu violations\n",
	       n_worlds, met, (unsigned long long)report->steps, (unsigned long long)report->deaths,
	       (unsigned long long)report->recovery_deaths, (unsigned long long)report->violations);
	return report->violations > 0 || enough < met || met == 0;
}

int sweep(uint64_t seed, uint32_t n_worlds)
{
	/* cppcheck-suppress invalidFunctionArg ; -1 is what MAP_ANONYMOUS wants */
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED) {
		log_error("no memory to report to");
		return 1;
	}
	trap.on_store = on_store;
	for (uint32_t i = 0; i < n_worlds; i++) {
		struct sim_setup setup;
		pid_t pid;

		if (i % 3 == 2)
			config_small_trains(&setup, seed + i);
		else if (i % 4 == 3)
			config_small_copies(&setup, seed + i);
		else
			config_small(&setup, seed + i);
		fflush(stdout);
		pid = fork();
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			run_world(&setup);
		}
		wait_for(pid);
	}
	trap.on_store = NULL;
	return print_report(n_worlds);
}
