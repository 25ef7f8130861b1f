/* ending.c - whatever a plugin does to end the process. */
#include "ending.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

typedef void (*ender)(int status);

static struct edf_journal *journal; /* for handlers, which get no argument; NULL: nothing is watched */
static pid_t self;
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

static int is_the_plugins(void)
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
	if (is_the_plugins())
		die_instead("exit()");
}

static void at_quick_exit_too(void)
{
	if (is_the_plugins())
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
	if (is_the_plugins())
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
	if (info->si_code <= 0 && info->si_pid == self && is_the_plugins())
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
	return sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE || sig == SIGABRT;
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

void ending_watch(struct edf_journal *j)
{
	static char stack[16384]; /* of its own: a plugin may have overrun the stage's */
	stack_t alternative = { .ss_sp = stack, .ss_size = sizeof(stack) };
	static int is_watching;

	find_exit();
	self = getpid();
	journal = j;
	if (is_watching)
		return;
	is_watching = 1;
	sigaltstack(&alternative, NULL);
	for (int sig = 1; sig < NSIG; sig++)
		catch_signal(sig);
	if (atexit(at_exit) != 0 || at_quick_exit(at_quick_exit_too) != 0)
		log_warn("no memory to watch for a plugin that calls exit()");
}

void ending_unwatch(void)
{
	journal = NULL;
}

void ending_hold(int is_in_hand)
{
	atomic_store_explicit(&in_hand, is_in_hand, memory_order_relaxed);
}

void ending_recall(struct edf_journal *j, const char *last_end)
{
	if (last_end && (strncmp(last_end, "exited ", 7) == 0 || strcmp(last_end, "hung") == 0))
		note(j);
	atomic_store_explicit(&j->working, 0, memory_order_relaxed); /* relaxed: its writer is gone */
}
