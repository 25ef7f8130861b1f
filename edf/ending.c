/* ending.c - whatever a plugin does to end the process. */
#include "ending.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"

typedef void (*ender)(int status);

static struct edf_journal *journal; /* for handlers, which get no argument; NULL: nothing is watched */
static pid_t self;
static struct {
	void *at;
	size_t bytes;
	int fd, unlocked_fd; /* fd: -1: nothing is locked */
} locked = { .fd = -1 };
static _Atomic int in_hand; /* relaxed: read by handlers of this process */
static struct sigaction own[NSIG]; /* the stage's, of the signals that it handles */
static ender really_exit;

/* Async-signal-safe: atomics only. Once for each packet at work. */
static void note(struct edf_journal *j)
{
	/* relaxed, all of them: this process's own word, or read when its writer is gone */
	uint64_t at_work = atomic_load_explicit(&j->working, memory_order_relaxed);
	int again = atomic_load_explicit(&j->crashed_on, memory_order_relaxed) == at_work;
	uint32_t before = again ? atomic_load_explicit(&j->crashes, memory_order_relaxed) : 0;

	if (!at_work)
		return;
	atomic_store_explicit(&j->crashes, before + 1, memory_order_relaxed);
	atomic_store_explicit(&j->crashed_on, at_work, memory_order_relaxed);
	atomic_store_explicit(&j->working, 0, memory_order_relaxed);
}

int ending_is_plugins(void)
{
	return journal && getpid() == self &&
	       (atomic_load_explicit(&in_hand, memory_order_relaxed) ||
		atomic_load_explicit(&journal->working, memory_order_relaxed));
}

static void die_instead(const char *of)
{
	log_error(
		"the plugin called %s: the process dies and another is started; a packet that does this %d times in a "
		"row is "
		"dropped as `poison`",
		of, CRASHES_UNTIL_POISON);
	note(journal);
	atomic_store_explicit(&in_hand, 0, memory_order_relaxed);
	signal(SIGABRT, SIG_DFL);
	abort();
}

static void at_exit(void)
{
	if (ending_is_plugins())
		die_instead("exit()");
}

static void at_quick_exit_too(void)
{
	if (ending_is_plugins())
		die_instead("quick_exit()");
}

static ender find_exit(void)
{
	if (!really_exit)
		really_exit = (ender)dlsym(RTLD_NEXT, "_exit");
	return really_exit;
}

/* In place of the C library's, for the plugin: it is bound to these since they come first. */
void _exit(int status)
{
	if (ending_is_plugins())
		die_instead("_exit()");
	find_exit()(status);
	__builtin_unreachable();
}

void _Exit(int status)
{
	_exit(status);
}

/*
 * A signal that nobody handles. One that another process sent is not the packet's fault; but SIGABRT is how a hung one
 * ends.
 */
static void on_crash(int sig, siginfo_t *info, void *context)
{
	int is_from_outside = info->si_code == SI_USER && info->si_pid != self && sig != SIGABRT;

	(void)context;
	if (journal && getpid() == self && !is_from_outside)
		note(journal);
	signal(sig, SIG_DFL);
	raise(sig);
}

/* A signal that the stage handles. */
static void on_request(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (info->si_code <= 0 && info->si_pid == self && ending_is_plugins())
		return;
	own[sig].sa_handler(sig);
}

static int ends_by_default(int sig)
{
	static const int others[] = { SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGCHLD, SIGCONT, SIGURG, SIGWINCH };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i] == sig)
			return 0;
	return 1;
}

static int is_crash(int sig)
{
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE || sig == SIGABRT || sig == SIGSYS;
}

static void catch_signal(int sig)
{
	struct sigaction crash = { .sa_sigaction = on_crash, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	struct sigaction request = { .sa_sigaction = on_request, .sa_flags = SA_SIGINFO };

	if (!ends_by_default(sig) || sigaction(sig, NULL, &own[sig]) < 0)
		return;
	if (own[sig].sa_handler == SIG_DFL || is_crash(sig)) /* a sanitizer may have had those */
		sigaction(sig, &crash, NULL);
	else if (own[sig].sa_handler != SIG_IGN && !(own[sig].sa_flags & SA_SIGINFO))
		sigaction(sig, &request, NULL);
}

/* In a child of the plugin's: a successor waits for the last process that has the lock. */
static void let_go(void)
{
	void *at;

	if (locked.fd < 0)
		return;
	at = mmap(locked.at, locked.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, locked.unlocked_fd, 0);
	if (at == MAP_FAILED)
		munmap(locked.at, locked.bytes);
	close(locked.fd);
	close(locked.unlocked_fd);
	locked.fd = -1;
} /* cppcheck-suppress memleak ; what was mapped in its place stays */

/* By a description of its own, which has no lock. */
static void prepare_to_let_go(const struct segment *seg)
{
	char path[32];

	locked.at = seg->shared;
	locked.bytes = seg->size_bytes;
	locked.fd = seg->fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", seg->fd);
	locked.unlocked_fd = open(path, O_RDONLY | O_CLOEXEC);
}

void ending_watch(struct edf_journal *j, const struct segment *seg)
{
	static char stack[16384]; /* of its own: a plugin may have overrun the stage's */
	stack_t alternative = { .ss_sp = stack, .ss_size = sizeof(stack) };
	static int is_watching;

	find_exit();
	self = getpid();
	journal = j;
	prepare_to_let_go(seg);
	if (is_watching)
		return;
	is_watching = 1;
	sigaltstack(&alternative, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		catch_signal(sig);
	if (atexit(at_exit) != 0 || at_quick_exit(at_quick_exit_too) != 0 || pthread_atfork(NULL, NULL, let_go) != 0)
		log_warn("no memory to watch for a plugin that calls exit(), or forks");
}

void ending_unwatch(void)
{
	journal = NULL;
	if (locked.fd >= 0)
		close(locked.unlocked_fd);
	locked.fd = -1;
}

void ending_hold(int is_in_hand)
{
	atomic_store_explicit(&in_hand, is_in_hand, memory_order_relaxed);
}

/* One that a handler has noted is not at work any more. */
static int ended_by_itself(const char *last_end)
{
	if (strncmp(last_end, "signal ", 7) == 0)
		return is_crash(atoi(last_end + 7));
	return strncmp(last_end, "exited ", 7) == 0 || strcmp(last_end, "hung") == 0;
}

void ending_recall(struct edf_journal *j, const char *last_end)
{
	if (last_end && ended_by_itself(last_end))
		note(j);
	atomic_store_explicit(&j->working, 0, memory_order_relaxed); /* relaxed: its writer is gone */
}
