/*
 * run.c - the clock; which stage runs, sleeps, stalls, dies.
 *
 * Rules:   the stage whose clock is behind runs, until a call takes it past another one. What a call does it does at
 *          once.
 */
#include <stdio.h>
#include <stdlib.h>

#include "log.h"
#include "sim.h"
#include "stack.h"

#define WAKE_NS (2 * NS_PER_US) /* from a wake to the first instruction, at least */
#define WAKE_SPREAD_NS (40 * (uint32_t)NS_PER_US)
#define CLOCK_NS 24 /* reading the clock; a stage that only does that, spins: then it may take longer */
#define SPINS 8
#define RESTART_NS (300 * (uint32_t)NS_PER_US) /* from a death to the successor's first instruction, at least */
#define RESTART_SPREAD_NS (4 * (uint32_t)NS_PER_MS)
#define STALL_NS (20 * (uint32_t)NS_PER_MS)
#define MOST_STORES 400 /* until a doomed stage dies */

enum task_state { TASK_DEAD, TASK_READY, TASK_ASLEEP };

struct task {
	enum task_state state;
	uint64_t at_ns; /* its clock; asleep: when the sleep ends; dead: when the successor starts */
	uint64_t slept_at_ns, step_ns, read_ns; /* read_ns: what it read from its clock last */
	const void *asleep_on;
	int woken;
	uint32_t clock_reads; /* with nothing in between */
	uint32_t die_in, die_in_recovery; /* stores to go; 0: it lives */
	int dies_after_call;
	int is_open, is_locked;
	struct stack stack;
};

struct sim sim;

static struct task tasks[N_STAGES], *current;
static uint64_t horizon_ns; /* the next one's clock: who passes it gives way */
static uint64_t fault_at_ns;
static uint64_t stalled_until_ns; /* the last one of them that was */
static char *arguments[] = { (char *)"sim", (char *)"-c", NULL, NULL };
static void (*watcher)(enum stage_id id);

static int is_striking; /* no stage runs, and something happens to the world at fault_at_ns */

uint64_t sim_now_ns(void)
{
	return current ? current->at_ns : is_striking ? fault_at_ns : SIM_BEGIN_NS;
}

int sim_stage(void)
{
	return current ? (int)(current - tasks) : -1;
}

uint64_t sim_step_ns(enum stage_id id)
{
	return tasks[id].step_ns;
}

uint64_t sim_read_ns(void)
{
	return current->read_ns;
}

int sim_happens(enum sim_fault kind, uint32_t n)
{
	return (sim.setup.faults & kind) && sim_now_ns() < sim.ends_at_ns && sim_below(&sim.random, n) == 0;
}

void sim_watch(void (*on_step)(enum stage_id id))
{
	watcher = on_step;
}

void sim_doom(enum stage_id id, uint32_t in_stores, uint32_t in_stores_of_recovery)
{
	struct task *t = &tasks[id];

	if (trap.armed)
		trap_disarm();
	trap.stores = 0;
	t->die_in = in_stores;
	t->die_in_recovery = in_stores_of_recovery;
	if (t == current && in_stores)
		trap_arm(in_stores);
}

int sim_is_recovering(void)
{
	return current && !current->is_open;
}

static void stop_counting(struct task *t)
{
	if (trap.armed) {
		trap_disarm();
		t->die_in -= trap.stores;
	}
	trap.stores = 0;
}

static void become_dead(struct task *t)
{
	uint64_t now = t->state == TASK_ASLEEP ? t->slept_at_ns : t->at_ns;

	stop_counting(t);
	sim.result.deaths++;
	sim.result.recovery_deaths += !t->is_open;
	check_died((enum stage_id)(t - tasks));
	mortal_die((enum stage_id)(t - tasks));
	t->state = TASK_DEAD;
	t->at_ns = now + RESTART_NS + sim_below(&sim.random, RESTART_SPREAD_NS);
	t->is_open = t->is_locked = t->dies_after_call = 0;
	t->die_in = t->die_in_recovery;
	t->die_in_recovery = 0;
}

static void die_here(struct task *t)
{
	become_dead(t);
	stack_end();
}

void sim_spend(uint64_t ns)
{
	struct task *t = current;

	if (!t)
		return;
	t->clock_reads = 0;
	t->at_ns += ns / 2 + sim_below(&sim.random, (uint32_t)ns + 1);
	if (t->dies_after_call)
		die_here(t);
	if (t->at_ns > horizon_ns)
		stack_leave(&t->stack);
}

int sim_lock(enum stage_id id)
{
	if (tasks[id].is_locked)
		return 0;
	return tasks[id].is_locked = 1;
}

uint64_t sim_read_clock(void)
{
	struct task *t = current;
	uint32_t spins;

	if (!t)
		return SIM_BEGIN_NS;
	spins = t->clock_reads++ / SPINS;
	t->at_ns += (uint64_t)CLOCK_NS << (spins < 6 ? spins : 6);
	if (t->at_ns > horizon_ns)
		stack_leave(&t->stack);
	if (t->step_ns == 0) {
		t->step_ns = t->at_ns;
		if (t == &tasks[STAGE_EGRESS])
			check_backlog(t->at_ns);
	}
	return t->read_ns = t->at_ns;
}

int sim_sleep(const void *what, uint64_t until_ns)
{
	struct task *t = current;

	t->clock_reads = 0;
	t->state = TASK_ASLEEP;
	t->asleep_on = what;
	t->woken = 0;
	t->slept_at_ns = t->at_ns;
	t->at_ns = until_ns > t->at_ns ? until_ns : t->at_ns;
	stack_leave(&t->stack);
	return t->woken;
}

