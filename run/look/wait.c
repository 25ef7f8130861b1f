/* wait.c - wait for the next look, a key, or the end. */
#include "wait.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>

#include "clock.h"

static volatile sig_atomic_t stop_asked, resized;

static void on_signal(int sig)
{
	if (sig == SIGWINCH)
		resized = 1;
	else
		stop_asked = 1;
}

void wait_begin(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };
	struct sigaction act = { .sa_handler = on_signal };
	sigset_t blocked;

	sigemptyset(&act.sa_mask);
	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		sigaction(signals[i], &act, NULL);
		sigaddset(&blocked, signals[i]);
	}
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	signal(SIGPIPE, SIG_IGN);
}

enum waited wait_until(uint64_t at_ns, int fd)
{
	sigset_t none;

	sigemptyset(&none);
	for (;;) {
		uint64_t now = now_ns(), left_ns = at_ns > now ? at_ns - now : 0;
		struct timespec left = { .tv_sec = (time_t)(left_ns / NS_PER_S),
					 .tv_nsec = (long)(left_ns % NS_PER_S) };
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int n = ppoll(&p, 1, &left, &none);

		if (stop_asked)
			return WAITED_END;
		if (resized) {
			resized = 0;
			return WAITED_RESIZE;
		}
		if (n > 0)
			return WAITED_INPUT;
		if (n == 0)
			return WAITED_TIME;
		if (errno != EINTR)
			return WAITED_END;
	}
}
