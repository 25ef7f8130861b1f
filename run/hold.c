/*
 * hold.c - binds the sockets, creates the segment, and hands both on to a command; and answers the scripts' questions.
 *
 * Rules:   sockets outlive stages: every process started from here keeps all of them open, as LISTEN_FDS from fd 3 on.
 *          A second launch of a running instance ends before it has touched anything.
 * Source:  sd_listen_fds(3) for the convention; pidfd_getfd(2) for adoption.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "account.h"
#include "clock.h"
#include "hold_sockets.h"
#include "log.h"
#include "segment.h"
#include "stage.h"
#include "version.h"

struct options {
	const char *mode; /* "": hold */
	const char *file;
	const char *against; /* with --check: the config to compare with */
	const char *instance; /* instead of a config, where only the segment matters */
	int force;
	int n_overrides;
	char *overrides[64 + 1]; /* one more for the instance */
	char **command; /* after "--" */
};

static void print_help(void)
{
	puts("hold - bind ontime's sockets, create its segment, hand both on.\n\n"
	     "usage: hold [-c FILE] [--KEY=VALUE]... -- COMMAND [ARG]...\n"
	     "       hold --check [--against FILE] | --adopt | --watch  [-c FILE] [--KEY=VALUE]...\n"
	     "       hold --stages | --held | --supervised | --remove [--force]  -i INSTANCE\n"
	     "       hold --wait PID...\n\n"
	     "  (no mode)   bind, create, exec COMMAND with LISTEN_FDS and LISTEN_FDNAMES\n"
	     "  --check     validate the config; --against: and say what differs, 2 if that needs a relaunch\n"
	     "  --adopt     take the sockets from a running stage, exec COMMAND\n"
	     "  --segment   create the segment only, for sockets that systemd holds\n"
	     "  --stages    NAME PID STATE STARTS AGE_S BEAT_AGE_MS HAS_WORK ALIVE, a line per stage\n"
	     "  --held      packets in all lanes\n"
	     "  --supervised  0 if somebody watches its stages, 1 if nobody does\n"
	     "  --remove    remove the segment, unless a stage is alive (--force: even then)\n"
	     "  --watch     end stages that hang (no beat for `hung`), for as long as the parent lives\n"
	     "  --wait      wait until one of the processes is gone; print its pid\n\n"
	     "Normally called by run/launch.sh.\n"
	     "Exit status: 0 done, 1 temporary failure (port in use, no memory), 2 usage or configuration.");
}

static int parse(struct options *o, int argc, char **argv)
{
	memset(o, 0, sizeof(*o));
	o->mode = "";
	o->overrides[o->n_overrides++] = argv[0];
	for (int i = 1; i < argc; i++) {
		static const char *const modes[] = { "--check",	 "--adopt", "--segment", "--stages", "--held",
						     "--remove", "--name",  "--classes", "--watch",  "--supervised" };
		size_t m = 0;

		while (m < sizeof(modes) / sizeof(modes[0]) && strcmp(argv[i], modes[m]) != 0)
			m++;
		if (strcmp(argv[i], "--") == 0) {
			o->command = argv + i + 1;
			break;
		}
		if (m < sizeof(modes) / sizeof(modes[0]))
			o->mode = modes[m];
		else if (strcmp(argv[i], "--force") == 0)
			o->force = 1;
		else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			o->file = argv[++i];
		else if (strcmp(argv[i], "-i") == 0 && i + 1 < argc)
			o->instance = argv[++i];
		else if (strcmp(argv[i], "--against") == 0 && i + 1 < argc)
			o->against = argv[++i];
		else if (o->n_overrides < 64)
			o->overrides[o->n_overrides++] = argv[i];
		else
			return -E2BIG;
	}
	return 0;
}

static int exec_command(const struct options *o)
{
	if (!o->command || !o->command[0]) {
		log_error("no command to hand the sockets to: hold [-c FILE] -- COMMAND");
		return EXIT_CONFIG;
	}
	execvp(o->command[0], o->command);
	log_error("run %s: %s", o->command[0], strerror(errno));
	return EXIT_TEMPORARY;
}

