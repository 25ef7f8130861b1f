/* scouting.c - the scout of an instance, kept running. */
#include "scouting.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "config/destinations.h"
#include "hold/process.h"
#include "hold/spawn.h"
#include "log.h"
#include "stage/stage.h"

#define STOP_MS 1000

void scouting_init(struct scouting *x, const char *build)
{
	*x = (struct scouting){ .pidfd = -1 };
	snprintf(x->binary, sizeof(x->binary), "%s/scout", build);
}

static void start(struct scouting *x, char *const *stage_argv, uint64_t now)
{
	char *argv[MAX_ARGUMENTS + 4], number[16];
	int n = 0, err;

	for (; stage_argv[n]; n++)
		argv[n] = stage_argv[n];
	argv[0] = x->binary;
	argv[n] = NULL;
	snprintf(number, sizeof(number), "%d", getpid());
	setenv(SUPERVISED_VARIABLE, number, 1);
	err = spawn(x->binary, argv, SIGHUP, -1, &x->pid, &x->pidfd);
	unsetenv(SUPERVISED_VARIABLE);
	x->began_at_ns = now;
	x->due_ns = now + NS_PER_S;
	x->is_asked_to_end = 0;
	if (!err)
		return;
	x->pidfd = -1;
	if (!x->row.has_told)
		log_warn("start the scout %s: %s%s: names are not asked for again, and destinations not looked after; "
			 "it is "
			 "tried again each second",
			 x->binary, log_text_of(err),
			 err == ENOENT ? " (it is built where libc-ares-dev is installed)" : "");
	x->row.has_told = 1;
}

void scouting_tend(struct scouting *x, const struct config *c, char *const *argv, uint64_t now)
{
	int is_wanted = destinations_need_scout(c);

	if (x->pidfd >= 0 && !is_wanted && !x->is_asked_to_end) {
		process_signal(x->pidfd, SIGTERM);
		x->is_asked_to_end = 1;
	}
	if (x->pidfd < 0 && is_wanted && now >= x->due_ns)
		start(x, argv, now);
}

void scouting_reload(const struct scouting *x)
{
	if (x->pidfd >= 0)
		process_signal(x->pidfd, SIGHUP);
}

void scouting_ended(struct scouting *x, uint64_t now)
{
	siginfo_t info = { 0 };

	waitid(P_PIDFD, (id_t)x->pidfd, &info, WEXITED);
	close(x->pidfd);
	x->pidfd = -1;
	x->pid = 0;
	if (x->is_asked_to_end)
		return;
	if (row_count(&x->row, now - x->began_at_ns) == ROW_BEGINS)
		log_warn("the scout ends again and again (its own line says why): it is started again, at least once a "
			 "second");
	x->due_ns = now + row_pause_ns(x->row.deaths);
}

void scouting_stop(struct scouting *x)
{
	if (x->pidfd >= 0 && process_end(x->pidfd, SIGTERM, STOP_MS) == 0)
		waitpid(x->pid, NULL, 0);
}
