/*
 * latency.c - attach the latency histograms to a running instance, and leave.
 *
 * Memory:  what is attached lives in the kernel, held by pins (latency_pins.h); this program ends when it works.
 * Rules:   called again, it attaches what is not attached yet: a rebuilt binary. It believes no return value: it waits until
 *          the probes of each running stage have been hit, at the latest by its next heartbeat.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "clock.h"
#include "latency.h"
#include "latency_attach.h"
#include "latency_load.h"
#include "latency_pins.h"
#include "log.h"
#include "version.h"

#define EXIT_FAILED 1
#define EXIT_USAGE 2
#define PATIENCE_NS (3 * NS_PER_S) /* three of the longest heartbeats */

enum action { ATTACH, STATUS, DETACH, RESET, WAKEUPS, NO_WAKEUPS };

static const char *const action_words[] = {
	[ATTACH] = "--attach", [STATUS] = "--status",	[DETACH] = "--detach",
	[RESET] = "--reset",   [WAKEUPS] = "--wakeups", [NO_WAKEUPS] = "--no-wakeups",
};

static void print_help(void)
{
	puts("latency - where the time of each packet goes, per class and stage: histograms by eBPF.\n\n"
	     "usage: latency [--attach | --status | --detach | --reset | --wakeups | --no-wakeups] [-i INSTANCE]\n\n"
	     "  --attach       to all three stages, and leave (the default); again after a build\n"
	     "  --status       what is attached\n"
	     "  --detach       remove all of it\n"
	     "  --reset        count from now on\n"
	     "  --wakeups      measure too how long a woken stage waits for a CPU; costs every process switch a "
	     "little\n"
	     "  --no-wakeups   stop that\n"
	     "  -i INSTANCE    which instance (default: default)\n"
	     "  --old-kernel   attach as on Linux before 6.6: perf events, a nop of 1 byte\n"
	     "  --verbose      what the kernel's verifier says\n"
	     "  --version      print the version\n\n"
	     "read: cat " PINS_ROOT "/default/report\n"
	     "      cat " PINS_ROOT "/default/histogram\n"
	     "      bpftool map dump pinned " PINS_ROOT "/default/latency\n\n"
	     "Exit status: 0 attached, 1 not (one line says why), 2 usage.");
}

static int read_stage(const char *instance, uint32_t id, struct latency_stage *s)
{
	return pins_read(instance, "parts/stages", id, s, sizeof(*s));
}

