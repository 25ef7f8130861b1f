/* workers.c - processes that work on packets at one time. */
#include "workers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "worker.h"

#define OPENING_MOST_NS (60 * NS_PER_S)
#define FIRST_PAUSE_NS (10 * NS_PER_MS)
#define LONGEST_PAUSE_NS NS_PER_S
#define LOOK_NS (20 * NS_PER_MS)
#define DOUBT_NS (500 * NS_PER_MS) /* from a suspicion to the end: all of us may have been frozen */
#define SAY_NS NS_PER_S
#define CLOSE_NS (50 * NS_PER_MS) /* for a plugin to close in peace */
#define CLOSE_LOOK_NS (200 * NS_PER_US)

static _Atomic int child_ended; /* relaxed: set by a signal handler of this process */
static _Atomic uint32_t *own_bell; /* for the handler, which gets no argument */

/* Async-signal-safe. A sleep must end, also one that is about to begin. */
static void on_child(int sig)
{
	int err = errno;

	(void)sig;
	atomic_store_explicit(&child_ended, 1, memory_order_relaxed);
	bell_ring_hard(own_bell);
	errno = err;
}

/* Without one, until the next try, if the kernel has no room for it. */
static void start(struct workers *w, uint32_t k, uint64_t now)
{
	struct worker *one = &w->all[k];
	pid_t edf = getpid(), supervisor = getppid();

	memset(&w->boxes[k], 0, sizeof(w->boxes[k])); /* the one before is gone */
	*one = (struct worker){ .pid = fork(), .since_ns = now, .pause_ns = one->pause_ns };
	if (one->pid == 0) {
		signal(SIGCHLD, SIG_DFL);
		worker_live(w->stage, &w->boxes[k], k, edf, supervisor);
	}
	if (one->pid > 0)
		return;
	if (now >= w->say_at_ns) {
		log_warn("start worker %u: %s: it is tried again; the others go on", k, log_text_of(errno));
		w->say_at_ns = now + SAY_NS;
	}
	one->pid = 0;
	one->since_ns = now + LONGEST_PAUSE_NS;
}

static bool is_ready(const struct workers *w, uint32_t k)
{
	/* relaxed: it stands alone */
	return w->all[k].pid && atomic_load_explicit(&w->boxes[k].state, memory_order_relaxed) == WORKER_READY;
}

/* Has it done all that it was given? */
static bool is_done(const struct workers *w, uint32_t k)
{
	/* ORDER done: acquire; pairs with the release in worker_live(). relaxed: edf's own word */
	return atomic_load_explicit(&w->boxes[k].done, memory_order_acquire) ==
	       atomic_load_explicit(&w->boxes[k].given, memory_order_relaxed);
}

int workers_idle(const struct workers *w)
{
	for (uint32_t k = 0; k < w->n; k++)
		if (!w->all[k].has_task && !w->all[k].is_ended && is_ready(w, k))
			return (int)k;
	return -1;
}

/* relaxed, here and below: for observers, and edf's own words. By 1, or -1 */
static void tell_busy(struct workers *w, int by)
{
	_Atomic uint64_t *busy = &w->stage->self->workers_busy;

	atomic_store_explicit(busy, atomic_load_explicit(busy, memory_order_relaxed) + (uint64_t)by,
			      memory_order_relaxed);
}

void workers_give(struct workers *w, int k, const struct task *task)
{
	struct worker_box *box = &w->boxes[k];
	struct worker *one = &w->all[k];

	one->task = box->task = *task;
	one->has_task = true;
	tell_busy(w, 1);
	/* ORDER given: release; pairs with the acquire in worker_live(). relaxed: edf's own word */
	atomic_store_explicit(&box->given, atomic_load_explicit(&box->given, memory_order_relaxed) + 1,
			      memory_order_release);
	w->stage->rings += (uint64_t)bell_ring(&box->parked, PARKED);
}

bool workers_have_news(const struct workers *w)
{
	for (uint32_t k = 0; k < w->n; k++)
		if (w->all[k].has_task && is_done(w, k))
			return true;
	/* relaxed: a signal handler's own */
	return atomic_load_explicit(&child_ended, memory_order_relaxed);
}

static bool take_result(struct workers *w, uint32_t k, struct task_end *end)
{
	struct worker *one = &w->all[k];

	if (!one->has_task || !is_done(w, k))
		return false;
	*end = (struct task_end){ .task = one->task, .is_done = true, .result = w->boxes[k].result };
	one->has_task = false;
	one->pause_ns = 0;
	w->cannot_open = false;
	tell_busy(w, -1);
	return true;
}

static bool take_done(struct workers *w, struct task_end *end)
{
	for (uint32_t k = 0; k < w->n; k++)
		if (take_result(w, k, end))
			return true;
	return false;
}

