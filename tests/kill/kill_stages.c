/*
 * kill_stages.c - kill -9 the processes of a running, supervised instance at random moments: stages, one or two at
 * once, stand-bys, the supervisor, the holder.
 *
 * Rules:   looks on: the pids come from the segment, mapped read-only, and from the kernel's word on its locks; no lock
 *          is taken. A pid is believed only when its process, held by a pidfd, bears the stage's name and maps this
 *          very segment, or still has the lock; a stranger is never hit.
 *          The supervisor dies only while a holder lives that starts another, and the holder only while a supervisor
 *          lives; both at once would take a new launch.
 */
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
#include "shm/lock.h"
#include "shm/segment.h"

#define PATIENCE_NS (10 * NS_PER_S) /* longest time without a stage to kill: a back-off is a second */
#define LINE_TEXT 4096

struct killer {
	struct segment seg;
	struct segment parts[MOST_SHARDS]; /* of the shards; the first is that above */
	dev_t device;
	ino_t inode;
	const char *instance;
	int all; /* not only the stages */
	uint64_t kills, seed, random, mean_ns;
	uint64_t killed[N_STAGES], pairs, standbys, supervisors, holders;
	pid_t dying[MOST_SHARDS][N_STAGES]; /* killed, but maybe not gone: alive by all signs */
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
static int open_stage(const struct killer *k, uint32_t shard, enum stage_id id, pid_t *pid)
{
	const struct segment *part = shard ? &k->parts[shard] : &k->seg;
	int fd;

	/* relaxed: what it says is checked */
	*pid = (pid_t)atomic_load_explicit(&part->shared->stages[id].pid, memory_order_relaxed);
	fd = *pid == k->dying[shard][id] ? -1 : open_process(*pid);
	if (fd < 0 || (holds(*pid, "comm", stage_name(id)) && maps_segment(k, *pid)))
		return fd;
	close(fd);
	return -1;
}

static int has_ended(int fd)
{
	struct pollfd ended = { .fd = fd, .events = POLLIN };

	return poll(&ended, 1, 0) > 0;
}

/* kill_process - and close the pidfd. Returns 1 if it was alive until now. */
static int kill_process(int fd)
{
	int hit = !has_ended(fd) && syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;

	close(fd);
	return hit;
}

/* pick_stage - one of those that live, by chance: its pidfd and pid, -1 if none comes within PATIENCE_NS. */
static int pick_stage(struct killer *k, uint32_t *shard, enum stage_id *id, pid_t *pid)
{
	uint32_t n = N_STAGES * k->seg.n_shards;

	uint64_t until_ns = now_ns() + PATIENCE_NS;

	while (now_ns() < until_ns && !interrupted) {
		uint32_t first = (uint32_t)(random_next(&k->random) % n);

		for (uint32_t i = 0; i < n; i++) {
			int fd;

			*id = (enum stage_id)((first + i) % N_STAGES);
			*shard = (first + i) % n / N_STAGES;
			fd = open_stage(k, *shard, *id, pid);
			if (fd >= 0 && !has_ended(fd))
				return fd;
			if (fd >= 0)
				close(fd);
		}
		pause_for(NS_PER_MS);
	}
	return -1;
}

/* Returns 0, or 1 when no stage was there for PATIENCE_NS. */
static int strike_stage(struct killer *k)
{
	enum stage_id id = STAGE_INGRESS;
	uint32_t shard = 0;
	pid_t pid = 0;
	int fd = pick_stage(k, &shard, &id, &pid);

	if (fd < 0) {
		if (!interrupted)
			log_error("no stage of instance '%s' lives", k->instance);
		return 1;
	}
	k->killed[id] += (uint64_t)kill_process(fd); /* its successor's affair */
	k->dying[shard][id] = pid;
	return 0;
}

/* A pidfd of the one that has the lock, or -1. */
static int open_owner(const struct killer *k, pid_t (*owner)(const struct segment *seg))
{
	pid_t pid = owner(&k->seg);
	int fd = open_process(pid);

	if (fd < 0 || owner(&k->seg) == pid)
		return fd;
	close(fd);
	return -1;
}

/* One of the two, while the other is there. Returns 1 if it was alive until now. */
static uint64_t strike_owner(struct killer *k, pid_t (*victim)(const struct segment *),
			     pid_t (*other)(const struct segment *))
{
	int fd = open_owner(k, victim);

	if (fd >= 0 && other(&k->seg) > 0)
		return (uint64_t)kill_process(fd);
	if (fd >= 0)
		close(fd);
	return 0;
}

/* A child of the supervisor that maps the segment and whose name says that it waits. */
static uint64_t strike_standby(struct killer *k)
{
	pid_t supervisor = segment_supervisor_pid(&k->seg);
	uint32_t skip = (uint32_t)(random_next(&k->random) % N_STAGES);
	char path[64];
	long pid;
	FILE *children;
	int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)supervisor, (int)supervisor);
	children = supervisor ? fopen(path, "re") : NULL;
	while (children && fd < 0 && fscanf(children, "%ld", &pid) == 1)
		if (holds((pid_t)pid, "comm", "*") && skip-- == 0) {
			fd = open_process((pid_t)pid);
			if (fd >= 0 && !(holds((pid_t)pid, "comm", "*") && maps_segment(k, (pid_t)pid))) {
				close(fd);
				fd = -1;
			}
		}
	if (children)
		fclose(children);
	return fd < 0 ? 0 : (uint64_t)kill_process(fd);
}

