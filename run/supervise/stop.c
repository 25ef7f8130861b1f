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

static uint64_t held_pkts(const struct segment *seg)
{
	uint64_t held = 0;

	for (uint32_t class = 0; class < seg->n_classes; class++)
		held += class_held_pkts(seg, class);
	return held;
}

static struct life *life_of(struct supervisor *s, enum stop_step step)
{
	return step == STOP_INGRESS  ? &s->lives[STAGE_INGRESS]
	       : step == STOP_EDF    ? &s->lives[STAGE_EDF]
	       : step == STOP_EGRESS ? &s->lives[STAGE_EGRESS]
				     : NULL;
}

static void enter(struct supervisor *s, enum stop_step step, uint64_t now)
{
	struct life *l = life_of(s, step);

	s->stopping.step = step;
	s->stopping.due_ns = now + (step == STOP_LANES ? STOP_DRAIN_NS : STOP_STAGE_NS);
	if (l)
		life_finish(l, step == STOP_INGRESS ? SIGUSR1 : SIGTERM);
}

void stop_begin(struct supervisor *s, uint64_t now)
{
	if (s->stopping.step != STOP_NOT_ASKED)
		return;
	log_info(
		"the instance is being stopped: ingress first, then what is in the lanes is sent, then edf and egress");
	for (int id = 0; id < N_STAGES; id++) /* relaxed: a successor reads it when this process has ended */
		atomic_store_explicit(&s->seg.shared->stages[id].is_stopping, 1, memory_order_relaxed);
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
	struct life *l = life_of(s, s->stopping.step);
	int is_late = now >= s->stopping.due_ns;

	if (!l) {
		s->stopping.left_pkts = held_pkts(&s->seg);
		s->stopping.down = (uint32_t)(s->lives[STAGE_EDF].state != LIFE_RUNS) << STAGE_EDF |
				   (uint32_t)(s->lives[STAGE_EGRESS].state != LIFE_RUNS) << STAGE_EGRESS;
		return s->stopping.left_pkts == 0 || is_late;
	}
	life_ask_to_finish(l, &s->seg);
	if (is_late)
		life_give_up(l);
	return l->state == LIFE_OVER;
}

int stop_tend(struct supervisor *s, uint64_t now)
{
	if (s->stopping.step == STOP_NOT_ASKED)
		return 0;
	while (s->stopping.step != STOP_DONE && is_over(s, now))
		enter(s, s->stopping.step + 1, now);
	return s->stopping.step == STOP_DONE;
}

void stop_describe(const struct supervisor *s, char *text, size_t bytes)
{
	size_t len;

	if (s->stopping.left_pkts == 0) {
		snprintf(text, bytes, "all that was accepted has been sent");
		return;
	}
	len = (size_t)snprintf(text, bytes, "not sent within %d s, and gone:", (int)(STOP_DRAIN_NS / NS_PER_S));
	for (uint32_t class = 0; class < s->seg.n_classes && len < bytes; class++) {
		uint64_t n = class_held_pkts(&s->seg, class);

		if (n)
			len += (size_t)snprintf(text + len, bytes - len, " %llu of class %s,", (unsigned long long)n,
						s->config.classes[class].name);
	}
	len = len < bytes ? len - 1 : len; /* the last comma */
	for (int id = 0; id < N_STAGES && len < bytes; id++)
		if (s->stopping.down >> id & 1)
			len += (size_t)snprintf(text + len, bytes - len, "; %s did not run", stage_name(id));
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