/* What its packet is to blame for: not for SIGKILL from outside. */
static bool is_crash(const struct worker *one, int status)
{
	return one->is_ended || WIFEXITED(status) || WTERMSIG(status) != SIGKILL;
}

static void say_end(struct workers *w, uint32_t k, int status, uint64_t now)
{
	const struct worker *one = &w->all[k];
	char how[48], with[CLASS_NAME_BYTES + 48] = "";

	if (now < w->say_at_ns)
		return;
	w->say_at_ns = now + SAY_NS;
	if (one->is_ended)
		snprintf(how, sizeof(how), "was ended, since it hung");
	else if (WIFEXITED(status))
		snprintf(how, sizeof(how), "ended with status %d", WEXITSTATUS(status));
	else
		snprintf(how, sizeof(how), "was ended by signal %d", WTERMSIG(status));
	if (one->has_task)
		snprintf(with, sizeof(with), " at work on a packet of class %s, which is tried again",
			 w->stage->config.classes[one->task.class].name);
	log_warn("worker %u %s%s: another one is started", k, how, with);
}

/* A worker is no more. Returns true if a task ended with it. */
static bool bury(struct workers *w, uint32_t k, int status, uint64_t now, struct task_end *end)
{
	struct worker *one = &w->all[k];
	bool had_task = one->has_task;

	say_end(w, k, status, now);
	atomic_fetch_add_explicit(&w->stage->self->workers_died, 1, memory_order_relaxed);
	if (had_task) {
		tell_busy(w, -1);
		*end = (struct task_end){ .task = one->task };
		end->task.crashes = is_crash(one, status) ? one->task.crashes + 1 : 0;
	}
	w->cannot_open = !is_ready(w, k);
	if (w->cannot_open)
		one->pause_ns = LONGEST_PAUSE_NS;
	one->pid = 0;
	one->has_task = false;
	one->since_ns = now + one->pause_ns;
	one->pause_ns = one->pause_ns == 0			? FIRST_PAUSE_NS
			: one->pause_ns >= LONGEST_PAUSE_NS / 2 ? LONGEST_PAUSE_NS
								: 2 * one->pause_ns;
	w->look_at_ns = 0;
	return had_task;
}

static bool take_dead(struct workers *w, uint64_t now, struct task_end *end)
{
	if (!atomic_exchange_explicit(&child_ended, 0, memory_order_relaxed))
		return false;
	for (uint32_t k = 0; k < w->n; k++) {
		bool has_ended;
		int status;

		if (!w->all[k].pid || waitpid(w->all[k].pid, &status, WNOHANG) != w->all[k].pid)
			continue;
		atomic_store_explicit(&child_ended, 1, memory_order_relaxed); /* others may have, too */
		has_ended = take_result(w, k, end); /* it died when it had said so */
		has_ended |= bury(w, k, status, now, end);
		if (has_ended)
			return true;
	}
	return false;
}

/* For how long it has had what it has. */
static uint64_t taken_ns(const struct workers *w, uint32_t k, uint64_t now)
{
	const struct worker *one = &w->all[k];
	uint64_t since_ns = one->has_task ? one->task.given_at_ns : one->since_ns;

	return (one->has_task || !is_ready(w, k)) && now > since_ns ? now - since_ns : 0;
}

/* Was the CPU that it was ready for others', for most of the time since it was suspected? */
static bool is_starved(struct worker *one, uint64_t now)
{
	struct waits before = one->waits;
	uint64_t doubt_ns = now - one->suspected_at_ns;

	return waits_read((uint32_t)one->pid, &one->waits) == 0 &&
	       waits_between(&before, &one->waits, doubt_ns) > doubt_ns / 2;
}

static void end_hung(struct workers *w, uint32_t k, uint64_t now)
{
	struct worker *one = &w->all[k];
	uint64_t most_ns = one->has_task ? w->stage->config.hung_ms * NS_PER_MS : OPENING_MOST_NS;

	if (one->is_ended)
		return;
	if (taken_ns(w, k, now) <= most_ns) {
		one->suspected_at_ns = 0;
	} else if (!one->suspected_at_ns) {
		one->suspected_at_ns = now;
		waits_read((uint32_t)one->pid, &one->waits);
	} else if (now >= one->suspected_at_ns + DOUBT_NS) {
		if (is_starved(one, now)) {
			one->suspected_at_ns = now;
			return;
		}
		one->is_ended = true;
		kill(one->pid, SIGKILL); /* edf has not reaped it: the pid is its own */
	}
}

/* Where a plugin cannot be opened they try one by one, so that one line a second says so. */
static bool may_start(struct workers *w)
{
	bool is_any_opening = false;

	for (uint32_t k = 0; k < w->n; k++)
		is_any_opening |= w->all[k].pid && !is_ready(w, k);
	return !w->cannot_open || !is_any_opening;
}

