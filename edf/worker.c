/* worker.c - a process that works on packets for edf. */
#include "worker.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "calls.h"
#include "log.h"

#define WORKER_PARK_NS NS_PER_S

/* What a supervisor lets its children have: edf itself may be pinned. */
static void unpin(pid_t supervisor)
{
	cpu_set_t set;

	if (supervisor <= 1 || sched_getaffinity(supervisor, sizeof(set), &set) < 0)
		memset(&set, 0xff, sizeof(set));
	sched_setaffinity(0, sizeof(set), &set);
}

/* A stop, a reload and a Ctrl-C are edf's business. */
static void become_worker(uint32_t k, pid_t edf, pid_t supervisor)
{
	static const int edfs[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGQUIT };
	char name[16];

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != edf)
		_exit(0);
	for (size_t i = 0; i < sizeof(edfs) / sizeof(edfs[0]); i++)
		signal(edfs[i], SIG_IGN);
	signal(SIGXCPU, SIG_DFL);
	snprintf(name, sizeof(name), WORKER_NAME "%u", k);
	prctl(PR_SET_NAME, name, 0, 0, 0);
	unpin(supervisor);
}

static void work_on(struct work *work, const struct stage *s, struct worker_box *box)
{
	const struct task *t = &box->task;
	const struct lane_view *v = &s->seg.views[t->class];
	uint32_t index = (uint32_t)t->count & v->mask;
	struct ontime_packet packet = work_packet(s, t->class, index, t->deadline_ns);

	box->result = (struct result){ .started_at_ns = now_ns() };
	work_guard(work, t->class, (t->count + 1) << COUNT_SHIFT); /* as when it is passed on: never 0 */
	work_do(work, v, index, &packet, &box->result, box->result.started_at_ns);
	work_guard(work, t->class, 0);
	box->result.done_at_ns = now_ns();
}

static void ring_edf(const struct stage *s)
{
	bell_ring(&s->blocks[STAGE_EDF].parked, PARKED);
}

void worker_live(const struct stage *s, struct worker_box *box, uint32_t k, pid_t edf, pid_t supervisor)
{
	struct work work;
	uint64_t reopen_at_ns = 0;
	uint32_t done = 0;
	char name[16];
	int status;

	become_worker(k, edf, supervisor);
	snprintf(name, sizeof(name), WORKER_NAME "%u", k);
	stage_shut_opening(s, name, edf_allow);
	status = work_open(&work, s, &box->journal);
	if (status == EXIT_CONFIG) /* relaxed: read when this process is gone */
		atomic_store_explicit(&box->state, WORKER_REFUSED, memory_order_relaxed);
	if (status)
		_exit(status);
	stage_shut_worker(s, name, edf_allow_worker);
	atomic_store_explicit(&box->state, WORKER_READY, memory_order_relaxed); /* it stands alone */
	ring_edf(s);
	/* relaxed: it stands alone */
	while (!atomic_load_explicit(&box->is_asked_to_end, memory_order_relaxed)) {
		/* ORDER given: acquire; pairs with the release in workers_give(). The task first, then the count. */
		if (atomic_load_explicit(&box->given, memory_order_acquire) != done) {
			work_on(&work, s, box);
			/*
			 * ORDER done: release; pairs with the acquire in is_done(). The result first, then the count.
			 */
			atomic_store_explicit(&box->done, ++done, memory_order_release);
			ring_edf(s);
			continue;
		}
		bell_announce(&box->parked, PARKED);
		/* relaxed, both: asked for again before anything is done */
		if (atomic_load_explicit(&box->given, memory_order_relaxed) == done &&
		    !atomic_load_explicit(&box->is_asked_to_end, memory_order_relaxed))
			bell_sleep(&box->parked, PARKED, WORKER_PARK_NS);
		bell_awake(&box->parked);
		/* a plugin may have changed who it is: then the kernel does not end it with edf */
		if (getppid() != edf)
			_exit(0);
		if (now_ns() >= reopen_at_ns) {
			log_reopen();
			reopen_at_ns = now_ns() + WORKER_PARK_NS;
		}
	}
	work_close(&work);
	_exit(0);
}
