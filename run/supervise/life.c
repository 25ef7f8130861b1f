/* life.c - the lives of one stage. */
#include "life.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "config/sharded.h"
#include "hold/process.h"
#include "log.h"
#include "shm/lock.h"
#include "stage/stage.h"
#include "stage/standby.h"
#include "hung.h"
#include "hold/row.h"
#include "hold/spawn.h"

#define STANDBY_PATIENCE_NS (2 * NS_PER_S) /* what a restart waits for one */

/* What the stage has passed on so far, all classes: its progress. */
static uint64_t passed_pkts(const struct segment *seg, enum stage_id id)
{
	uint64_t sum = 0;

	for (uint32_t class = 0; class < seg->n_classes; class++) {
		const struct lane *l = seg->views[class].lane;

		sum += (id == STAGE_INGRESS ? lane_received(l)
			: id == STAGE_EDF   ? lane_processed(l)
					    : lane_sent(l)) >>
		       COUNT_SHIFT;
	}
	return sum;
}

static void begin(struct life *l, pid_t pid, uint64_t now)
{
	l->state = LIFE_RUNS;
	l->pid = pid;
	l->began_at_ns = now;
	l->suspect = l->aborted = l->has_told_starved = 0;
}

/* What was there before this life. To be read before its process is made: that may be ready before spawn() returns. */
static void remember(struct life *l, const struct segment *seg)
{
	l->passed_at_begin = passed_pkts(seg, l->id);
	l->generation_at_begin = life_generation(seg, l->id);
}

static ino_t inode_of(const char *file)
{
	struct stat st;

	return stat(file, &st) < 0 ? 0 : st.st_ino;
}

/* One that runs already, started by a supervisor that is gone. 1: there is one. */
static int adopt_running(struct life *l, const struct segment *seg, uint64_t now)
{
	char exe[32];
	pid_t pid;
	int pidfd = process_open(seg, (int)l->id, &pid);

	if (pidfd < 0)
		return 0;
	l->pidfd = pidfd;
	l->is_child = process_is_child(pidfd); /* of this process, before it went over to its binary */
	l->restart_asked = 0;
	snprintf(exe, sizeof(exe), "/proc/%d/exe", pid);
	l->runs_inode = inode_of(exe);
	remember(l, seg);
	begin(l, pid, now);
	log_info("adopted %s (pid %d)", l->name, pid);
	return 1;
}

void life_init(struct life *l, const struct segment *seg, enum stage_id id, const char *build)
{
	memset(l, 0, sizeof(*l));
	l->id = id;
	l->shard = seg->shard;
	l->is_one_of_many = seg->n_shards > 1;
	l->name = sharded_stage_name(id, seg->shard, seg->n_shards);
	l->state = LIFE_WAITS;
	snprintf(l->binary, sizeof(l->binary), "%s/%s", build, stage_name(id));
	l->pidfd = -1;
	standby_init(&l->standby);
	adopt_running(l, seg, now_ns());
	l->kept_fd = l->pidfd < 0 ? -1 : process_binary(l->pidfd, l->pid); /* what runs is of this layout */
	if (l->kept_fd < 0)
		l->kept_fd = open(l->binary, O_PATH | O_CLOEXEC);
}

/*
 * The binary to start: the one that is there, or the kept one if that is of another layout, gone, or being written.
 * *there: the inode of the one that is there.
 */
static const char *choose_binary(const struct life *l, char path[32], ino_t *there)
{
	ino_t inode = inode_of(l->binary);

	*there = inode;
	if ((inode != 0 && inode != l->refused_inode) || l->kept_fd < 0)
		return l->binary;
	snprintf(path, 32, "/proc/self/fd/%d", l->kept_fd);
	return path;
}

static void wait_longer(struct life *l, uint64_t now)
{
	l->row = l->row < ROW_FREE_STARTS ? ROW_FREE_STARTS + 1 : l->row + 1;
	l->state = LIFE_WAITS;
	l->start_at_ns = now + row_pause_ns(l->row);
}

/* For what is started next. */
static void tell_shard(const struct life *l)
{
	char number[16];

	if (!l->is_one_of_many)
		return;
	snprintf(number, sizeof(number), "%u", l->shard);
	setenv(SHARD_VARIABLE, number, 1);
}