/* When a stage goes on that is not scheduled from then on. */
static uint64_t stall(uint64_t at_ns)
{
	at_ns += sim_below(&sim.random, STALL_NS);
	if (at_ns > stalled_until_ns)
		stalled_until_ns = at_ns;
	return at_ns;
}

uint64_t sim_stalled_until_ns(void)
{
	return stalled_until_ns;
}

void sim_wake(const void *what)
{
	uint64_t now = sim_now_ns();

	for (struct task *t = tasks; t < tasks + N_STAGES; t++) {
		uint64_t at_ns = t->slept_at_ns > now ? t->slept_at_ns : now;

		if (t->state != TASK_ASLEEP || t->asleep_on != what || t->woken)
			continue;
		at_ns += WAKE_NS + sim_below(&sim.random, WAKE_SPREAD_NS);
		if (sim_happens(FAULT_STALL, 300))
			at_ns = stall(at_ns);
		if (at_ns < t->at_ns)
			t->at_ns = at_ns;
		t->woken = 1;
		if (t->at_ns < horizon_ns)
			horizon_ns = t->at_ns;
	}
}

/* The life of a stage: what its main() does, until it dies. */
static void live(void)
{
	struct task *t = current;
	enum stage_id id = (enum stage_id)(t - tasks);

	if (mortal_open(id, 3, arguments)) {
		log_error("%s does not open", stage_name(id));
		exit(1);
	}
	t->is_open = 1;
	for (;;) {
		check_lanes();
		if (watcher)
			watcher(id);
		t->step_ns = 0;
		mortal_step(id);
		sim.result.steps++;
	}
}

static void start(struct task *t)
{
	stack_begin(&t->stack, live);
	t->state = TASK_READY;
	t->step_ns = t->at_ns;
}

/* Let a stage run until it gives way, sleeps or dies. */
static void take_turn(struct task *t)
{
	current = t;
	t->state = TASK_READY;
	if (t->die_in)
		trap_arm(t->die_in);
	if (stack_enter(&t->stack) == STACK_DIED_AT_STORE)
		become_dead(t);
	else
		stop_counting(t);
	current = NULL;
}

static void doom_at_random(struct task *t)
{
	uint32_t how = TRAP_WORKS ? sim_below(&sim.random, 4) : 2 + sim_below(&sim.random, 2);

	if (t->state == TASK_DEAD)
		return;
	if (how < 2)
		t->die_in = 1 + sim_below(&sim.random, how ? MOST_STORES : 30);
	else if (how == 2)
		t->dies_after_call = 1;
	else
		become_dead(t);
	if (how < 3 && sim_below(&sim.random, 2))
		t->die_in_recovery = TRAP_WORKS ? 1 + sim_below(&sim.random, 40) : 0;
}

/* Once in a while, to one of them or to all. */
static void strike(void)
{
	struct task *victim = &tasks[sim_below(&sim.random, N_STAGES)];

	if ((sim.setup.faults & FAULT_KILL) && sim_below(&sim.random, 3)) {
		if (sim_below(&sim.random, 8))
			doom_at_random(victim);
		else
			for (int i = 0; i < N_STAGES; i++)
				doom_at_random(&tasks[i]);
	} else if ((sim.setup.faults & FAULT_STALL) && victim->state == TASK_READY) {
		victim->at_ns = stall(victim->at_ns);
	}
	is_striking = 1;
	flaps_strike(fault_at_ns);
	is_striking = 0;
	fault_at_ns += 1 + random_next(&sim.random) % (2 * sim.setup.fault_gap_ns);
}

static struct task *earliest(void)
{
	struct task *t = tasks;

	horizon_ns = fault_at_ns;
	for (struct task *other = tasks + 1; other < tasks + N_STAGES; other++) {
		struct task *later = other;

		if (other->at_ns < t->at_ns) {
			later = t;
			t = other;
		}
		if (later->at_ns < horizon_ns)
			horizon_ns = later->at_ns;
	}
	return t;
}

static int all_is_quiet(void)
{
	for (int i = 0; i < N_STAGES; i++)
		if (!tasks[i].is_open)
			return 0;
	return input_is_empty() && check_is_drained();
}

static void begin(void)
{
	for (int i = 0; i < N_STAGES; i++) {
		struct task *t = &tasks[i];

		*t = (struct task){ .at_ns = SIM_BEGIN_NS + (uint32_t)i,
				    .stack.bytes = t->stack.bytes,
				    .die_in = t->die_in };
	}
	stalled_until_ns = 0;
	fault_at_ns = sim.setup.fault_gap_ns ? SIM_BEGIN_NS : UINT64_MAX;
}

void sim_run(void)
{
	arguments[2] = sim.config.file;
	begin();
	for (;;) {
		struct task *t = earliest();

		if (t->at_ns >= fault_at_ns) {
			if (fault_at_ns < sim.ends_at_ns) {
				strike();
				continue;
			}
			is_striking = 1;
			flaps_end();
			is_striking = 0;
			fault_at_ns = UINT64_MAX;
			continue;
		}
		sim.result.ended_at_ns = t->at_ns;
		if (t->at_ns > sim.ends_at_ns && all_is_quiet())
			break;
		if (t->at_ns > sim.ends_at_ns + sim.setup.drain_ns) {
			sim_complain("something is stuck");
			break;
		}
		if (t->state == TASK_DEAD)
			start(t);
		take_turn(t);
	}
	check_end();
	for (int i = 0; i < N_STAGES; i++) {
		if (tasks[i].state != TASK_DEAD)
			mortal_die((enum stage_id)i);
		tasks[i].die_in = 0;
	}
}
