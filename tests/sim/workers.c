/*
 * workers.c - processes that work on packets at one time: what edf sees of them. They die as well, and with their edf.
 *
 * Rules:   the functions of edf/workers.h, wrapped at link time. A worker that is done rings its edf: so a sleep of edf
 *          ends when the first of them is.
 */
#include "edf/workers.h"

#include <string.h>

#include "sim.h"

#define FORK_NS (300 * (uint32_t)NS_PER_US) /* from a death to the next life of a worker */
#define LATE_NS (30 * (uint32_t)NS_PER_US) /* from being given a task to its beginning, at most */

/* clang-format off */
int __wrap_workers_open(struct workers *w, struct stage *s);
void __wrap_workers_close(struct workers *w);
int __wrap_workers_idle(const struct workers *w);
void __wrap_workers_give(struct workers *w, int k, const struct task *task);
bool __wrap_workers_next(struct workers *w, uint64_t now, struct task_end *end);
bool __wrap_workers_have_news(const struct workers *w);
uint64_t __wrap_workers_due_ns(const struct workers *w);
/* clang-format on */

static struct {
	struct task_end end; /* of what it has */
	bool has_task;
	uint64_t at_ns; /* when that ends; without a task: since when it is there */
} all[MOST_WORKERS];
static uint32_t n; /* of the edf that lives, or lived last */

int __wrap_workers_open(struct workers *w, struct stage *s)
{
	memset(w, 0, sizeof(*w));
	memset(all, 0, sizeof(all));
	w->stage = s;
	w->n = n = s->config.workers;
	return 0;
}

void __wrap_workers_close(struct workers *w)
{
	w->n = n = 0;
}

int __wrap_workers_idle(const struct workers *w)
{
	for (uint32_t k = 0; k < w->n; k++)
		if (!all[k].has_task && all[k].at_ns <= sim_read_ns())
			return (int)k;
	return -1;
}

void __wrap_workers_give(struct workers *w, int k, const struct task *task)
{
	const struct lane_view *v = &w->stage->seg.views[task->class];
	uint32_t bytes = v->arrivals[(uint32_t)task->count & v->mask].len_bytes;
	uint64_t began_ns = sim_read_ns() + sim_below(&sim.random, LATE_NS);
	struct task_end *end = &all[k].end;

	if (all[k].has_task)
		sim_complain("worker %d is given a second packet", k);
	*end = (struct task_end){ .task = *task, .is_done = true };
	end->result = (struct result){ .started_at_ns = began_ns,
				       .done_at_ns = began_ns + work_simulated_ns(bytes),
				       .len_bytes = bytes };
	all[k].at_ns = end->result.done_at_ns;
	all[k].has_task = true;
	/* as if from outside: no packet becomes poison, as the ledger knows of none */
	if (!sim_happens(FAULT_KILL, 100))
		return;
	end->is_done = false;
	all[k].at_ns = began_ns + sim_below(&sim.random, (uint32_t)work_simulated_ns(bytes));
}

bool __wrap_workers_next(struct workers *w, uint64_t now, struct task_end *end)
{
	for (uint32_t k = 0; k < w->n; k++) {
		if (!all[k].has_task || all[k].at_ns > now)
			continue;
		*end = all[k].end;
		all[k].has_task = false;
		all[k].at_ns = end->is_done ? now : now + FORK_NS;
		return true;
	}
	return false;
}

bool __wrap_workers_have_news(const struct workers *w)
{
	for (uint32_t k = 0; k < w->n; k++)
		if (all[k].has_task && all[k].at_ns <= sim_read_ns())
			return true;
	return false;
}

uint64_t __wrap_workers_due_ns(const struct workers *w)
{
	uint64_t due_ns = UINT64_MAX;

	for (uint32_t k = 0; k < w->n; k++)
		if (!all[k].has_task && all[k].at_ns > sim_read_ns() && all[k].at_ns < due_ns)
			due_ns = all[k].at_ns;
	return due_ns;
}

uint64_t workers_news_ns(void)
{
	uint64_t first_ns = UINT64_MAX;

	for (uint32_t k = 0; k < n; k++)
		if (all[k].at_ns > sim_now_ns() || all[k].has_task)
			first_ns = all[k].at_ns < first_ns ? all[k].at_ns : first_ns;
	return first_ns;
}

bool workers_are_busy(void)
{
	for (uint32_t k = 0; k < n; k++)
		if (!all[k].has_task && all[k].at_ns <= sim_now_ns())
			return false;
	return n > 0;
}
