/* place.c - where a stage runs and before whom. */
#include "place.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "cpu.h"
#include "handed.h"
#include "log.h"
#include "scheduling.h"

#define TOP_PRIORITY 12 /* of SCHED_FIFO: above most that asks for real time, far below the kernel's own threads (50) */
#define BETTER_NICE (-5) /* three times the weight of others; at -20 a stage that loops would leave them a hundredth */
#define SLICE_NS (100 * NS_PER_US) /* the shortest there is; the default is 2.8 ms */
#define LOOK_NS (25 * NS_PER_MS)
#define BOUND_NS (100 * NS_PER_MS) /* of CPU time; a look in each such piece, or real time is lost */
#define WAITS_NS NS_PER_S
#define STARVED_PERCENT 30
#define ROOM_LINE_NS (10 * NS_PER_S) /* at most one line each way in that time */
#define STARVED_LINE_NS (30 * NS_PER_S)

enum line { LINE_GIVEN, LINE_TAKEN, LINE_STARVED };

static struct place *placed; /* for the signal handler, which gets no argument */
static timer_t cpu_timer;

static int set_rank(const struct place *p, enum rank rank)
{
	if (rank == RANK_FIFO)
		return scheduling_set(SCHED_FIFO, 0, p->priority, 0);
	return scheduling_set(SCHED_OTHER, rank == RANK_NICE ? BETTER_NICE : 0, 0, SLICE_NS);
}

static void tell_policy(const struct place *p, uint32_t policy)
{
	/* relaxed, here and below: for observers and the other stages, each field stands alone */
	atomic_store_explicit(&p->blocks[p->id].sched_policy, policy, memory_order_relaxed);
}

/* Async-signal-safe. Without real time from here on; a shorter slice hurts nobody. */
static void give_back(struct place *p)
{
	atomic_store_explicit(&p->has, 0, memory_order_relaxed);
	set_rank(p, RANK_SLICE);
	tell_policy(p, SCHED_OTHER);
}

static void take(struct place *p)
{
	if (set_rank(p, p->may))
		return;
	tell_policy(p, p->may == RANK_FIFO ? SCHED_FIFO : SCHED_OTHER);
	atomic_store_explicit(&p->has, 1, memory_order_relaxed);
}

/* SIGXCPU: another BOUND_NS of CPU time is used up (SI_TIMER), or RLIMIT_RTTIME is. */
static void on_cpu_time(int sig, siginfo_t *info, void *context)
{
	int err = errno;

	(void)sig;
	(void)context;
	if (!(info->si_code == SI_TIMER && atomic_exchange_explicit(&placed->looked, 0, memory_order_relaxed)) &&
	    atomic_load_explicit(&placed->has, memory_order_relaxed))
		give_back(placed);
	errno = err;
}

/* CPU time, not RLIMIT_RTTIME, which begins anew with each sleep of a microsecond. */
static int watch_cpu_time(struct place *p)
{
	const struct timespec bound = { .tv_nsec = BOUND_NS };
	struct sigaction act = { .sa_sigaction = on_cpu_time, .sa_flags = SA_SIGINFO | SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGXCPU };
	struct itimerspec period = { .it_interval = bound, .it_value = bound };

	if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &cpu_timer) < 0)
		return -errno;
	placed = p;
	atomic_store_explicit(&p->looked, 1, memory_order_relaxed);
	if (sigaction(SIGXCPU, &act, NULL) < 0 || timer_settime(cpu_timer, 0, &period, NULL) < 0)
		return -errno;
	return 0;
}

static bool may_raise(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	return syscall(SYS_capget, &header, data) == 0 && (data[0].effective >> CAP_SYS_NICE & 1);
}

int place_allow(void)
{
	return may_raise() ? scheduling_raise_limits(TOP_PRIORITY, BETTER_NICE) : 0;
}

void place_keep(struct place *p)
{
	int fd = p->waits_fd ? p->waits_fd : waits_open();

	p->waits_fd = fd < 0 ? -1 : fd;
}

void place_close(void)
{
	if (!placed)
		return;
	signal(SIGXCPU, SIG_IGN); /* its handler writes to the segment */
	timer_delete(cpu_timer);
	placed = NULL;
	scheduling_set(SCHED_OTHER, 0, 0, 0);
}

int place_priority(enum stage_id id, enum work_kind work, int most)
{
	static const int below_top[2][N_STAGES] = {
		{ [STAGE_INGRESS] = 2, [STAGE_EDF] = 1, [STAGE_EGRESS] = 0 },
		{ [STAGE_INGRESS] = 1, [STAGE_EDF] = 2, [STAGE_EGRESS] = 0 },
	};
	int priority = (most < TOP_PRIORITY ? most : TOP_PRIORITY) - below_top[work != WORK_NONE][id];

	return priority < 1 ? 1 : priority;
}

/* The best there is for this process. Leaves it in force, and in *err why it is not SCHED_FIFO. */
static enum rank find_rank(struct place *p, enum work_kind work, int *err)
{
	struct rlimit limit = { 0 };

