/* work.c - the work done per packet. */
#include "work.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ending.h"
#include "shm/journal.h"
#include "log.h"
#include "stage/standby.h"

#define TIMER_MISS_NS (60 * NS_PER_US) /* p99 of a timer's lateness on a VM: the stretch to spin for */

/* Is what others may write to kept out? 0, or -1 after one line. */
static int check_file(const char *file, const struct stat *st)
{
	int is_own_group = geteuid() != 0 && st->st_gid == getegid();

	if (!S_ISREG(st->st_mode)) {
		log_error("load plugin %s: it is no regular file", file);
		return -1;
	}
	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		log_error("load plugin %s: it belongs to uid %u, who could make this stage (uid %u) do anything: chown "
			  "it",
			  file, st->st_uid, geteuid());
		return -1;
	}
	if ((st->st_mode & S_IWOTH) || ((st->st_mode & S_IWGRP) && st->st_gid != 0 && !is_own_group)) {
		log_error("load plugin %s: others may write to it (mode %03o): chmod go-w it", file,
			  st->st_mode & 0777);
		return -1;
	}
	return 0;
}

/*
 * The file that was checked is the one that is loaded, whatever happens to its name meanwhile. All that can be wrong
 * with it passes:
 * it may be about to be built or installed again.
 */
static int load(struct work *w, const char *file)
{
	char path[32];
	struct stat st;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), err;

	if (fd < 0 || fstat(fd, &st) < 0) {
		log_error("load plugin %s: %s: it is tried again", file, log_text_of(errno));
		return -1;
	}
	err = check_file(file, &st);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	w->object = err ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!err && !w->object)
		log_error("load plugin %s: %s: it is tried again", file, dlerror());
	close(fd);
	return w->object ? 0 : -1;
}

static int open_plugin(struct work *w, const char *file, const struct segment *seg)
{
	int err;

	ending_watch(w->journal, seg);
	ending_hold(1); /* its constructors run, too */
	err = load(w, file);
	w->plugin = err ? NULL : dlsym(w->object, "ontime_plugin");
	if (!err && (!w->plugin || w->plugin->abi < 1 || w->plugin->abi > ONTIME_PLUGIN_ABI || !w->plugin->work)) {
		log_error("load plugin %s: %s: build it against this version's edf/plugin.h", file,
			  !w->plugin ? "it exports no `ontime_plugin`" : "it has another ABI version");
		ending_hold(0);
		return EXIT_CONFIG;
	}
	if (!err && w->plugin->open) {
		err = w->plugin->open(&w->state);
		if (err)
			log_error("open plugin %s (%s): %s", w->plugin->name, file, log_text_of(-err));
	}
	ending_hold(0);
	return err ? EXIT_TEMPORARY : 0;
}

int work_open(struct work *w, const struct stage *s, struct edf_journal *journal)
{
	memset(w, 0, sizeof(*w));
	w->kind = s->config.work;
	w->n_classes = s->config.n_classes;
	w->journal = journal;
	ending_recall(w->journal, w->kind == WORK_PLUGIN ? getenv(STANDBY_LAST_END) : NULL);
	return w->kind == WORK_PLUGIN ? open_plugin(w, s->config.plugin, &s->seg) : 0;
}

void work_close(struct work *w)
{
	ending_hold(1);
	if (w->plugin && w->plugin->close)
		w->plugin->close(w->state);
	if (w->object)
		dlclose(w->object);
	ending_hold(0);
	ending_unwatch();
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

struct ontime_packet work_packet(const struct stage *s, uint32_t class, uint32_t index, uint64_t deadline_ns)
{
	const struct lane_view *v = &s->seg.views[class];
	const struct arrival *a = &v->arrivals[index];
	uint32_t skip_bytes = lane_skip_bytes(v, index);
	struct ontime_packet packet = {
		.in = lane_payload(v, index) + skip_bytes,
		.in_bytes = once(a->len_bytes),
		.out_room_bytes = s->config.payload_bytes,
		.class_rank = class,
		.arrived_at_ns = a->arrived_at_ns,
		.deadline_ns = deadline_ns,
	};

	stage_check_length(s, class, (uint64_t)packet.in_bytes + skip_bytes);
	return packet;
}

uint64_t work_do(struct work *w, const struct lane_view *v, uint32_t index, struct ontime_packet *packet,
		 struct result *result, uint64_t started_at_ns)
{
	uint64_t others_ns;

	result->len_bytes = packet->in_bytes;
	result->drop = DROP_NONE;
	result->second = 0;
	if (w->kind == WORK_NONE)
		return 0;
	assert(w->depth < w->n_classes);
	w->depth++;
	if (w->kind == WORK_SIMULATE)
		others_ns = simulate(w, started_at_ns, work_simulated_ns(packet->in_bytes));
	else
		others_ns = run_plugin(w, v, index, packet, result, started_at_ns);
	w->depth--;
	return others_ns;
}

/* One packet among all, as the journal keeps it: its class and count, packed as a call of one packet would be. */
static uint64_t packet_id(uint32_t class, uint64_t word)
{
	return journal_pack(class, 1, word >> COUNT_SHIFT);
}

int work_is_poison(const struct work *w, uint32_t class, uint64_t word)
{
	/* relaxed: stored by this process at its start, or by one that is gone */
	return w->kind == WORK_PLUGIN &&
	       atomic_load_explicit(&w->journal->crashes, memory_order_relaxed) >= CRASHES_UNTIL_POISON &&
	       atomic_load_explicit(&w->journal->crashed_on, memory_order_relaxed) == packet_id(class, word);
}

void work_guard(struct work *w, uint32_t class, uint64_t word)
{
	/* relaxed: read by this process's own handlers, and by a successor */
	atomic_store_explicit(&w->journal->working, word ? packet_id(class, word) : 0, memory_order_relaxed);
}
