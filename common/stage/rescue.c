/* rescue.c - a stand-by starts a holder. */
#include "rescue.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "asked.h"
#include "clock.h"
#include "config/ids.h"
#include "log.h"
#include "shm/lock.h"
#include "stage.h"

void rescue_ask(void)
{
	char number[16];

	/* cppcheck-suppress leakNoVarFunctionCall ; what is started by a rescue has it */
	snprintf(number, sizeof(number), "%d", open("/proc/self/exe", O_PATH));
	setenv(RESCUE_VARIABLE, number, 1);
}

int rescue_binary(void)
{
	const char *number = getenv(RESCUE_VARIABLE);
	int fd = number ? atoi(number) : -1;
	struct stat st;

	if (fd < LISTEN_FIRST_FD || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -1;
	return fd;
}

int rescue_wait(const struct segment *seg, enum stage_id id)
{
	uint64_t until_ns = now_ns() + RESCUE_AFTER_NS * (1 + (uint64_t)id) + RESCUE_SHARD_NS * seg->shard;
	struct timespec pause = { .tv_nsec = 20 * NS_PER_MS };

	if (!getenv(RESCUE_VARIABLE))
		return 0;
	do /* the pause comes first: what a process has locked may be locked for a moment yet when it is gone */
		nanosleep(&pause, NULL);
	while (now_ns() < until_ns && !asked_to_stop() && !segment_is_supervised(seg));
	return !asked_to_stop() && !segment_is_supervised(seg) && !segment_is_held(seg);
}

/* In a child, which has no real time (place.h) but the CPU of its parent. */
static void run(char **argv)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
	unsetenv(SHARD_VARIABLE);
	execv(argv[0], argv);
	log_error("run %s: %s", argv[0], log_text_of(errno));
	_exit(EXIT_FAILURE);
}

void rescue_start(const char *stage, pid_t supervisor, int argc, char **argv)
{
	const char *build = getenv("ONTIME_BUILD");
	char hold[PATH_BYTES], supervise[PATH_BYTES], number[16];
	char *command[MAX_ARGUMENTS + 8] = { hold, "--beside", number, "--", supervise };

	if (!build || argc > MAX_ARGUMENTS)
		return;
	snprintf(hold, sizeof(hold), "%s/hold", build);
	snprintf(supervise, sizeof(supervise), "%s/supervise", build);
	snprintf(number, sizeof(number), "%d", supervisor);
	for (int i = 1; i < argc; i++)
		command[4 + i] = argv[i];
	log_warn("supervisor and holder were killed: the stand-by of %s starts others", stage);
	if (fork() == 0)
		run(command);
}