/* While the stage runs. What goes wrong here is tried again a second later: the successor would tell of it. */
static void start_standby(struct life *l, char *const *argv, uint64_t now)
{
	char kept[32];
	const char *binary;
	ino_t inode;

	if (l->standby.pid || now < l->standby.due_ns)
		return;
	binary = choose_binary(l, kept, &inode);
	tell_shard(l);
	if (standby_start(&l->standby, binary, argv, inode))
		l->standby.due_ns = now + NS_PER_S;
	unsetenv(SHARD_VARIABLE);
}

/* The binary that is being written just now cannot be started: then the kept one. 0 or an errno value. */
static int start_cold(struct life *l, char *const *argv)
{
	char kept[32];
	const char *binary = choose_binary(l, kept, &l->runs_inode);
	int err;

	setenv(STANDBY_LAST_END, l->last_end, 1);
	tell_shard(l);
	err = spawn(binary, argv, SIGHUP, -1, &l->pid, &l->pidfd); /* a reload must not end a stage without a handler */
	if (err == ETXTBSY && binary == l->binary && l->kept_fd >= 0) {
		snprintf(kept, sizeof(kept), "/proc/self/fd/%d", l->kept_fd);
		err = spawn(kept, argv, SIGHUP, -1, &l->pid, &l->pidfd);
	}
	unsetenv(SHARD_VARIABLE);
	if (!err)
		return 0;
	l->pidfd = -1;
	if (!l->has_told)
		log_error("start %s: %s: trying again, at least once a second", binary, log_text_of(err));
	l->has_told = 1;
	return err;
}

static int take_turn(struct life *l)
{
	ino_t inode = l->standby.inode;

	l->pid = standby_turn(&l->standby, l->last_end, &l->pidfd);
	if (l->pid)
		l->runs_inode = inode;
	return l->pid != 0;
}

void life_start(struct life *l, const struct segment *seg, char *const *argv, uint64_t now)
{
	if (l->state == LIFE_RUNS)
		start_standby(l, argv, now);
	if (l->state != LIFE_WAITS || now < l->start_at_ns || adopt_running(l, seg, now))
		return;
	remember(l, seg);
	if (!take_turn(l) && start_cold(l, argv)) {
		wait_longer(l, now);
		return;
	}
	begin(l, l->pid, now);
	l->is_child = 1;
	l->restart_asked = 0;
	l->restart_by_ns = 0;
	l->standby.due_ns = now + STANDBY_AFTER_NS;
}

/* How it ended; also in words, for the successor and the log. */
static int reap(struct life *l)
{
	siginfo_t info = { 0 };

	if (!l->is_child || waitid(P_PIDFD, (id_t)l->pidfd, &info, WEXITED) < 0) {
		snprintf(l->last_end, sizeof(l->last_end), "unknown");
		return -1;
	}
	if (info.si_code == CLD_EXITED) {
		snprintf(l->last_end, sizeof(l->last_end), "exited %d", info.si_status);
		return info.si_status;
	}
	if (l->aborted && info.si_status == SIGKILL) /* it took no SIGABRT, so it could not note what it had at work */
		snprintf(l->last_end, sizeof(l->last_end), "hung");
	else
		snprintf(l->last_end, sizeof(l->last_end), "signal %d", info.si_status);
	return -1;
}

static void stay_down(struct life *l)
{
	l->state = LIFE_DOWN;
	l->refused_inode = l->runs_inode;
	log_error("%s refused its configuration: it stays down until a reload, a new binary or run/restart.sh %s",
		  l->name, stage_name(l->id));
}

static void refuse_binary(struct life *l, ino_t inode)
{
	l->refused_inode = inode;
	log_warn("%s is of a build with another layout than this instance: the binary it was launched with goes on; to "
		 "upgrade, run/stop.sh and run/launch.sh",
		 l->binary);
}

/* A restart goes on as soon as a stand-by can take over, or it is clear that none will. */
static void end_for_restart(struct life *l)
{
	l->restart_by_ns = 0;
	process_signal(l->pidfd, SIGTERM);
}

void life_listen(struct life *l, uint64_t now)
{
	ino_t inode = l->standby.inode;
	int status = standby_listen(&l->standby, now);
	int is_refused = status == EXIT_LAYOUT && l->kept_fd >= 0 && l->refused_inode != inode;

	if (is_refused) {
		refuse_binary(l, inode);
		l->standby.due_ns = now;
	}
	if (l->restart_by_ns && !is_refused)
		end_for_restart(l);
}

