/* keep.c - the holder: it has all open, and starts the supervisor again. */
#include "keep.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/ids.h"
#include "log.h"
#include "process.h"
#include "shm/lock.h"
#include "stage/rescue.h"
#include "stage/stage.h"
#include "rights.h"
#include "row.h"
#include "spawn.h"

#define LAUNCH_WAITS_NS (5 * NS_PER_S) /* for a first supervisor: then no launch asks any more */
#define MAX_WORDS 128 /* of the command; options.c takes fewer */

struct keeper {
	char **command;
	pid_t pid;
	int pidfd; /* of the supervisor */
	int signal_fd;
	int is_child; /* else its exit status is not ours to know */
	int renews; /* SIGUSR2: it is to go over to the binary that is there now */
	int is_asked; /* TERM was passed on: there is to be no other */
	int kept_fd; /* the binary of a supervisor that this instance has had; -1: none */
	int uses_kept; /* since the one that has its name now has refused */
	int is_first; /* no supervisor has run before it */
	uint64_t began_at_ns;
	struct row row; /* of supervisors that ended within a second */
};

static void build_path(char path[PATH_BYTES + 16], const char *name)
{
	const char *build = getenv("ONTIME_BUILD");

	snprintf(path, PATH_BYTES + 16, "%s/%s", build ? build : ".", name);
}

/* Of signals to the holder itself. Returns 1 when it is to end: its supervisor ends. */
static int take_signals(struct keeper *k)
{
	struct signalfd_siginfo info;

	while (read(k->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGUSR1)
			return 1;
		if (info.ssi_signo == SIGUSR2) {
			k->renews = 1;
			continue;
		}
		k->is_asked |= info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
		process_signal(k->pidfd, (int)info.ssi_signo);
	}
	return k->is_asked && k->pidfd < 0;
}

