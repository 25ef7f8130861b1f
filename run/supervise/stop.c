/* stop.c - the instance is stopped in order. */
#include "stop.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hold/process.h"
#include "hold/spawn.h"
#include "log.h"
#include "supervisor.h"

#define DETACH_MS 3000

static uint64_t class_held_pkts(const struct segment *seg, uint32_t class)
{
	const struct lane *l = seg->views[class].lane;
	uint64_t sent = lane_sent(l);

	return lane_distance_pkts(lane_received(l), sent);
}

/* Of all shards. */
static uint64_t class_left_pkts(const struct supervisor *s, uint32_t class)
{
	uint64_t left = 0;

	for (uint32_t i = 0; i < s->n_lives; i += N_STAGES)
		left += class_held_pkts(supervisor_part(s, &s->lives[i]), class);
	return left;
}

static uint64_t all_left_pkts(const struct supervisor *s)
{
	uint64_t left = 0;

	for (uint32_t class = 0; class < s->seg.n_classes; class++)
		left += class_left_pkts(s, class);
	return left;
}

/* The stage that ends in this step, which each shard has one of; -1: none does. */
static int stage_of(enum stop_step step)
{
	return step == STOP_INGRESS  ? STAGE_INGRESS
	       : step == STOP_EDF    ? STAGE_EDF
	       : step == STOP_EGRESS ? STAGE_EGRESS
				     : -1;
}

static void enter(struct supervisor *s, enum stop_step step, uint64_t now)
{
	int stage = stage_of(step);

	s->stopping.step = step;
	s->stopping.due_ns = now + (step == STOP_LANES ? STOP_DRAIN_NS : STOP_STAGE_NS);
	for (uint32_t i = 0; i < s->n_lives; i++)
		if ((int)s->lives[i].id == stage)
			life_finish(&s->lives[i], step == STOP_INGRESS ? SIGUSR1 : SIGTERM);
}

void stop_begin(struct supervisor *s, uint64_t now)
{
	if (s->stopping.step != STOP_NOT_ASKED)
		return;
	log_info(
		"the instance is being stopped: ingress first, then what is in the lanes is sent, then edf and egress");
	for (uint32_t i = 0; i < s->n_lives; i++) /* relaxed: a successor reads it when this process has ended */
		atomic_store_explicit(&supervisor_part(s, &s->lives[i])->shared->stages[s->lives[i].id].is_stopping, 1,
				      memory_order_relaxed);
	enter(s, STOP_INGRESS, now);
}

void stop_go_on(struct supervisor *s, uint64_t now)
{
	/* relaxed: its writer has ended */
	if (atomic_load_explicit(&s->seg.shared->stages[0].is_stopping, memory_order_relaxed))
		stop_begin(s, now);
}

static int is_over(struct supervisor *s, uint64_t now)
{
	int stage = stage_of(s->stopping.step), is_late = now >= s->stopping.due_ns, n_left = 0;

	if (stage < 0) {
		s->stopping.left_pkts = all_left_pkts(s);
		s->stopping.down = 0;
		for (uint32_t i = 0; i < s->n_lives; i++)
			if (s->lives[i].id != STAGE_INGRESS && s->lives[i].state != LIFE_RUNS)
				s->stopping.down |= 1u << s->lives[i].id;
		return s->stopping.left_pkts == 0 || is_late;
	}
	for (uint32_t i = 0; i < s->n_lives; i++) {
		struct life *l = &s->lives[i];

		if ((int)l->id != stage)
			continue;
		life_ask_to_finish(l, supervisor_part(s, l));
		if (is_late)
			life_give_up(l);
		n_left += l->state != LIFE_OVER;
	}
	return n_left == 0;
}

int stop_tend(struct supervisor *s, uint64_t now)
{
	if (s->stopping.step == STOP_NOT_ASKED)
		return 0;
	while (s->stopping.step != STOP_DONE && is_over(s, now))
		enter(s, s->stopping.step + 1, now);
	if (s->stopping.step == STOP_DONE) /* the last stages may have sent some of it yet */
		s->stopping.left_pkts = all_left_pkts(s);
	return s->stopping.step == STOP_DONE;
}

void stop_describe(const struct supervisor *s, char *text, size_t bytes)
{
	const char *comma = "";
	size_t len;

	if (s->stopping.left_pkts == 0) {
		snprintf(text, bytes, "all that was accepted has been sent");
		return;
	}
	len = (size_t)snprintf(text, bytes, "not sent within %d s, and gone: ", (int)(STOP_DRAIN_NS / NS_PER_S));
	for (uint32_t class = 0; class < s->seg.n_classes && len < bytes; class++) {
		uint64_t n = class_left_pkts(s, class);

		if (n == 0)
			continue;
		len += (size_t)snprintf(text + len, bytes - len, "%s%llu of class %s", comma, (unsigned long long)n,
					s->config.classes[class].name);
		comma = ", ";
	}
	for (int id = 0; id < N_STAGES && len < bytes; id++)
		if (s->stopping.down >> id & 1)
			len += (size_t)snprintf(text + len, bytes - len, "; %s did not run",
						stage_name((enum stage_id)id));
}

/* The pins of the histograms. */
static void unpin(const struct supervisor *s)
{
	char program[PATH_BYTES + 16], pins[96];
	char *argv[] = { program, "--detach", "-i", (char *)s->config.instance, NULL };
	struct stat st;
	int pidfd;
	pid_t pid;

	snprintf(pins, sizeof(pins), "/sys/fs/bpf/ontime/%s", s->config.instance);
	if (lstat(pins, &st) < 0)
		return;
	snprintf(program, sizeof(program), "%s/latency", s->build);
	setenv("ONTIME_LOG", "warning", 1);
	if (spawn(program, argv, 0, -1, &pid, &pidfd))
		return;
	if (process_end(pidfd, 0, DETACH_MS) == 0)
		waitpid(pid, NULL, 0);
	close(pidfd);
}

/* Its name may be another's by now, were it taken away and the instance launched once more. */
static void remove_segment(const struct supervisor *s)
{
	char path[SEGMENT_NAME_BYTES + 16];
	struct stat named, own;

	snprintf(path, sizeof(path), "/dev/shm%s", s->seg.name);
	if (lstat(path, &named) == 0 && fstat(s->seg.fd, &own) == 0 && named.st_ino == own.st_ino)
		segment_remove(s->config.instance);
}

void stop_remove(struct supervisor *s)
{
	char how[512];

	unpin(s);
	remove_segment(s);
	stop_describe(s, how, sizeof(how));
	if (s->stopping.left_pkts)
		log_warn("stopped: %s", how);
	else
		log_info("stopped: %s", how);
	names_remove(&s->names);
}
