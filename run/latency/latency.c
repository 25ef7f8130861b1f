/*
 * latency.c - attach the latency histograms to a running instance, and leave.
 *
 * Memory:  what is attached lives in the kernel, held by pins (pins.h); this program ends when it works.
 * Rules:   called again, it attaches what is not attached yet: a rebuilt binary. It believes no return value: it waits
 *          until the probes of each running stage have been hit, at the latest by its next heartbeat.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "clock.h"
#include "config/instance.h"
#include "latency.h"
#include "attach.h"
#include "load.h"
#include "owner.h"
#include "pins.h"
#include "log.h"
#include "shm/lock.h"
#include "options/latency.h"

#define EXIT_FAILED 1
#define PATIENCE_NS (3 * NS_PER_S) /* three of the longest heartbeats */
#define OTHERS_NS (20 * NS_PER_S) /* longer than one that waits as long as it may; launch waits for us */

enum action { ATTACH, STATUS, DETACH, RESET, WAKEUPS, NO_WAKEUPS };

static int read_stage(const struct pins *p, uint32_t id, struct latency_stage *s)
{
	return pins_read(p, "parts/stages", id, s, sizeof(*s));
}

/* Wait until the probes of all running stages have been hit. 0, or -1 after one line. */
static int verify(const struct pins *p, const struct segment *seg)
{
	uint64_t before[N_STAGES] = { 0 }, until_ns = now_ns() + PATIENCE_NS;
	struct latency_stage s;

	for (uint32_t id = 0; id < N_STAGES; id++)
		if (read_stage(p, id, &s) == 0)
			before[id] = s.hits;
	for (uint32_t id = 0; id < N_STAGES; id++) {
		while (segment_stage_is_alive(seg, (enum stage_id)id) && now_ns() < until_ns) {
			if (read_stage(p, id, &s) == 0 && s.hits != before[id])
				break;
			usleep(1000);
		}
		if (now_ns() >= until_ns) {
			log_error("attached, but %s does not hit its probe: does it hang? run/status.sh",
				  stage_name((enum stage_id)id));
			return -1;
		}
	}
	return 0;
}

/* Load what is not loaded, link what is not linked. */
static int attach_all(struct pins *p, const struct segment *seg, int *n_new)
{
	int err = 0, fresh = !load_is_current(p, seg);

	for (int multi = 1; multi >= 0; multi--) {
		if (fresh) {
			pins_remove(p);
			if (load_program(p, seg, multi))
				return -1;
		}
		err = 0;
		for (enum stage_id id = 0; id < N_STAGES && !err; id++)
			err = attach_stage(p, seg, id, n_new);
		if (err != -ENOTSUP || !fresh)
			break;
	}
	if (err && fresh)
		pins_remove(p);
	if (err == -ENOTSUP)
		pins_explain("attach to the stages", ENOTSUP);
	return err;
}

static int attach(struct pins *p, const struct segment *seg)
{
	int n_new = 0;

	if (attach_all(p, seg, &n_new) || verify(p, seg))
		return EXIT_FAILED;
	log_info("instance '%s': histograms are %s: cat %s/%s/report", p->instance,
		 n_new ? "attached" : "attached already", PINS_ROOT, p->instance);
	return 0;
}

static void print_lost(const struct pins *pins, uint32_t id, uint32_t n_classes)
{
	uint64_t missed = 0, again = 0, batches = 0;

	for (uint32_t class = 0; class < n_classes; class++) {
		struct latency_progress p;

		if (pins_read(pins, "parts/progress", id * LATENCY_CLASSES + class, &p, sizeof(p)))
			continue;
		missed += p.missed_pkts;
		again += p.again_batches;
		batches += p.batches;
	}
	printf(" %12llu %14llu %8llu\n", (unsigned long long)batches, (unsigned long long)again,
	       (unsigned long long)missed);
}