static int segment_exists(const struct config *c)
{
	char name[SEGMENT_NAME_BYTES];
	int fd;

	segment_name(c->instance, name);
	fd = shm_open(name, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	close(fd);
	log_error("launch instance '%s': segment %s is there already: it runs, or was not stopped cleanly; "
		  "run/stop.sh ends and removes it",
		  c->instance, name);
	return 1;
}

static int hold(const struct options *o, const struct config *c)
{
	struct sockets sockets;
	struct segment seg;
	char why[WHY_BYTES];
	int status;

	if (segment_exists(c))
		return EXIT_TEMPORARY;
	status = sockets_open(&sockets, c);
	if (status)
		return status;
	if (segment_create(&seg, c, sockets.cookies, sockets.n - sockets.n_uncounted, why)) {
		log_error("%s", why);
		return EXIT_TEMPORARY;
	}
	segment_touch(seg.shared, seg.size_bytes); /* prefault once, so that no stage waits for zeroed pages */
	segment_close(&seg);
	status = sockets_hand_on(&sockets);
	if (!status)
		status = exec_command(o);
	segment_remove(c->instance);
	return status;
}

static int create_only(const struct config *c)
{
	struct segment seg;
	char why[WHY_BYTES];

	if (segment_exists(c))
		return EXIT_TEMPORARY;
	if (segment_create(&seg, c, NULL, 0, why)) {
		log_error("%s", why);
		return EXIT_TEMPORARY;
	}
	segment_touch(seg.shared, seg.size_bytes);
	return 0;
}

static int is_alive(const struct segment *seg, int stage)
{
	return segment_stage_is_alive(seg, (enum stage_id)stage); /* a pid could be somebody else's by now */
}

/* The byte of the segment that a watch has locked: a supervisor is at work, whatever its run directory. */
static int watch_lock(const struct segment *seg, int command, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = N_STAGES, .l_len = 1 };

	return fcntl(seg->fd, command, &lock) < 0 || (command == F_OFD_GETLK && lock.l_type != F_UNLCK);
}

/* One that was killed leaves its watch behind for half a second. */
static int is_supervised(const struct segment *seg)
{
	struct timespec pause = { .tv_nsec = 50 * 1000 * 1000 };

	for (int i = 0; i < 40; i++) {
		if (!watch_lock(seg, F_OFD_GETLK, F_WRLCK))
			return 0;
		nanosleep(&pause, NULL);
	}
	return 1;
}

static int adopt(const struct options *o, const struct config *c, const struct segment *seg)
{
	struct sockets sockets;

	if (is_supervised(seg)) {
		log_error("adopt instance '%s': it has a supervisor, started with another ONTIME_RUN_DIR or "
			  "XDG_RUNTIME_DIR, or by another user",
			  c->instance);
		return EXIT_TEMPORARY;
	}
	for (int i = 0; i < N_STAGES; i++) {
		uint32_t pid = atomic_load_explicit(&seg->shared->stages[i].pid, memory_order_relaxed);

		if (!is_alive(seg, i) || sockets_take(&sockets, c, seg, (pid_t)pid))
			continue;
		if (sockets_hand_on(&sockets))
			return EXIT_TEMPORARY;
		return exec_command(o);
	}
	log_error("adopt instance '%s': no stage is alive, so its sockets are gone: run/stop.sh, then run/launch.sh",
		  c->instance);
	return EXIT_TEMPORARY;
}

static void print_stages(const struct segment *seg)
{
	uint64_t now = now_ns();

	for (int i = 0; i < N_STAGES; i++) {
		const struct stage_block *b = &seg->shared->stages[i];
		uint64_t started = atomic_load_explicit(&b->started_at_ns, memory_order_relaxed);
		uint64_t beat = atomic_load_explicit(&b->beat_at_ns, memory_order_relaxed);

		printf("%s %u %s %u %.1f %llu %u %d\n", stage_name((enum stage_id)i),
		       atomic_load_explicit(&b->pid, memory_order_relaxed), segment_stage_state(seg, (enum stage_id)i),
		       atomic_load_explicit(&b->generation, memory_order_relaxed),
		       started && now > started ? (double)(now - started) / 1e9 : 0.0,
		       (unsigned long long)(beat && now > beat ? (now - beat) / NS_PER_MS : 0),
		       atomic_load_explicit(&b->has_work, memory_order_relaxed), is_alive(seg, i));
	}
}