	getrlimit(RLIMIT_RTPRIO, &limit);
	p->priority = place_priority(p->id, work, TOP_PRIORITY);
	*err = watch_cpu_time(p); /* no real time without its bound */
	if (!*err)
		*err = set_rank(p, RANK_FIFO);
	if (*err == -EPERM && limit.rlim_cur > 0) {
		p->priority = place_priority(p->id, work, (int)limit.rlim_cur);
		*err = set_rank(p, RANK_FIFO);
	}
	if (!*err)
		return RANK_FIFO;
	if (!set_rank(p, RANK_NICE))
		return RANK_NICE;
	return !set_rank(p, RANK_SLICE) && scheduling_has_slice(SLICE_NS) ? RANK_SLICE : RANK_PLAIN;
}

/* One line for all stages on a CPU: the last of them speaks. */
static bool speaks(const struct place *p)
{
	return p->mates >> (p->id + 1) == 0;
}

static void explain(const struct place *p, enum fifo fifo, int err)
{
	static const char *const instead[] = { "normal priority", "normal priority in slices of 100 us", "nice -5" };
	char allows[200];

	snprintf(allows, sizeof(allows),
		 "CAP_SYS_NICE, or `ulimit -r %d` (limits.conf: rtprio %d), or in a unit LimitRTPRIO=%d", TOP_PRIORITY,
		 TOP_PRIORITY, TOP_PRIORITY);
	if (may_raise())
		snprintf(allows, sizeof(allows), "a cgroup that has real time (cpu.rt_runtime_us)");
	if (err == -EAGAIN || err == -ENOMEM)
		log_warn("no real time: no timer to bound it by: %s: %s instead, until this stage starts again",
			 strerror(-err), instead[p->may]);
	else if (fifo == FIFO_ON)
		log_warn("no real time: SCHED_FIFO: %s: %s instead; it needs %s", strerror(-err), instead[p->may],
			 allows);
	else if (speaks(p))
		log_info("no real time: SCHED_FIFO: %s: %s instead; to have it: %s", strerror(-err), instead[p->may],
			 allows);
}

/* The CPU it should be pinned to, or -1. */
static int cpu_for(const struct config *c, enum stage_id id, const cpu_set_t *allowed)
{
	return c->cpu[id] == CPU_AUTO ? cpu_choose(allowed, handed_shard()) : c->cpu[id];
}