static int open_signals(void)
{
	static const int taken[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaddset(&set, taken[i]);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int start(struct keeper *k)
{
	char kept[32];
	int err;

	snprintf(kept, sizeof(kept), "/proc/self/fd/%d", k->kept_fd);
	err = spawn(k->uses_kept ? kept : k->command[0], k->command, 0, -1, &k->pid, &k->pidfd);
	k->began_at_ns = now_ns();
	k->is_child = 1;
	if (!err)
		return 0;
	k->pidfd = -1;
	if (!k->row.has_told)
		log_error("start the supervisor %s: %s: trying again, at least once a second", k->command[0],
			  log_text_of(err));
	k->row.has_told = 1;
	return err;
}

/* The same process, so that all stays open and locked. Returns only if it cannot be done. */
static void renew(struct keeper *k)
{
	char program[PATH_BYTES + 16], number[16];
	char *argv[MAX_WORDS + 5] = { program, "--beside", number, "--" };
	int n = 0;

	k->renews = 0;
	while (n < MAX_WORDS && k->command[n])
		n++;
	if (k->is_asked || n == MAX_WORDS)
		return;
	memcpy(argv + 4, k->command, (size_t)n * sizeof(*argv));
	build_path(program, "hold");
	snprintf(number, sizeof(number), "%d", k->pid);
	execv(program, argv);
	log_error("go over to %s: %s: the holder that runs goes on", program, log_text_of(errno));
}

/* One that has supervised this instance, and is another file than the one that has its name now. */
static int has_kept_another(const struct keeper *k)
{
	char path[PATH_BYTES + 16]; /* whichever script starts it */
	struct stat kept, named;

	build_path(path, "supervise");
	if (k->kept_fd < 0 || fstat(k->kept_fd, &kept) < 0)
		return 0;
	return stat(path, &named) < 0 || named.st_ino != kept.st_ino || named.st_dev != kept.st_dev;
}

/* How it ended. Returns the exit status if this process is to end too, else -1. */
static int learn(struct keeper *k)
{
	siginfo_t info = { 0 };
	int has_exited =
		    k->is_child && waitid(P_PIDFD, (id_t)k->pidfd, &info, WEXITED) == 0 && info.si_code == CLD_EXITED,
	    used_kept = k->uses_kept;

	k->is_first &= now_ns() - k->began_at_ns < LAUNCH_WAITS_NS;
	k->uses_kept = has_exited && (info.si_status == EXIT_LAYOUT || info.si_status == EXIT_CONFIG) && !used_kept &&
		       has_kept_another(k);
	if (has_exited && info.si_status == EXIT_SUPERVISED)
		return EXIT_TEMPORARY;
	return has_exited && (info.si_status == 0 || (k->is_first && !k->uses_kept)) ? info.si_status : -1;
}

/* Until it has ended. Returns the exit status if this process is to end too, else -1. */
static int watch(struct keeper *k)
{
	int status;

	for (;;) {
		struct pollfd polls[2] = { { .fd = k->pidfd, .events = POLLIN },
					   { .fd = k->signal_fd, .events = POLLIN } };

		if (poll(polls, 2, -1) < 0)
			continue;
		if (polls[1].revents && take_signals(k))
			return 0;
		if (polls[0].revents)
			break;
		if (k->renews)
			renew(k);
	}
	status = learn(k);
	close(k->pidfd);
	k->pidfd = -1;
	return status < 0 && k->is_asked ? 0 : status;
}

/* Once per change. */
static void tell(struct keeper *k, enum row_news news)
{
	if (news == ROW_ENDED_WELL)
		log_warn("the supervisor (pid %d) ended: another is started", k->pid);
	else if (news == ROW_BEGINS)
		log_error("the supervisor ended %u times in a row within a second (its own line says why): it is "
			  "started again, at least once a second",
			  k->row.deaths);
}

/* Lives of less than a second make the next one wait, as with stages. */
static void wait_for_the_next(struct keeper *k)
{
	uint64_t pause_ns = row_pause_ns(k->row.deaths);
	struct pollfd p = { .fd = k->signal_fd, .events = POLLIN };

	if (pause_ns)
		poll(&p, 1, (int)(pause_ns / NS_PER_MS));
}

/* The one that has started this holder, or that this process has started before it went over to its binary. */
static int watch_other(struct keeper *k)
{
	const struct segment seg = { .fd = handed_fd("segment") };
	int pidfd = process_open_parent(k->pid), binary;

	/* whoever took over the children of one that ended */
	if (pidfd >= 0 && segment_supervisor_pid(&seg) != k->pid) {
		close(pidfd);
		return -ESRCH;
	}
	if (pidfd == -ESRCH) {
		pidfd = process_open_child(k->pid);
		k->is_child = pidfd >= 0;
	}
	if (pidfd < 0)
		return pidfd;
	k->pidfd = pidfd;
	binary = process_binary(pidfd, k->pid);
	if (binary >= 0 && k->kept_fd >= 0)
		close(k->kept_fd);
	k->kept_fd = binary >= 0 ? binary : k->kept_fd;
	return 0;
}

static int open_supervisor(void)
{
	char path[PATH_BYTES + 16];

	build_path(path, "supervise");
	return open(path, O_PATH | O_CLOEXEC);
}

static int lock(void)
{
	struct segment seg = { .fd = handed_fd("segment") };
	int err = seg.fd < 0 ? -EBADF : segment_lock_holder(&seg);

	if (err)
		log_error("hold the sockets for the supervisor: %s",
			  err == -EBUSY ? "another process does already" : log_text_of(-err));
	return err;
}

int keep(char **command, pid_t supervisor)
{
	struct keeper k = {
		.command = command, .pid = supervisor, .pidfd = -1, .is_first = supervisor == 0, .began_at_ns = now_ns()
	};
	char number[16];
	int status, ended;

	rights_keep_from_rising();
	rights_drop(); /* of whoever comes after the first one, too: the file may have them */
	k.kept_fd = supervisor ? rescue_binary() : -1;
	handed_close_others(k.kept_fd);
	log_set_service_name("hold");
	if (lock())
		return EXIT_TEMPORARY;
	k.signal_fd = open_signals();
	if (k.signal_fd < 0) {
		log_error("signalfd: %s", log_text_of(errno));
		return EXIT_TEMPORARY;
	}
	snprintf(number, sizeof(number), "%d", getpid());
	setenv(HOLDER_VARIABLE, number, 1);
	if (!supervisor)
		k.kept_fd = open_supervisor();
	ended = supervisor ? watch_other(&k) : start(&k);
	for (;;) {
		status = ended ? -1 : watch(&k);
		if (status >= 0)
			return status;
		if (k.is_first && ended)
			return EXIT_TEMPORARY;
		k.is_first = 0;
		if (ended) /* it could not be started, which start() has said */
			k.row.deaths = row_after_death(k.row.deaths, 0, 0);
		else
			tell(&k, row_count(&k.row, now_ns() - k.began_at_ns));
		wait_for_the_next(&k);
		if (take_signals(&k))
			return 0;
		ended = start(&k) != 0;
	}
}