static void print_held(const struct segment *seg)
{
	uint64_t held = 0;

	for (uint32_t class = 0; class < seg->n_classes; class ++) {
		struct account a;

		if (account_read(seg, class, &a) == 0)
			held += a.waiting_edf_pkts + a.waiting_egress_pkts;
	}
	printf("%llu\n", (unsigned long long)held);
}

#define LONGEST_START_NS (60 * NS_PER_S)

/* What the watch saw of a stage that had not moved; pid 0: it had. */
struct suspect {
	uint32_t pid, aborted;
	uint64_t beat_at_ns;
};

/* A stage that runs beats at least once per `heartbeat`, idle or not. One that does not is ended: first with SIGABRT, so
   that a plugin's packet is noted as the culprit, then with SIGKILL. It takes two looks: when all of us were frozen for a
   while, the first one deceives; and a successor holds the stage's lock a moment before it says who it is, and until then
   pid and beat are its predecessor's, or nobody's. */
static void end_if_hung(const struct segment *seg, int stage, uint64_t hung_ns, struct suspect *s)
{
	const struct stage_block *b = &seg->shared->stages[stage];
	uint32_t pid = atomic_load_explicit(&b->pid, memory_order_relaxed);
	uint64_t beat = atomic_load_explicit(&b->beat_at_ns, memory_order_relaxed), now = now_ns();
	int seen = pid != 0 && s->pid == pid && s->beat_at_ns == beat;

	if (atomic_load_explicit(&b->state, memory_order_relaxed) ==
	    STATE_STARTING) /* a plugin's open() does not beat */
		hung_ns = LONGEST_START_NS;
	s->pid = 0;
	if (now < beat + hung_ns || !is_alive(seg, stage))
		return;
	s->pid = pid;
	s->beat_at_ns = beat;
	if (!seen)
		return;
	log_error("%s (pid %u) has not moved for %.1f s: ending it with %s", stage_name((enum stage_id)stage), pid,
		  (double)(now - beat) / 1e9, s->aborted == pid ? "SIGKILL" : "SIGABRT");
	kill((pid_t)pid, s->aborted == pid ? SIGKILL : SIGABRT);
	kill((pid_t)pid, SIGCONT);
	s->aborted = pid;
}

static int watch(const struct config *c, const struct segment *seg)
{
	struct suspect suspects[N_STAGES] = { { 0, 0, 0 } };
	pid_t supervisor = getppid();
	struct timespec pause = { .tv_sec = 0, .tv_nsec = 500 * 1000 * 1000 };

	watch_lock(seg, F_OFD_SETLK, F_RDLCK);
	for (;;) {
		nanosleep(&pause, NULL);
		for (int i = 0; i < N_STAGES; i++)
			end_if_hung(seg, i, c->hung_ms * NS_PER_MS, &suspects[i]);
		if (getppid() != supervisor) /* it is gone: its successor starts its own watch */
			return 0;
	}
}

static int remove_segment(const struct options *o, const struct config *c, const struct segment *seg)
{
	int err;

	for (int i = 0; i < N_STAGES && seg->shared && !o->force; i++)
		if (is_alive(seg, i)) {
			log_error("remove the segment of instance '%s': its %s is alive: stop it first", c->instance,
				  stage_name((enum stage_id)i));
			return EXIT_TEMPORARY;
		}
	err = segment_remove(c->instance);
	if (!err || err == -ENOENT)
		return 0;
	log_error("remove the segment of instance '%s': %s", c->instance, strerror(-err));
	return EXIT_TEMPORARY;
}

static int wait_for_any(int n, char **pids)
{
	struct pollfd polls[16];

	n = n < 16 ? n : 16;
	for (int i = 0; i < n; i++) {
		polls[i].fd = (int)syscall(SYS_pidfd_open, (pid_t)strtol(pids[i], NULL, 10), 0);
		polls[i].events = POLLIN;
		if (polls[i].fd < 0) {
			puts(pids[i]);
			return 0;
		}
	}
	while (poll(polls, (nfds_t)n, -1) < 0)
		if (errno != EINTR)
			return EXIT_TEMPORARY;
	for (int i = 0; i < n; i++)
		if (polls[i].revents) {
			puts(pids[i]);
			return 0;
		}
	return EXIT_TEMPORARY;
}

