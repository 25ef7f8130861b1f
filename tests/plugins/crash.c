/*
 * crash.c - a plugin that copies, and ends the process, or tries to, on a datagram that says how: "exit ...", "abort
 * ...".
 *
 * It is opened for ONTIME_TEST_OPEN_MS.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "edf/plugin.h"

static void call_exit(void)
{
	exit(0);
}

static void call_exit_1(void)
{
	exit(1);
}

static void call_exit_now(void)
{
	_exit(2);
}

static void call_exit_c(void)
{
	_Exit(0);
}

static void call_quick_exit(void)
{
	quick_exit(0);
}

static void call_exit_group(void)
{
	syscall(SYS_exit_group, 0);
}

static void raise_segv(void)
{
	raise(SIGSEGV);
}

static void raise_usr2(void)
{
	raise(SIGUSR2);
}

static void raise_term(void)
{
	raise(SIGTERM);
}

static void spawn(void)
{
	if (system("exit 3") != 3 << 8)
		abort();
	if (fork() == 0)
		_exit(0);
}

static int deeper(int depth)
{
	volatile char mine[4096];

	mine[0] = (char)depth;
	return depth == 0 ? 0 : deeper(depth - 1) + mine[0];
}

static void overflow(void)
{
	deeper(1 << 30);
}

static void loop(void)
{
	for (volatile int i = 0;; i++)
		continue;
}

static int work(void *state, struct ontime_packet *p)
{
	static const struct {
		const char *word;
		void (*way)(void);
	} ways[] = {
		{ "crash", abort },
		{ "exit 0", call_exit },
		{ "exit 1", call_exit_1 },
		{ "_exit", call_exit_now },
		{ "_Exit", call_exit_c },
		{ "quick", call_quick_exit },
		{ "group", call_exit_group },
		{ "segv", raise_segv },
		{ "usr2", raise_usr2 },
		{ "term", raise_term },
		{ "spawn", spawn },
		{ "overflow", overflow },
		{ "loop", loop },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		size_t n = strlen(ways[i].word);

		if (p->in_bytes >= n && memcmp(p->in, ways[i].word, n) == 0)
			ways[i].way();
	}
	if (p->in_bytes > p->out_room_bytes)
		return -1;
	memcpy(p->out, p->in, p->in_bytes);
	p->out_bytes = p->in_bytes;
	return 0;
}

static int start(void **state)
{
	const char *ms = getenv("ONTIME_TEST_OPEN_MS");
	struct timespec pause = { .tv_sec = ms ? atoi(ms) / 1000 : 0 };

	(void)state;
	nanosleep(&pause, NULL);
	return 0;
}

extern const struct ontime_plugin ontime_plugin;

const struct ontime_plugin ontime_plugin = {
	.abi = 1, .name = "crash", .open = start, .work = work
}; /* ABI 1: it still loads */