static void look_after(struct workers *w, uint64_t now)
{
	uint64_t n_running = 0;

	if (now < w->look_at_ns)
		return;
	w->look_at_ns = now + LOOK_NS;
	for (uint32_t k = 0; k < w->n; k++) {
		if (w->all[k].pid)
			end_hung(w, k, now);
		else if (now >= w->all[k].since_ns && may_start(w))
			start(w, k, now);
		n_running += w->all[k].pid > 0;
	}
	/* relaxed: for observers */
	atomic_store_explicit(&w->stage->self->workers, n_running, memory_order_relaxed);
}

uint64_t workers_due_ns(const struct workers *w)
{
	uint64_t due_ns = UINT64_MAX;

	for (uint32_t k = 0; k < w->n; k++)
		if (!w->all[k].pid && w->all[k].since_ns < due_ns)
			due_ns = w->all[k].since_ns;
	return due_ns;
}

bool workers_next(struct workers *w, uint64_t now, struct task_end *end)
{
	if (take_done(w, end) || take_dead(w, now, end))
		return true;
	look_after(w, now);
	return false;
}

/* What a plugin ends a worker with is no word of the worker's. */
static bool has_refused(const struct workers *w, uint32_t k)
{
	/* relaxed: its writer is gone */
	return atomic_load_explicit(&w->boxes[k].state, memory_order_relaxed) == WORKER_REFUSED;
}

/* 0 once one is ready, or the exit status of one that cannot be. */
static int await_first(struct workers *w)
{
	_Atomic uint32_t *bell = &w->stage->self->parked;

	for (;;) {
		struct timespec pause = { .tv_nsec = CLOSE_LOOK_NS };
		int status;

		for (uint32_t k = 0; k < w->n; k++) {
			if (is_ready(w, k))
				return 0;
			if (!w->all[k].pid || waitpid(w->all[k].pid, &status, WNOHANG) != w->all[k].pid)
				continue;
			w->all[k].pid = 0;
			return has_refused(w, k) ? EXIT_CONFIG : EXIT_TEMPORARY;
		}
		if (asked_to_stop()) /* that is the next thing to be looked at */
			return 0;
		look_after(w, now_ns());
		bell_awake(bell);
		nanosleep(&pause, NULL);
	}
}

/* relaxed: for observers */
static void tell(struct stage *s, uint32_t n_workers)
{
	atomic_store_explicit(&s->self->workers, n_workers, memory_order_relaxed);
	atomic_store_explicit(&s->self->workers_busy, 0, memory_order_relaxed);
}

int workers_open(struct workers *w, struct stage *s)
{
	struct sigaction act = { .sa_handler = on_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP };
	size_t bytes = s->config.workers * sizeof(*w->boxes);
	sigset_t child;
	int status;

	memset(w, 0, sizeof(*w));
	w->stage = s;
	/* cppcheck-suppress invalidFunctionArg ; -1 is what MAP_ANONYMOUS wants */
	w->boxes = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (w->boxes == MAP_FAILED) {
		w->boxes = NULL;
		log_error("map %zu bytes to share with %u workers: %s", bytes, s->config.workers, log_text_of(errno));
		return EXIT_TEMPORARY;
	}
	w->n = s->config.workers;
	own_bell = &s->self->parked;
	sigaction(SIGCHLD, &act, NULL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &child, NULL);
	for (uint32_t k = 0; k < w->n; k++)
		start(w, k, now_ns());
	tell(s, w->n);
	status = await_first(w);
	if (status)
		workers_close(w);
	return status;
}

/* Returns how many still run. */
static uint32_t reap(struct workers *w)
{
	uint32_t left = 0;

	for (uint32_t k = 0; k < w->n; k++) {
		if (w->all[k].pid && waitpid(w->all[k].pid, NULL, WNOHANG) != 0)
			w->all[k].pid = 0;
		left += w->all[k].pid != 0;
	}
	return left;
}

void workers_close(struct workers *w)
{
	uint64_t until_ns = now_ns() + CLOSE_NS;
	struct timespec pause = { .tv_nsec = CLOSE_LOOK_NS };

	if (!w->boxes)
		return;
	signal(SIGCHLD, SIG_DFL);
	for (uint32_t k = 0; k < w->n; k++) {
		atomic_store_explicit(&w->boxes[k].is_asked_to_end, 1, memory_order_relaxed); /* it stands alone */
		bell_ring_hard(&w->boxes[k].parked);
	}
	while (reap(w) && now_ns() < until_ns)
		nanosleep(&pause, NULL);
	for (uint32_t k = 0; k < w->n; k++)
		if (w->all[k].pid) {
			kill(w->all[k].pid, SIGKILL);
			waitpid(w->all[k].pid, NULL, 0);
			w->all[k].pid = 0;
		}
	munmap(w->boxes, w->n * sizeof(*w->boxes));
	w->boxes = NULL;
	w->n = 0;
}