static void pin(struct place *p, const struct config *c)
{
	cpu_set_t allowed, set;

	p->cpu = -1;
	p->n_cpus = 1;
	p->mates = 1U << p->id;
	if (sched_getaffinity(0, sizeof(allowed), &allowed) < 0)
		return;
	p->cpu = cpu_for(c, p->id, &allowed);
	for (int i = 0; i < N_STAGES; i++)
		if (cpu_for(c, (enum stage_id)i, &allowed) == p->cpu)
			p->mates |= 1U << i;
	if (p->cpu < 0) {
		p->n_cpus = (uint32_t)CPU_COUNT(&allowed);
		return;
	}
	CPU_ZERO(&set);
	CPU_SET((unsigned int)p->cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		log_warn("pin to CPU %d: %s: it runs unpinned; see `cpus`", p->cpu, strerror(errno));
}

static uint64_t cpu_of(const struct place *p, int i)
{
	return atomic_load_explicit(&p->blocks[i].cpu_ns, memory_order_relaxed);
}

static void tell_cpu(const struct place *p)
{
	atomic_store_explicit(&p->blocks[p->id].cpu_ns, clock_read_ns(CLOCK_THREAD_CPUTIME_ID), memory_order_relaxed);
}

/* CPU time that a stage used since seen[i], which is set to now. A successor begins again at 0. */
static uint64_t used_ns(const struct place *p, int i, uint64_t seen[N_STAGES])
{
	uint64_t now = cpu_of(p, i), before = seen[i];

	seen[i] = now;
	return now >= before ? now - before : now;
}

void place_stand_by(struct place *p, const struct config *c, enum stage_id id)
{
	memset(p, 0, sizeof(*p));
	p->id = id;
	p->priority = place_priority(id, c->work, TOP_PRIORITY);
	pin(p, c);
	if (c->fifo != FIFO_OFF)
		set_rank(p, RANK_FIFO); /* or not: place_open() finds the best there is */
}

void place_open(struct place *p, const struct config *c, enum stage_id id, struct stage_block *blocks)
{
	int err = 0;

	memset(p, 0, sizeof(*p));
	p->id = id;
	p->blocks = blocks;
	room_init(&p->room);
	pin(p, c);
	tell_policy(p, SCHED_OTHER);
	if (c->fifo != FIFO_OFF) {
		atexit(place_close);
		p->may = find_rank(p, c->work, &err);
		if (p->may >= RANK_NICE)
			take(p);
		if (p->may != RANK_FIFO)
			explain(p, c->fifo, err);
	}
	tell_cpu(p);
	for (int i = 0; i < N_STAGES; i++)
		p->seen_cpu_ns[i] = p->waits_cpu_ns[i] = cpu_of(p, i);
	prctl(PR_SET_TIMERSLACK, 1000UL, 0, 0, 0); /* 1 us: parks and shaper waits end on time */
}

int place_holds_up_others(const struct place *p)
{
	return p->cpu >= 0 && p->mates != 1U << p->id && p->may == RANK_FIFO &&
	       atomic_load_explicit(&p->has, memory_order_relaxed);
}

static bool may_speak(struct place *p, enum line line, uint64_t now, uint64_t pause_ns)
{
	if (now < p->told_ns[line])
		return false;
	p->told_ns[line] = now + pause_ns;
	return true;
}

static const char *cpu_name(const struct place *p, char text[24])
{
	snprintf(text, 24, p->cpu < 0 ? "its CPU" : "CPU %d", p->cpu);
	return text;
}

/* What of one CPU was used in took_ns: of that they are pinned to, or of those they may run on. */
static uint64_t used_of_cpu_ns(struct place *p)
{
	uint64_t all_ns = 0, own_ns = 0;

	for (int i = 0; i < N_STAGES; i++) {
		uint64_t ns = used_ns(p, i, p->seen_cpu_ns);

		all_ns += p->mates >> i & 1 ? ns : 0;
		own_ns += i == (int)p->id ? ns : 0;
	}
	return all_ns / p->n_cpus > own_ns ? all_ns / p->n_cpus : own_ns;
}

static void look_at_room(struct place *p, uint64_t now)
{
	uint64_t used_ns = used_of_cpu_ns(p), took_ns = now - p->seen_at_ns;
	int had = atomic_load_explicit(&p->has, memory_order_relaxed), was_bound;
	char cpu[24];

	if (p->may < RANK_NICE || p->seen_at_ns == 0 || took_ns == 0)
		return;
	was_bound = !had && !p->room.is_given_back;
	if (was_bound)
		room_refuse(&p->room);
	if (room_look(&p->room, took_ns, used_ns)) {
		if (had)
			return;
		take(p);
		if (speaks(p) && may_speak(p, LINE_TAKEN, now, ROOM_LINE_NS))
			log_info("real time taken again: the stages use %u %% of %s", p->room.used / 10,
				 cpu_name(p, cpu));
		return;
	}
	if (had)
		give_back(p);
	if (was_bound && may_speak(p, LINE_GIVEN, now, ROOM_LINE_NS))
		log_warn("real time lost: it worked for %llu ms without a beat",
			 (unsigned long long)(BOUND_NS / NS_PER_MS));
	else if (had && speaks(p) && may_speak(p, LINE_GIVEN, now, ROOM_LINE_NS))
		log_info("real time given back: the stages use %u %% of %s, and others need room there",
			 p->room.used / 10, cpu_name(p, cpu));
}

/* While this stage was ready to run, the CPU was others': not other stages', as far as one can tell. */
static void look_at_waits(struct place *p, uint64_t now)
{
	uint64_t others_ns = 0, took_ns = now - p->waits_at_ns, new_ns;
	bool is_first = p->waits_at_ns == 0;
	struct waits before = p->waits;
	char cpu[24];

	if (p->waits_fd < 0)
		return;
	if (p->waits_fd)
		waits_read_own(p->waits_fd, &p->waits);
	else
		waits_read((uint32_t)getpid(), &p->waits);
	p->waits.is_ready = 0; /* it runs */
	p->waits_at_ns = now;
	new_ns = waits_between(&before, &p->waits, took_ns);
	for (int i = 0; i < N_STAGES; i++)
		if (i != (int)p->id)
			others_ns += used_ns(p, i, p->waits_cpu_ns);
	if (is_first || new_ns <= others_ns || (new_ns - others_ns) * 100 < took_ns * STARVED_PERCENT)
		return;
	if (may_speak(p, LINE_STARVED, now, STARVED_LINE_NS))
		log_warn("starved: for %llu %% of the last %.1f s it was ready to run, and others had %s: leave it "
			 "more of "
			 "that CPU, or give the stages another (`cpus`)",
			 (unsigned long long)((new_ns - others_ns) * 100 / took_ns), (double)took_ns / 1e9,
			 cpu_name(p, cpu));
}

void place_look(struct place *p, uint64_t now)
{
	int is_first;

	if (now < p->due_ns)
		return;
	is_first = p->due_ns == 0;
	p->due_ns = now + LOOK_NS;
	atomic_store_explicit(&p->looked, 1, memory_order_relaxed);
	tell_cpu(p);
	look_at_room(p, now);
	p->seen_at_ns = now;
	/* a successor has packets to pass on before it reads files */
	if (!is_first && now - p->waits_at_ns >= WAITS_NS)
		look_at_waits(p, now);
}
