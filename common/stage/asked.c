/* asked.c - what a signal has asked the stage to do. */
#include "asked.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static _Atomic int stop_asked, drain_asked, reload_asked; /* relaxed, all of them: flags set by a signal handler */

static void on_signal(int sig)
{
	_Atomic int *flag = sig == SIGHUP ? &reload_asked : sig == SIGUSR1 ? &drain_asked : &stop_asked;

	atomic_store_explicit(flag, 1, memory_order_relaxed);
}

int asked_to_stop(void)
{
	return atomic_load_explicit(&stop_asked, memory_order_relaxed);
}

int asked_to_drain(void)
{
	return atomic_load_explicit(&drain_asked, memory_order_relaxed);
}

int asked_to_reload(void)
{
	return atomic_load_explicit(&reload_asked, memory_order_relaxed);
}

void asked_reload(void)
{
	atomic_store_explicit(&reload_asked, 1, memory_order_relaxed);
}

void asked_reload_done(void)
{
	atomic_store_explicit(&reload_asked, 0, memory_order_relaxed);
}

int asked_to_return(void)
{
	return asked_to_stop() || asked_to_reload();
}

void asked_catch(void)
{
	struct sigaction act = { .sa_handler = on_signal }; /* no SA_RESTART: a park must end */
	sigset_t hangup;

	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	sigaction(SIGUSR1, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&hangup);
	sigaddset(&hangup, SIGHUP);
	sigprocmask(SIG_UNBLOCK, &hangup, NULL);
}