/* One line per stage. Returns 1 if all that runs is attached. */
static int print_stages(const struct pins *p, const struct segment *seg)
{
	int attached = 1;

	printf("%-8s %8s %-12s %12s %14s %8s\n", "stage", "pid", "probe", "batches", "counted again", "missed");
	for (enum stage_id id = 0; id < N_STAGES; id++) {
		struct binary binaries[MOST_BINARIES];
		int n = binaries_find(seg, id, binaries), n_linked = 0, is_running = 0, runs_linked = 0;
		char name[64], part[80];

		for (int i = 0; i < n; i++) {
			int linked;

			snprintf(part, sizeof(part), "parts/%s", attach_name(id, &binaries[i], name));
			linked = pins_has(p, part);
			n_linked += linked;
			is_running |= binaries[i].is_running;
			runs_linked |= binaries[i].is_running && linked;
		}
		binaries_close(binaries, n);
		attached &= n_linked == n;
		/* relaxed: for people */
		printf("%-8s %8u %-12s", stage_name(id),
		       atomic_load_explicit(&seg->shared->stages[id].pid, memory_order_relaxed),
		       n_linked == n ? "attached"
		       : !is_running ? "not running"
		       : runs_linked ? "rebuilt"
				     : "NOT attached");
		print_lost(p, (uint32_t)id, seg->n_classes);
	}
	return attached;
}

static int status(const struct pins *p, const struct segment *seg)
{
	if (!pins_has(p, "parts/settings")) {
		log_error("instance '%s': no histograms are attached: build/latency attaches them", p->instance);
		return EXIT_FAILED;
	}
	if (!load_is_current(p, seg)) {
		log_error("instance '%s': what is attached is of an earlier launch or build: build/latency replaces it",
			  p->instance);
		return EXIT_FAILED;
	}
	if (!print_stages(p, seg)) {
		log_error("a binary was built since: build/latency attaches to it too");
		return EXIT_FAILED;
	}
	printf("wake-ups: %s\n", pins_has(p, "parts/link-switched") ? "measured" : "not measured");
	return 0;
}

static int reset(const struct pins *p)
{
	struct latency_control control;
	int err = pins_read(p, "parts/control", 0, &control, sizeof(control));

	if (!err) {
		control.generation++;
		err = pins_write(p, "parts/control", 0, &control, sizeof(control));
	}
	if (err) {
		log_error("reset instance '%s': %s", p->instance,
			  err == -ENOENT ? "no histograms are attached: build/latency attaches them" : strerror(-err));
		return EXIT_FAILED;
	}
	log_info("instance '%s': counting from now on", p->instance);
	return 0;
}

static int link_tracepoint(const struct pins *p, const char *program)
{
	char part[64], path[PIN_BYTES];
	int program_fd, fd, err;

	snprintf(part, sizeof(part), "parts/link-%s", program);
	if (pins_has(p, part))
		return 0;
	pins_path(p, part, path);
	snprintf(part, sizeof(part), "parts/program-%s", program);
	program_fd = pins_open(p, part);
	if (program_fd < 0)
		return program_fd;
	fd = bpf_raw_tracepoint_open(NULL, program_fd);
	err = fd < 0 ? -errno : 0;
	close(program_fd);
	if (err)
		return err;
	err = bpf_obj_pin(fd, path) < 0 ? -errno : 0;
	close(fd);
	return err;
}

static int wakeups(struct pins *p, const struct segment *seg, int wanted)
{
	int n_new = 0, err = 0;

	if (wanted) {
		if (attach_all(p, seg, &n_new) || verify(p, seg))
			return EXIT_FAILED;
		err = link_tracepoint(p, "waking");
		if (!err)
			err = link_tracepoint(p, "switched");
	} else {
		pins_unlink(p, "parts/link-waking");
		pins_unlink(p, "parts/link-switched");
	}
	if (err) {
		pins_explain("attach to the scheduler's tracepoints", -err);
		return EXIT_FAILED;
	}
	log_info("instance '%s': wake-ups are %s", p->instance, wanted ? "measured" : "not measured any more");
	return 0;
}