static void be_over(struct life *l)
{
	l->state = LIFE_OVER;
	standby_end(&l->standby);
}

static int has_joined(const struct life *l, const struct segment *seg)
{
	return life_generation(seg, l->id) != l->generation_at_begin;
}

/*
 * What a plugin ends the process with while it is opened is not: a stage that has joined the segment notes a refusal.
 */
static int is_its_word(const struct life *l, const struct segment *seg)
{
	return !has_joined(l, seg) || life_stage_state(seg, l->id) == STATE_STOPPED;
}

void life_end(struct life *l, const struct segment *seg, uint64_t now)
{
	int was_asked = l->restart_asked, was_ready, status = reap(l);

	close(l->pidfd);
	l->pidfd = -1;
	l->pid = 0;
	l->state = LIFE_WAITS;
	l->start_at_ns = now;
	was_ready = has_joined(l, seg) && life_stage_state(seg, l->id) == STATE_READY;
	if (was_asked) {
		l->row = 0;
		return;
	}
	if (l->finish_signal && (l->is_given_up || life_stage_state(seg, l->id) == STATE_STOPPED)) {
		be_over(l);
		return;
	}
	if (status == EXIT_LAYOUT && !has_joined(l, seg) && l->kept_fd >= 0 && l->refused_inode != l->runs_inode) {
		refuse_binary(l, l->runs_inode);
		return;
	}
	if (status == EXIT_CONFIG && !was_ready && is_its_word(l, seg)) {
		stay_down(l);
		return;
	}
	l->row = row_after_death(l->row, now - l->began_at_ns, passed_pkts(seg, l->id) != l->passed_at_begin);
	l->start_at_ns = now + row_pause_ns(l->row);
	l->ended_by_itself = 1;
}

void life_restart(struct life *l, uint64_t now)
{
	l->row = 0;
	l->has_told = 0;
	l->refused_inode = 0;
	l->standby.n_unprepared = 0;
	if (l->state == LIFE_RUNS) {
		l->restart_asked = 1;
		if (!l->standby.is_prepared || l->standby.inode != inode_of(l->binary))
			standby_end(&l->standby);
		l->standby.due_ns = now;
		l->restart_by_ns = now + STANDBY_PATIENCE_NS;
		if (l->standby.pid)
			end_for_restart(l);
		return;
	}
	l->state = LIFE_WAITS;
	l->start_at_ns = now;
}

void life_try_again(struct life *l, uint64_t now)
{
	if (l->state == LIFE_DOWN)
		life_restart(l, now);
}

void life_finish(struct life *l, int sig)
{
	l->finish_signal = sig;
	l->restart_by_ns = 0;
	if (sig == SIGTERM) /* else the successor has input to read */
		l->restart_asked = 0;
	if (l->state == LIFE_DOWN)
		be_over(l);
}

void life_ask_to_finish(struct life *l, const struct segment *seg)
{
	if (l->state != LIFE_RUNS || !l->finish_signal || l->finish_asked == l->pid)
		return;
	if (segment_stage_pid(seg, l->id) != l->pid) /* it has no handler yet */
		return;
	l->finish_asked = l->pid;
	process_signal(l->pidfd, l->finish_signal);
	process_signal(l->pidfd, SIGCONT);
}

void life_give_up(struct life *l)
{
	if (l->is_given_up)
		return;
	l->is_given_up = 1;
	l->restart_asked = 0;
	if (l->state == LIFE_RUNS)
		process_signal(l->pidfd, SIGKILL);
	else
		be_over(l);
}

void life_watch(struct life *l, const struct segment *seg, uint64_t hung_ns, uint64_t now)
{
	ino_t inode;

	if (l->state == LIFE_RUNS)
		hung_end(l, seg, hung_ns, now);
	inode = inode_of(l->binary);
	if (l->restart_by_ns && now >= l->restart_by_ns)
		end_for_restart(l);
	if (l->standby.is_prepared && inode != 0 && inode != l->standby.inode && inode != l->refused_inode)
		standby_end(&l->standby); /* the next one is of the binary that is there now */
	if (l->state == LIFE_RUNS && l->has_told && now - l->began_at_ns >= ROW_LIFE_NS) {
		log_info("%s runs again (pid %d)", l->name, l->pid);
		l->has_told = 0;
	}
	if (l->state == LIFE_DOWN && inode != 0 && inode != l->refused_inode)
		life_restart(l, now);
}