/* Of 16 strikes: 11 at a stage, 2 at two at once, and one at each of the others. */
static int strike(struct killer *k)
{
	uint32_t whom = k->all ? (uint32_t)(random_next(&k->random) % 16) : 0;

	if (whom == 15)
		k->supervisors += strike_owner(k, segment_supervisor_pid, segment_holder_pid);
	else if (whom == 14)
		k->holders += strike_owner(k, segment_holder_pid, segment_supervisor_pid);
	else if (whom == 13)
		k->standbys += strike_standby(k);
	if (whom >= 13)
		return 0;
	k->pairs += whom >= 11;
	return (whom >= 11 && strike_stage(k)) || strike_stage(k);
}

static uint64_t all_killed(const struct killer *k)
{
	return k->killed[STAGE_INGRESS] + k->killed[STAGE_EDF] + k->killed[STAGE_EGRESS] + k->standbys +
	       k->supervisors + k->holders;
}

static int run(struct killer *k)
{
	uint64_t began_ns = now_ns();
	int failed = 0;

	while (!failed && !interrupted && all_killed(k) < k->kills) {
		/* One time in four at once: a successor dies while it starts or recovers. */
		pause_for(random_next(&k->random) % (random_next(&k->random) % 4 ? 8 * k->mean_ns / 3 : NS_PER_MS));
		failed = strike(k);
	}
	printf("kill_stages: %llu kills (ingress %llu, edf %llu, egress %llu, %llu times two at once; stand-bys %llu, "
	       "supervisors %llu, holders %llu), %.1f a second\n",
	       (unsigned long long)all_killed(k), (unsigned long long)k->killed[STAGE_INGRESS],
	       (unsigned long long)k->killed[STAGE_EDF], (unsigned long long)k->killed[STAGE_EGRESS],
	       (unsigned long long)k->pairs, (unsigned long long)k->standbys, (unsigned long long)k->supervisors,
	       (unsigned long long)k->holders, (double)all_killed(k) * 1e9 / (double)(now_ns() - began_ns));
	return failed || interrupted;
}

static int usage(int status)
{
	fputs("kill_stages - kill -9 the processes of a running instance at random; for tests only.\n\n"
	      "usage: kill_stages -i INSTANCE [--kills N] [--rate PER_S] [--seed N] [--only stages]\n\n"
	      "  --kills N      in all (default 300)\n"
	      "  --rate PER_S   mean (default 25)\n"
	      "  --seed N       of victims and moments (default 1)\n"
	      "  --only stages  no stand-by, supervisor or holder\n\n"
	      "Exit status: 0 done, 1 no stage to kill for 10 s; 2 usage.\n",
	      status ? stderr : stdout);
	return status;
}

static int parse(struct killer *k, int argc, char **argv)
{
	uint64_t rate = 25;

	k->kills = 300;
	k->seed = 1;
	k->all = 1;
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
		else if (strcmp(argv[i], "--only") == 0 && strcmp(value, "stages") == 0)
			k->all = 0;
		else
			return -1;
	}
	k->mean_ns = rate ? NS_PER_S / rate : 0;
	return k->instance && rate ? 0 : -1;
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
	for (uint32_t shard = 1; shard < k.seg.n_shards; shard++)
		if (segment_observe_shard(&k.parts[shard], &k.seg, shard, why)) {
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