static int detach(const char *instance)
{
	char why[WHY_BYTES];
	struct pins p;
	int err = pins_enter(&p, instance, why), n = err ? 0 : pins_remove(&p);

	pins_leave(&p);
	if (err == -EPERM)
		log_error("detach instance '%s': %s", instance, why);
	else if (n > 0)
		log_info("instance '%s': histograms are detached", instance);
	else if (n < 0)
		log_error("remove the pins of instance '%s': %s", instance, strerror(-n));
	return err == -EPERM || n < 0 ? EXIT_FAILED : 0;
}

/* One at a time: supervisor and operator may both have seen that a stage was rebuilt. 0, or -1 after one line. */
static int wait_for_others(const struct segment *seg)
{
	uint64_t until_ns = now_ns() + OTHERS_NS;

	while (flock(seg->fd, LOCK_EX | LOCK_NB) < 0) {
		if (now_ns() < until_ns) {
			usleep(10000);
			continue;
		}
		log_error("another build/latency has been at work on segment %s for %u s: see what it waits for, or "
			  "end it",
			  seg->name, (unsigned int)(OTHERS_NS / NS_PER_S));
		return -1;
	}
	return 0;
}

static int act_on_pins(enum action action, const char *instance, const struct segment *seg)
{
	char why[WHY_BYTES];
	struct pins p;
	int exit_status;

	if (pins_enter(&p, instance, why)) {
		log_error("histograms of instance '%s': %s", instance, why);
		exit_status = EXIT_FAILED;
	} else {
		exit_status = action == ATTACH	 ? attach(&p, seg)
			      : action == STATUS ? status(&p, seg)
			      : action == RESET	 ? reset(&p)
						 : wakeups(&p, seg, action == WAKEUPS);
	}
	pins_leave(&p);
	return exit_status;
}

static int act_on_segment(enum action action, const char *instance, const struct segment *seg)
{
	char why[WHY_BYTES];

	if (segment_must_be_mine(seg, why)) {
		log_error("%s", why);
		return EXIT_FAILED;
	}
	return wait_for_others(seg) ? EXIT_FAILED : act_on_pins(action, instance, seg);
}

static int act(enum action action, const char *instance)
{
	char why[WHY_BYTES];
	struct segment seg;
	int exit_status;

	if (action == DETACH)
		return detach(instance);
	if (pins_why_not())
		return EXIT_FAILED;
	if (segment_observe(&seg, instance, why)) {
		log_error("%s", why);
		return EXIT_FAILED;
	}
	if (seg.n_shards > 1) {
		log_error("instance '%s' has %u shards, and histograms are of one pipeline: build/stat has the latency "
			  "of all, and of each by --shard",
			  instance, seg.n_shards);
		segment_close(&seg);
		return EXIT_FAILED;
	}
	exit_status = owner_become(&seg) ? EXIT_FAILED : act_on_segment(action, instance, &seg);
	segment_close(&seg);
	return exit_status;
}

int main(int argc, char **argv)
{
	static const enum action actions[N_COMMAND_OPTIONS] = {
		[OPTION_STATUS] = STATUS,   [OPTION_DETACH] = DETACH,	      [OPTION_RESET] = RESET,
		[OPTION_WAKEUPS] = WAKEUPS, [OPTION_NO_WAKEUPS] = NO_WAKEUPS,
	};
	const char *given = NULL, *file = NULL;
	void *const places[N_COMMAND_OPTIONS] = { [OPTION_INSTANCE] = &given, [OPTION_CONFIG] = &file };
	char instance[INSTANCE_NAME_BYTES];
	struct command_line line;
	enum action action = ATTACH;
	int option;

	log_set_name("latency");
	command_open(&line, &command, argc, argv, places, NULL);
	while ((option = command_next(&line)) >= 0) {
		if (option == OPTION_VERBOSE)
			load_verbose();
		else if (option == OPTION_OLD_KERNEL)
			attach_as_before();
		else
			action = actions[option];
	}
	if (option != COMMAND_END)
		return command_status(option);
	if (instance_choose(instance, given, file))
		return COMMAND_USAGE;
	return act(action, instance);
}
