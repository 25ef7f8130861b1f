/*
 * kill_stages.c - kill -9 the stages of a running, supervised instance at random moments, and now and then its
 * supervisor.
 *
 * Rules:   looks on: the pids come from the segment, mapped read-only, and no lock is taken. A pid is believed only
 *          when its process, held by a pidfd, bears the stage's name and maps this very segment; a stranger is never
 *          hit.
 *          The supervisor dies only while a stage lives, since the sockets die with their last process; then a command
 *          starts its successor, and nothing else is killed until that has ended.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "random.h"
#include "shm/segment.h"

#define PATIENCE_NS (10 * NS_PER_S) /* longest time without a stage to kill: a back-off is a second */
#define LINE_TEXT 4096

struct killer {
	struct segment seg;
	dev_t device;
	ino_t inode;
	const char *instance, *pid_file, *command;
	uint64_t kills, seed, random, every_ns, mean_ns;
	uint64_t killed[N_STAGES], supervisors;
	pid_t dying[N_STAGES]; /* killed, but maybe not gone: alive by all signs */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int sig)
{
	interrupted = sig;
}

static void pause_for(uint64_t ns)
{
	struct timespec t = { .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };

	nanosleep(&t, NULL);
}

/* holds - does a file of /proc/PID contain the text? Its NULs count as ends of lines. */
static int holds(pid_t pid, const char *file, const char *text)
{
	char path[64], line[LINE_TEXT];
	int found = 0, c = 0;
	size_t len = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	f = fopen(path, "re");
	while (f && !found && c != EOF) {
		c = getc(f);
		if (c != EOF && c != '\n' && c != '\0') {
			len += len < sizeof(line) - 1;
			line[len - 1] = (char)c;
			continue;
		}
		line[len] = '\0';
		found = strstr(line, text) != NULL;
		len = 0;
	}
	if (f)
		fclose(f);
	return found;
}