static void print_classes(const struct config *c)
{
	char text[ADDRESS_BYTES];

	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct class_config *class = &c->classes[i];

		printf("  %-12s", class->name);
		for (uint32_t k = 0; k < class->n_listen; k++)
			printf(" %s", address_format(&class->listen[k], text));
		printf(" ->");
		for (uint32_t k = 0; k < class->n_dests; k++)
			printf(" %s", address_format(&class->dests[k], text));
		if (class->budget_ns == BUDGET_NONE)
			printf("   no deadline\n");
		else
			printf("   within %g ms\n", (double)class->budget_ns / 1e6);
	}
}

static int check(const struct options *o, const struct config *c)
{
	static struct config old;
	char why[WHY_BYTES];

	if (!o->against)
		return 0;
	if (config_load(&old, o->against, o->n_overrides, o->overrides, why, sizeof(why))) {
		log_error("%s", why);
		return EXIT_CONFIG;
	}
	if (!config_explain_changes(&old, c, stderr))
		return 0;
	log_error("%s: some changes need a relaunch: nothing was changed", o->file);
	return EXIT_CONFIG;
}

/* The modes that need no segment. -1: none of them. */
static int run_without_segment(const struct options *o, const struct config *c)
{
	if (strcmp(o->mode, "--name") == 0)
		puts(c->instance);
	else if (strcmp(o->mode, "--classes") == 0)
		print_classes(c);
	else if (strcmp(o->mode, "--segment") == 0)
		return create_only(c);
	else if (strcmp(o->mode, "") == 0)
		return hold(o, c);
	else if (strcmp(o->mode, "--check") == 0)
		return check(o, c);
	else
		return -1;
	return 0;
}

static int run_with_segment(const struct options *o, const struct config *c)
{
	struct segment seg;
	char why[WHY_BYTES];
	int err = segment_observe(&seg, c->instance, why), status = 0;

	if (strcmp(o->mode, "--remove") == 0) {
		status = remove_segment(o, c, &seg);
	} else if (err) {
		log_error("%s", why);
		return err == -EPROTO ? EXIT_CONFIG : EXIT_TEMPORARY;
	} else if (strcmp(o->mode, "--adopt") == 0) {
		status = adopt(o, c, &seg);
	} else if (strcmp(o->mode, "--supervised") == 0) {
		status = is_supervised(&seg) ? 0 : EXIT_TEMPORARY;
	} else if (strcmp(o->mode, "--watch") == 0) {
		status = watch(c, &seg);
	} else if (strcmp(o->mode, "--stages") == 0) {
		print_stages(&seg);
	} else if (strcmp(o->mode, "--held") == 0) {
		print_held(&seg);
	}
	if (seg.shared)
		segment_close(&seg);
	return status;
}

int main(int argc, char **argv)
{
	static struct options o;
	static struct config c;
	char why[WHY_BYTES], instance[128];
	int status;

	log_set_name("hold");
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		print_help();
		return 0;
	}
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		printf("ontime %s\n", ONTIME_VERSION);
		return 0;
	}
	if (argc > 2 && strcmp(argv[1], "--wait") == 0)
		return wait_for_any(argc - 2, argv + 2);
	if (parse(&o, argc, argv)) {
		log_error("too many arguments: put them into a file, and give it with -c");
		return EXIT_CONFIG;
	}
	if (o.instance) { /* works while the config file is broken */
		snprintf(instance, sizeof(instance), "--instance=%s", o.instance);
		o.file = NULL;
		o.overrides[o.n_overrides++] = instance;
	}
	if (config_load(&c, o.file, o.n_overrides, o.overrides, why, sizeof(why))) {
		log_error("%s", why);
		return EXIT_CONFIG;
	}
	status = run_without_segment(&o, &c);
	return status >= 0 ? status : run_with_segment(&o, &c);
}
