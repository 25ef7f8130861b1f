/* work.c - the work done per packet. */
#include "work.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "journal.h"
#include "log.h"

#define TIMER_MISS_NS (60 * NS_PER_US) /* p99 of a timer's lateness on a VM: the stretch to spin for */

static struct edf_journal *crash_journal; /* for the signal handler, which gets no argument */

/* Async-signal-safe: atomics only. Note the packet, then die of the signal as before. */
static void on_crash(int sig)
{
	uint64_t at_work = atomic_load_explicit(&crash_journal->working, memory_order_relaxed);

	if (at_work) {
		int again = atomic_load_explicit(&crash_journal->crashed_on, memory_order_relaxed) == at_work;
		uint32_t before = again ? atomic_load_explicit(&crash_journal->crashes, memory_order_relaxed) : 0;

		atomic_store_explicit(&crash_journal->crashes, before + 1, memory_order_relaxed);
		atomic_store_explicit(&crash_journal->crashed_on, at_work, memory_order_relaxed);
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

static void catch_crashes(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	static char stack[16384]; /* of its own: a plugin may have overrun the stage's */
	stack_t own = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction act = { .sa_handler = on_crash, .sa_flags = SA_ONSTACK | SA_NODEFER };

	sigaltstack(&own, NULL);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &act, NULL);
}

static int open_plugin(struct work *w, const char *file)
{
	int err;

	w->object = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (!w->object) {
		log_error("load plugin %s: %s", file, dlerror());
		return EXIT_CONFIG;
	}
	w->plugin = dlsym(w->object, "ontime_plugin");
	if (!w->plugin || w->plugin->abi < 1 || w->plugin->abi > ONTIME_PLUGIN_ABI || !w->plugin->work) {
		log_error("load plugin %s: %s: build it against this version's edf/plugin.h", file,
			  !w->plugin ? "it exports no `ontime_plugin`" : "it has another ABI version");
		return EXIT_CONFIG;
	}
	err = w->plugin->open ? w->plugin->open(&w->state) : 0;
	if (err) {
		log_error("open plugin %s (%s): %s", w->plugin->name, file, strerror(-err));
		return EXIT_TEMPORARY;
	}
	catch_crashes();
	return 0;
}

int work_open(struct work *w, struct stage *s)
{
	memset(w, 0, sizeof(*w));
	w->kind = s->config.work;
	w->journal = crash_journal = &s->seg.shared->edf_journal;
	work_guard(w, 0, 0);
	return w->kind == WORK_PLUGIN ? open_plugin(w, s->config.plugin) : 0;
}

void work_close(struct work *w)
{
	if (w->plugin && w->plugin->close)
		w->plugin->close(w->state);
	if (w->object)
		dlclose(w->object);
}

uint64_t work_simulated_ns(uint32_t bytes)
{
	uint32_t counted = bytes < SIMULATE_FULL_BYTES ? bytes : SIMULATE_FULL_BYTES;

	return SIMULATE_BASE_NS + SIMULATE_BASE_NS * counted / SIMULATE_FULL_BYTES;
}

void work_slice(struct work *w, uint64_t slice_ns, uint64_t (*between)(void *arg, uint64_t worked_ns), void *arg)
{
	w->slice_ns = slice_ns;
	w->between = between;
	w->arg = arg;
}

static void sleep_until(uint64_t until_ns)
{
	struct timespec t = { .tv_sec = (time_t)(until_ns / NS_PER_S), .tv_nsec = (long)(until_ns % NS_PER_S) };

	while (now_ns() < until_ns && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		continue;
}

static void wait_until(uint64_t until_ns)
{
	sleep_until(until_ns - TIMER_MISS_NS);
	while (now_ns() < until_ns)
		continue;
}

/* Returns how long it was interrupted. */
static uint64_t simulate(const struct work *w, uint64_t started_at_ns, uint64_t takes_ns)
{
	uint64_t others_ns = 0;

	for (uint64_t at_ns = w->slice_ns; w->slice_ns && at_ns < takes_ns; at_ns += w->slice_ns) {
		sleep_until(started_at_ns + others_ns + at_ns);
		others_ns += w->between(w->arg, at_ns);
	}
	wait_until(started_at_ns + others_ns + takes_ns);
	return others_ns;
}

/* A packet in the plugin's hands. */
struct plugin_run {
	const struct work *work;
	uint64_t started_at_ns, others_ns;
	uint64_t slice_until_ns; /* UINT64_MAX: no slices */
};

static void checkpoint(struct ontime_packet *packet)
{
	struct plugin_run *run = packet->host;
	uint64_t now;

	if (run->slice_until_ns == UINT64_MAX)
		return;
	now = now_ns();
	if (now < run->slice_until_ns)
		return;
	run->others_ns += run->work->between(run->work->arg, now - run->started_at_ns - run->others_ns);
	run->slice_until_ns = now_ns() + run->work->slice_ns;
}

/* Returns how long it was interrupted. */
static uint64_t run_plugin(const struct work *w, const struct lane_view *v, uint32_t index,
			   struct ontime_packet *packet, struct result *result, uint64_t started_at_ns)
{
	struct plugin_run run = { .work = w, .started_at_ns = started_at_ns, .slice_until_ns = UINT64_MAX };

	if (w->slice_ns)
		run.slice_until_ns = started_at_ns + w->slice_ns;
	packet->in = lane_payload(v, index);
	packet->out = lane_payload(v, index) + v->second_offset;
	packet->out_bytes = 0;
	packet->checkpoint = checkpoint;
	/* cppcheck-suppress autoVariables ; the plugin has it only until it returns */
	packet->host = &run;
	result->drop = w->plugin->work(w->state, packet) == 0 && packet->out_bytes <= packet->out_room_bytes
			       ? DROP_NONE
			       : DROP_POISON;
	result->len_bytes = packet->out_bytes;
	result->second = 1;
	return run.others_ns;
}

uint64_t work_do(struct work *w, const struct lane_view *v, uint32_t index, struct ontime_packet *packet,
		 struct result *result, uint64_t started_at_ns)
{
	result->len_bytes = packet->in_bytes;
	result->drop = DROP_NONE;
	result->second = 0;
	if (w->kind == WORK_SIMULATE)
		return simulate(w, started_at_ns, work_simulated_ns(packet->in_bytes));
	if (w->kind == WORK_PLUGIN)
		return run_plugin(w, v, index, packet, result, started_at_ns);
	return 0;
}

int work_is_poison(const struct work *w, uint32_t class, uint64_t word)
{
	return w->kind == WORK_PLUGIN &&
	       atomic_load_explicit(&w->journal->crashes, memory_order_relaxed) >= CRASHES_UNTIL_POISON &&
	       atomic_load_explicit(&w->journal->crashed_on, memory_order_relaxed) ==
		       journal_pack(class, 1, word >> COUNT_SHIFT);
}

void work_guard(struct work *w, uint32_t class, uint64_t word)
{
	/* relaxed: read by this process's own signal handler */
	atomic_store_explicit(&w->journal->working, word ? journal_pack(class, 1, word >> COUNT_SHIFT) : 0,
			      memory_order_relaxed);
}
