/* process.c - the processes of an instance, and signals that reach nobody else. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "decimal.h"
#include "shm/find.h"
#include "shm/lock.h"
#include "stage/stage.h"
#include "parts.h"

pid_t process_holds(const struct segment *seg, int who)
{
	return who == WHO_SUPERVISOR ? segment_supervisor_pid(seg)
	       : who == WHO_HOLDER   ? segment_holder_pid(seg)
				     : segment_stage_pid(seg, (enum stage_id)who);
}

static int is_there(const struct segment *seg, int who)
{
	return who == WHO_SUPERVISOR ? segment_is_supervised(seg)
	       : who == WHO_HOLDER   ? segment_is_held(seg)
				     : segment_stage_is_alive(seg, (enum stage_id)who);
}

int process_open(const struct segment *seg, int who, pid_t *pid)
{
	int pidfd;

	*pid = process_holds(seg, who);
	if (!segment_is_mine(seg))
		return -EPERM;
	if (*pid == 0)
		return is_there(seg, who) ? -EXDEV : -ESRCH;
	pidfd = (int)syscall(SYS_pidfd_open, *pid, 0);
	if (pidfd < 0)
		return -errno;
	if (process_holds(seg, who) == *pid) /* it still has the lock, so the descriptor is of the one that has it */
		return pidfd;
	close(pidfd);
	return -ESRCH;
}

int process_open_parent(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), err = -errno;

	if (getppid() == pid) /* still: so the descriptor is of it */
		return pidfd < 0 ? err : pidfd;
	if (pidfd >= 0)
		close(pidfd);
	return -ESRCH;
}

int process_is_child(int pidfd)
{
	siginfo_t info = { 0 };

	return waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

int process_open_child(pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (pidfd >= 0 && process_is_child(pidfd))
		return pidfd;
	if (pidfd >= 0)
		close(pidfd);
	return -ESRCH;
}

int process_binary(int pidfd, pid_t pid)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!process_wait(pidfd, 0)) /* it is there still, so the number was its own */
		return fd;
	close(fd);
	return -ESRCH;
}

int process_signal(int pidfd, int sig)
{
	return syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0) < 0 ? -errno : 0;
}

int process_wait(int pidfd, int timeout_ms)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) > 0;
}

int process_end(int pidfd, int sig, int patience_ms)
{
	process_signal(pidfd, sig);
	process_signal(pidfd, SIGCONT);
	if (process_wait(pidfd, patience_ms))
		return 0;
	process_signal(pidfd, SIGKILL);
	return process_wait(pidfd, 5000) ? 0 : -EBUSY;
}

struct ending {
	const char *instance;
	int n;
};

/* The number is of a moment ago: what the pidfd names must have the segment open still. */
static void end_one(void *arg, pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct ending *e = arg;

	if (pidfd < 0)
		return;
	if (segment_has_user(e->instance, pid) && process_end(pidfd, SIGKILL, 1000) == 0)
		e->n++;
	close(pidfd);
}

int process_end_all(const char *instance)
{
	struct ending e = { .instance = instance };

	/* More than once: what is found may be starting another just now. */
	for (int round = 0; round < 5 && segment_each_user(instance, end_one, &e) > 0; round++)
		continue;
	return e.n;
}

void process_name(pid_t pid, char name[PROCESS_NAME_BYTES])
{
	char path[32];
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	in = fopen(path, "re");
	if (!in || !fgets(name, PROCESS_NAME_BYTES, in))
		name[0] = '\0';
	if (in)
		fclose(in);
	name[strcspn(name, "\n")] = '\0';
}

int process_is_called(pid_t pid, const char *name)
{
	char called[PROCESS_NAME_BYTES];

	process_name(pid, called);
	return strcmp(called, name) == 0;
}

struct standbys {
	const struct segment *seg;
	const char *instance;
	void (*found)(void *arg, int pidfd, pid_t pid);
	void *arg;
};

static void look_at(void *arg, pid_t pid)
{
	struct standbys *b = arg;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), is_other = pidfd >= 0 && segment_has_user(b->instance, pid);
	char called[PROCESS_NAME_BYTES];

	process_name(pid, called); /* edf's workers have no lock that tells a pid either */
	is_other &= strncmp(called, WORKER_NAME, sizeof(WORKER_NAME) - 1) != 0;
	for (uint32_t shard = 0; is_other && shard < b->seg->n_shards; shard++) {
		struct segment part = part_of(b->seg, shard);

		for (int who = 0; who < WHO_ANY; who++)
			is_other &= process_holds(&part, who) != pid;
	}
	if (is_other)
		b->found(b->arg, pidfd, pid);
	if (pidfd >= 0)
		close(pidfd);
}

void process_each_standby(const struct segment *seg, const char *instance,
			  void (*found)(void *arg, int pidfd, pid_t pid), void *arg)
{
	struct standbys b = { .seg = seg, .instance = instance, .found = found, .arg = arg };

	segment_each_user(instance, look_at, &b);
}

int process_who(const char *name, int *shard)
{
	size_t len = strcspn(name, ".");
	uint64_t number = 0;
	const char *end = "";

	*shard = -1;
	if (name[len] == '.') {
		if (decimal_whole(name + len + 1, MOST_SHARDS - 1, &number, &end) || *end)
			return -1;
		*shard = (int)number;
	}
	for (int i = 0; i < N_STAGES; i++)
		if (strncmp(name, stage_name((enum stage_id)i), len) == 0 && !stage_name((enum stage_id)i)[len])
			return i;
	return strcmp(name, "supervisor") == 0 ? WHO_SUPERVISOR
	       : strcmp(name, "holder") == 0   ? WHO_HOLDER
	       : strcmp(name, "standbys") == 0 ? WHO_STANDBYS
					       : -1;
}