/* open_process - a pidfd, or -1 when there is no such process. */
static int open_process(pid_t pid)
{
	return pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

/* maps_segment - the line of /proc/PID/maps has the device and the inode, whatever became of the name. */
static int maps_segment(const struct killer *k, pid_t pid)
{
	char text[64];

	snprintf(text, sizeof(text), " %02x:%02x %llu ", major(k->device), minor(k->device),
		 (unsigned long long)k->inode);
	return holds(pid, "maps", text);
}

/* open_stage - a pidfd of the process that is this stage now, or -1: there is none, or the pid is a stranger's. */
static int open_stage(const struct killer *k, enum stage_id id, pid_t *pid)
{
	int fd;

	/* relaxed: what it says is checked */
	*pid = (pid_t)atomic_load_explicit(&k->seg.shared->stages[id].pid, memory_order_relaxed);
	fd = *pid == k->dying[id] ? -1 : open_process(*pid);
	if (fd < 0 || (holds(*pid, "comm", stage_name(id)) && maps_segment(k, *pid)))
		return fd;
	close(fd);
	return -1;
}

static int open_supervisor(const struct killer *k)
{
	char instance[sizeof("ONTIME_INSTANCE=") + INSTANCE_NAME_BYTES];
	FILE *f = fopen(k->pid_file, "re");
	long pid = 0;
	int fd;

	if (f && fscanf(f, "%ld", &pid) != 1)
		pid = 0;
	if (f)
		fclose(f);
	fd = open_process((pid_t)pid);
	snprintf(instance, sizeof(instance), "ONTIME_INSTANCE=%s", k->instance);
	if (fd < 0 || (holds((pid_t)pid, "cmdline", "supervis") && holds((pid_t)pid, "environ", instance)))
		return fd;
	close(fd);
	return -1;
}

/* has_ended - within so many milliseconds? */
static int has_ended(int fd, int timeout_ms)
{
	struct pollfd ended = { .fd = fd, .events = POLLIN };

	return poll(&ended, 1, timeout_ms) > 0;
}

/* kill_process - and close the pidfd. Returns 1 if it was alive until now. */
static int kill_process(int fd, int wait_ms)
{
	int hit = !has_ended(fd, 0) && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;

	if (hit && wait_ms)
		has_ended(fd, wait_ms);
	close(fd);
	return hit;
}

/* pick_stage - one of those that live, by chance: its pidfd and pid, -1 if none comes within PATIENCE_NS. */
static int pick_stage(struct killer *k, enum stage_id *id, pid_t *pid)
{
	uint64_t until_ns = now_ns() + PATIENCE_NS;

	while (now_ns() < until_ns && !interrupted) {
		uint32_t first = (uint32_t)(random_next(&k->random) % N_STAGES);

		for (uint32_t i = 0; i < N_STAGES; i++) {
			int fd;

			*id = (enum stage_id)((first + i) % N_STAGES);
			fd = open_stage(k, *id, pid);
			if (fd >= 0 && !has_ended(fd, 0))
				return fd;
			if (fd >= 0)
				close(fd);
		}
		pause_for(NS_PER_MS);
	}
	return -1;
}

/* Returns 0, or 1 when no stage was there for PATIENCE_NS. */
static int strike(struct killer *k)
{
	enum stage_id id = STAGE_INGRESS;
	pid_t pid = 0;
	int fd = pick_stage(k, &id, &pid);

	if (fd < 0) {
		if (!interrupted)
			log_error("no stage of instance '%s' lives", k->instance);
		return 1;
	}
	k->killed[id] += (uint64_t)kill_process(fd, 0); /* its successor's affair */
	k->dying[id] = pid;
	return 0;
}

/* Returns 0, or 1 when the command fails. */
static int strike_supervisor(struct killer *k)
{
	enum stage_id id;
	pid_t pid;
	int stage = pick_stage(k, &id, &pid), fd = open_supervisor(k);

	if (stage >= 0)
		close(stage);
	if (stage < 0 || fd < 0) {
		log_error("%s of instance '%s' lives", stage < 0 ? "no stage" : "no supervisor", k->instance);
		return 1;
	}
	k->supervisors += (uint64_t)kill_process(fd, 10000); /* one that is going is still there */
	if (system(k->command) == 0)
		return 0;
	log_error("%s: failed", k->command);
	return 1;
}

static uint64_t all_killed(const struct killer *k)
{
	return k->killed[STAGE_INGRESS] + k->killed[STAGE_EDF] + k->killed[STAGE_EGRESS];
}

static int run(struct killer *k)
{
	uint64_t began_ns = now_ns(), away_ns = 0, next_ns = began_ns + k->every_ns;
	int failed = 0;

	while (!failed && !interrupted && all_killed(k) < k->kills) {
		uint64_t before_ns = now_ns();

		if (k->command && before_ns >= next_ns) {
			failed = strike_supervisor(k);
			away_ns += now_ns() - before_ns;
			next_ns = now_ns() + k->every_ns / 2 + random_next(&k->random) % k->every_ns;
			continue;
		}
		/* One time in four at once: a successor dies while it starts or recovers. */
		pause_for(random_next(&k->random) % (random_next(&k->random) % 4 ? 8 * k->mean_ns / 3 : NS_PER_MS));
		failed = strike(k);
	}
	printf("kill_stages: %llu kills (ingress %llu, edf %llu, egress %llu), %.1f a second, and %llu supervisors\n",
	       (unsigned long long)all_killed(k), (unsigned long long)k->killed[STAGE_INGRESS],
	       (unsigned long long)k->killed[STAGE_EDF], (unsigned long long)k->killed[STAGE_EGRESS],
	       (double)all_killed(k) * 1e9 / (double)(now_ns() - began_ns - away_ns),
	       (unsigned long long)k->supervisors);
	return failed || interrupted;
}

static int usage(int status)
{
	fputs("kill_stages - kill -9 the stages of a running instance at random; for tests only.\n\n"
	      "usage: kill_stages -i INSTANCE [--kills N] [--rate PER_S] [--seed N]\n"
	      "                   [--supervisor PIDFILE --launch COMMAND [--every SECONDS]]\n\n"
	      "  --kills N     stages to kill in all (default 300)\n"
	      "  --rate PER_S  mean (default 25)\n"
	      "  --seed N      of victims and moments (default 1)\n"
	      "  --supervisor PIDFILE, --launch COMMAND, --every SECONDS\n"
	      "                kill the supervisor too, each SECONDS (default 4), and start another\n\n"
	      "Exit status: 0 done, 1 no stage to kill for 10 s, or no supervisor, or COMMAND failed; 2 usage.\n",
	      status ? stderr : stdout);
	return status;
}

static int parse(struct killer *k, int argc, char **argv)
{
	uint64_t rate = 25, every_s = 4;

	k->kills = 300;
	k->seed = 1;
	for (int i = 1; i < argc; i += 2) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!value)
			return -1;
		if (strcmp(argv[i], "-i") == 0)
			k->instance = value;
		else if (strcmp(argv[i], "--kills") == 0)
			k->kills = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "--rate") == 0)
			rate = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			k->seed = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "--every") == 0)
			every_s = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "--supervisor") == 0)
			k->pid_file = value;
		else if (strcmp(argv[i], "--launch") == 0)
			k->command = value;
		else
			return -1;
	}
	k->mean_ns = rate ? NS_PER_S / rate : 0;
	k->every_ns = every_s * NS_PER_S;
	return k->instance && rate && every_s && !k->pid_file == !k->command ? 0 : -1;
}

int main(int argc, char **argv)
{
	static struct killer k;
	struct sigaction act = { .sa_handler = on_signal };
	char why[WHY_BYTES];
	struct stat status;

	log_set_name("kill_stages");
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return usage(0);
	if (parse(&k, argc, argv))
		return usage(2);
	if (segment_observe(&k.seg, k.instance, why) || fstat(k.seg.fd, &status) < 0) {
		log_error("%s", why);
		return 1;
	}
	k.device = status.st_dev;
	k.inode = status.st_ino;
	k.random = (k.seed + 1) * 0x9e3779b97f4a7c15ULL;
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	printf("kill_stages: seed %llu\n", (unsigned long long)k.seed);
	fflush(stdout);
	return run(&k);
}
