/*
 * crash.c - a plugin that copies, and ends the process, or tries to, on a datagram that says how: "exit ...", "abort
 * ...".
 *
 * It is opened for ONTIME_TEST_OPEN_MS. While there is a file ONTIME_TEST_OPEN_EXIT, opening it ends the process.
 */
#include <fcntl.h>
#include <pthread.h>
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

static void fork_one(void)
{
	pid_t pid = fork();

	if (pid == 0)
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

/* A child that stays for longer than anybody waits for a successor. */
static void fork_and_stay(void)
{
	static const struct timespec long_enough = { .tv_sec = 15 };
	pid_t pid = fork();

	if (pid == 0) {
		nanosleep(&long_enough, NULL);
		_exit(0);
	}
}

static void *overflow_in_thread(void *unused)
{
	overflow();
	return unused;
}

static void overflow_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, overflow_in_thread, NULL) == 0)
		pthread_join(thread, NULL);
}

static void *end_at_once(void *unused)
{
	return unused;
}

static void start_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, end_at_once, NULL) == 0)
		pthread_join(thread, NULL);
}

static void open_file(void)
{
	int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		abort();
	close(fd);
}

/* In a directory that everybody may write to. */
static void create_file(void)
{
	int fd = open("/tmp/ontime-test-crash", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return;
	close(fd);
	abort();
}

static void execute(void)
{
	char *const argv[] = { "true", NULL };

	execv("/bin/true", argv);
}

static void end_thread(void)
{
	syscall(SYS_exit, 2);
}

static void close_all(void)
{
	for (int fd = 0; fd < 1024; fd++)
		close(fd);
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
		{ "bare", end_thread },
		{ "fork", fork_one },
		{ "thread", start_thread },
		{ "open", open_file },
		{ "create", create_file },
		{ "execute", execute },
		{ "close", close_all },
		{ "stay", fork_and_stay },
		{ "deep", overflow_thread },
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
	const char *ms = getenv("ONTIME_TEST_OPEN_MS"), *way_out = getenv("ONTIME_TEST_OPEN_EXIT");
	struct timespec pause = { .tv_sec = ms ? atoi(ms) / 1000 : 0 };

	(void)state;
	nanosleep(&pause, NULL);
	if (way_out && access(way_out, F_OK) == 0)
		syscall(SYS_exit_group, 2);
	return 0;
}

extern const struct ontime_plugin ontime_plugin;

const struct ontime_plugin ontime_plugin = {
	.abi = 1, .name = "crash", .open = start, .work = work
}; /* ABI 1: it still loads */
