/* keep.c - the holder: it has all open, and starts the supervisor again. */
#include "keep.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "log.h"
#include "process.h"
#include "shm/lock.h"
#include "stage/stage.h"
#include "row.h"
#include "spawn.h"

struct keeper {
	char **command;
	pid_t pid;
	int pidfd; /* of the supervisor */
	int signal_fd;
	int is_child; /* else its exit status is not ours to know */
	int is_first; /* no supervisor has run before it */
	uint64_t began_at_ns;
	uint32_t row; /* of supervisors that ended within a second */
};

/* Of signals to the holder itself. Returns 1 when it is to end: its supervisor ends. */
static int take_signals(struct keeper *k)
{
	struct signalfd_siginfo info;

	while (read(k->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGUSR1)
			return 1;
		process_signal(k->pidfd, (int)info.ssi_signo);
	}
	return 0;
}

static int open_signals(void)
{
	static const int taken[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1 };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		sigaddset(&set, taken[i]);
	for (int i = 0; i < N_STAGES; i++)
		sigaddset(&set, SIGNAL_RESTART + i);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int start(struct keeper *k)
{
	int err = spawn(k->command[0], k->command, 0, -1, &k->pid, &k->pidfd);

	k->began_at_ns = now_ns();
	k->is_child = 1;
	if (err)
		log_error("start the supervisor %s: %s: trying again, at least once a second", k->command[0],
			  log_text_of(err));
	return err;
}

/* Until it has ended. Returns the exit status if this process is to end too, else -1. */
static int watch(struct keeper *k)
{
	siginfo_t info = { 0 };

	for (;;) {
		struct pollfd polls[2] = { { .fd = k->pidfd, .events = POLLIN },
					   { .fd = k->signal_fd, .events = POLLIN } };

		if (poll(polls, 2, -1) < 0)
			continue;
		if (polls[1].revents && take_signals(k))
			return 0;
		if (polls[0].revents)
			break;
	}
	if (k->is_child && waitid(P_PIDFD, (id_t)k->pidfd, &info, WEXITED) == 0 && info.si_code == CLD_EXITED &&
	    (info.si_status == 0 || k->is_first || info.si_status == EXIT_SUPERVISED))
		return info.si_status == EXIT_SUPERVISED ? EXIT_TEMPORARY : info.si_status;
	close(k->pidfd);
	return -1;
}

/* Lives of less than a second make the next one wait, as with stages. */
static void wait_for_the_next(struct keeper *k)
{
	uint64_t pause_ns;
	struct pollfd p = { .fd = k->signal_fd, .events = POLLIN };

	k->row = row_after_death(k->row, now_ns() - k->began_at_ns, 0);
	pause_ns = row_pause_ns(k->row);
	if (pause_ns)
		poll(&p, 1, (int)(pause_ns / NS_PER_MS));
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
		.command = command, .pid = supervisor, .is_first = supervisor == 0, .began_at_ns = now_ns()
	};
	char number[16];
	int status, ended;

	handed_close_others();
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
	ended = supervisor ? (k.pidfd = (int)syscall(SYS_pidfd_open, supervisor, 0)) < 0 : start(&k);
	for (;;) {
		status = ended ? -1 : watch(&k);
		if (status >= 0)
			return status;
		if (k.is_first && ended)
			return EXIT_TEMPORARY;
		k.is_first = 0;
		if (!ended)
			log_warn("the supervisor (pid %d) was killed: another is started", k.pid);
		wait_for_the_next(&k);
		if (take_signals(&k))
			return 0;
		ended = start(&k) != 0;
	}
}