/* Wait until the probes of all running stages have been hit. 0, or -1 after one line. */
static int verify(const char *instance, const struct segment *seg)
{
	uint64_t before[N_STAGES] = { 0 }, until_ns = now_ns() + PATIENCE_NS;
	struct latency_stage s;

	for (uint32_t id = 0; id < N_STAGES; id++)
		if (read_stage(instance, id, &s) == 0)
			before[id] = s.hits;
	for (uint32_t id = 0; id < N_STAGES; id++) {
		while (segment_stage_is_alive(seg, (enum stage_id)id) && now_ns() < until_ns) {
			if (read_stage(instance, id, &s) == 0 && s.hits != before[id])
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
static int attach_all(const char *instance, const struct segment *seg, int *n_new)
{
	int err = 0, fresh = !load_is_current(instance, seg);

	for (int multi = 1; multi >= 0; multi--) {
		if (fresh) {
			pins_remove(instance);
			if (load_program(instance, seg, multi))
				return -1;
		}
		err = 0;
		for (enum stage_id id = 0; id < N_STAGES && !err; id++)
			err = attach_stage(instance, seg, id, n_new);
		if (err != -ENOTSUP || !fresh)
			break;
	}
	if (err && fresh)
		pins_remove(instance);
	if (err == -ENOTSUP)
		pins_explain("attach to the stages", ENOTSUP);
	return err;
}

static int attach(const char *instance, const struct segment *seg)
{
	int n_new = 0;

	if (attach_all(instance, seg, &n_new) || verify(instance, seg))
		return EXIT_FAILED;
	log_info("instance '%s': histograms are %s: cat %s/%s/report", instance,
		 n_new ? "attached" : "attached already", PINS_ROOT, instance);
	return 0;
}

static void print_lost(const char *instance, uint32_t id, uint32_t n_classes)
{
	uint64_t missed = 0, again = 0, batches = 0;

	for (uint32_t class = 0; class < n_classes; class ++) {
		struct latency_progress p;

		if (pins_read(instance, "parts/progress", id * LATENCY_CLASSES + class, &p, sizeof(p)))
			continue;
		missed += p.missed_pkts;
		again += p.again_batches;
		batches += p.batches;
	}
	printf(" %12llu %14llu %8llu\n", (unsigned long long)batches, (unsigned long long)again,
	       (unsigned long long)missed);
}

/* One line per stage. Returns 1 if all that runs is attached. */
static int print_stages(const char *instance, const struct segment *seg)
{
	int attached = 1;

	printf("%-8s %8s %-12s %12s %14s %8s\n", "stage", "pid", "probe", "batches", "counted again", "missed");
	for (enum stage_id id = 0; id < N_STAGES; id++) {
		struct binary binaries[MOST_BINARIES];
		int n = binaries_find(seg, id, binaries), n_linked = 0, is_running = 0, runs_linked = 0;
		char name[64], part[80], path[PIN_BYTES];

		for (int i = 0; i < n; i++) {
			int linked;

			snprintf(part, sizeof(part), "parts/%s", attach_name(id, &binaries[i], name));
			linked = access(pins_path(instance, part, path), F_OK) == 0;
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
		print_lost(instance, (uint32_t)id, seg->n_classes);
	}
	return attached;
}

static int status(const char *instance, const struct segment *seg)
{
	char path[PIN_BYTES];

	if (access(pins_path(instance, "parts/settings", path), F_OK) < 0) {
		log_error("instance '%s': no histograms are attached: build/latency attaches them", instance);
		return EXIT_FAILED;
	}
	if (!load_is_current(instance, seg)) {
		log_error("instance '%s': what is attached is of an earlier launch or build: build/latency replaces it",
			  instance);
		return EXIT_FAILED;
	}
	if (!print_stages(instance, seg)) {
		log_error("a binary was built since: build/latency attaches to it too");
		return EXIT_FAILED;
	}
	printf("wake-ups: %s\n",
	       access(pins_path(instance, "parts/link-switched", path), F_OK) == 0 ? "measured" : "not measured");
	return 0;
}

static int reset(const char *instance)
{
	struct latency_control control;
	int err = pins_read(instance, "parts/control", 0, &control, sizeof(control));

	if (!err) {
		control.generation++;
		err = pins_write(instance, "parts/control", 0, &control, sizeof(control));
	}
	if (err) {
		log_error("reset instance '%s': %s", instance,
			  err == -ENOENT ? "no histograms are attached: build/latency attaches them" : strerror(-err));
		return EXIT_FAILED;
	}
	log_info("instance '%s': counting from now on", instance);
	return 0;
}

static int link_tracepoint(const char *instance, const char *program)
{
	char part[64], path[PIN_BYTES];
	int program_fd, fd, err;

	snprintf(part, sizeof(part), "parts/link-%s", program);
	if (access(pins_path(instance, part, path), F_OK) == 0)
		return 0;
	snprintf(part, sizeof(part), "parts/program-%s", program);
	program_fd = pins_open(instance, part);
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

static int wakeups(const char *instance, const struct segment *seg, int wanted)
{
	char path[PIN_BYTES];
	int n_new = 0, err = 0;

	if (wanted) {
		if (attach_all(instance, seg, &n_new) || verify(instance, seg))
			return EXIT_FAILED;
		err = link_tracepoint(instance, "waking");
		if (!err)
			err = link_tracepoint(instance, "switched");
	} else {
		unlink(pins_path(instance, "parts/link-waking", path));
		unlink(pins_path(instance, "parts/link-switched", path));
	}
	if (err) {
		pins_explain("attach to the scheduler's tracepoints", -err);
		return EXIT_FAILED;
	}
	log_info("instance '%s': wake-ups are %s", instance, wanted ? "measured" : "not measured any more");
	return 0;
}

static int act(enum action action, const char *instance)
{
	char why[WHY_BYTES];
	struct segment seg;
	int n, exit_status;

	if (action == DETACH) {
		n = pins_remove(instance);
		if (n > 0)
			log_info("instance '%s': histograms are detached", instance);
		else if (n < 0)
			log_error("remove the pins of instance '%s': %s", instance, strerror(-n));
		return n < 0 ? EXIT_FAILED : 0;
	}
	if (pins_why_not())
		return EXIT_FAILED;
	if (segment_observe(&seg, instance, why) || segment_must_be_mine(&seg, why)) {
		log_error("%s", why);
		return EXIT_FAILED;
	}
	flock(seg.fd, LOCK_EX); /* one at a time: supervisor and operator may both have seen that a stage was rebuilt */
	exit_status = action == ATTACH	 ? attach(instance, &seg)
		      : action == STATUS ? status(instance, &seg)
		      : action == RESET	 ? reset(instance)
					 : wakeups(instance, &seg, action == WAKEUPS);
	segment_close(&seg);
	return exit_status;
}

/* The action a word stands for, or -1. */
static int action_of(const char *word)
{
	for (size_t i = 0; i < sizeof(action_words) / sizeof(action_words[0]); i++)
		if (strcmp(word, action_words[i]) == 0)
			return (int)i;
	return -1;
}

int main(int argc, char **argv)
{
	const char *instance = "default";
	enum action action = ATTACH;

	log_set_name("latency");
	for (int i = 1; i < argc; i++) {
		int word = action_of(argv[i]);

		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help();
			return 0;
		} else if (strcmp(argv[i], "--version") == 0) {
			printf("ontime %s\n", ONTIME_VERSION);
			return 0;
		} else if (strcmp(argv[i], "--verbose") == 0) {
			load_verbose();
		} else if (strcmp(argv[i], "--old-kernel") == 0) {
			attach_as_before();
		} else if (word >= 0) {
			action = (enum action)word;
		} else if (strcmp(argv[i], "-i") == 0 && i + 1 < argc && strlen(argv[i + 1]) < INSTANCE_NAME_BYTES) {
			instance = argv[++i];
		} else {
			log_error("%s: unknown option; see latency --help", argv[i]);
			return EXIT_USAGE;
		}
	}
	return act(action, instance);
}
