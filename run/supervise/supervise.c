/*
 * supervise.c - keep the three stages alive: start, restart, reload, end what hangs. Started by supervisor.sh through
 * hold.
 *
 * Memory:  the sockets, the segment and the configuration are descriptors that every stage has too (LISTEN_FDS).
 *          Nothing that this process knows is lost with it: its successor takes the descriptors from a stage and goes
 *          on.
 * Rules:   one process, one poll loop; it makes no process but the stages (and `latency`, for a stage that was built
 *          anew, and one that asks for host names at a reload).
 *          One supervisor per instance: it holds a lock on the segment. It never gives up on a stage (life.h).
 *          HUP reloads the configuration file, all of it or nothing. TERM ends the supervisor; the stages go on without
 *          it.
 *          SIGNAL_RESTART + a stage's id: restart that stage (hold --restart).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "hold/process.h"
#include "hold/sockets.h"
#include "log.h"
#include "shm/lock.h"
#include "stage/stage.h"
#include "life.h"
#include "names.h"
#include "reload.h"
#include "version.h"

#define WATCH_NS (500 * NS_PER_MS)

struct supervisor {
	struct config config; /* in force */
	struct segment seg;
	struct life lives[N_STAGES];
	struct names names;
	struct reload reload;
	int signal_fd, config_fd;
	int argc;
	char *argv[MAX_ARGUMENTS]; /* the overrides */
	char *stage_argv[N_STAGES][MAX_ARGUMENTS + 4];
	char config_path[32];
	const char *build;
	pid_t latency;
	uint64_t watch_due_ns, keep_due_ns;
};

static void print_help(void)
{
	puts("supervise - keep the stages of an instance of ontime alive.\n\n"
	     "usage: supervise [--KEY=VALUE]...\n\n"
	     "Started by run/launch.sh through hold and run/supervisor.sh, with the sockets, the segment and the\n"
	     "configuration as descriptors (LISTEN_FDS), and ONTIME_DIR, ONTIME_CONFIG and ONTIME_BUILD in the\n"
	     "environment.\n"
	     "Signals: HUP reloads the configuration, TERM ends it; the stages go on.\n"
	     "Exit status: 0 asked to end, 1 temporary failure, 2 usage or configuration.");
}

/* What a daemon inherits is not what it should run with. */
static void start_clean(void)
{
	struct sched_param ordinary = { 0 };
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	umask(077);
	unsetenv("NOTIFY_SOCKET"); /* of whoever launched this: it does not wait for the stages */
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	sched_setscheduler(0, SCHED_OTHER, &ordinary);
	if (getpriority(PRIO_PROCESS, 0) > 0) /* may be refused: then it stays */
		setpriority(PRIO_PROCESS, 0, 0);
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	for (int i = 0; i < N_STAGES; i++)
		sigaddset(&set, SIGNAL_RESTART + i);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* What was inherited beyond what hold handed on is somebody else's. */
static void close_others(void)
{
	const char *names = getenv("LISTEN_FDNAMES");
	int fd = LISTEN_FIRST_FD;

	while (names && *names) {
		size_t n = strcspn(names, ":");

		names += n + (names[n] == ':');
		fd++;
	}
	close_range((unsigned int)fd, ~0U, 0);
}

static const char *from_environment(const char *name)
{
	const char *value = getenv(name);

	if (value && *value)
		return value;
	log_error("%s is not set: run/launch.sh starts the supervisor", name);
	exit(EXIT_CONFIG);
}

static void set_stage_argv(struct supervisor *s)
{
	for (int id = 0; id < N_STAGES; id++) {
		int n = 0;

		s->stage_argv[id][n++] = s->lives[id].binary;
		s->stage_argv[id][n++] = "-c";
		s->stage_argv[id][n++] = s->config_path;
		for (int i = 1; i < s->argc; i++)
			s->stage_argv[id][n++] = s->argv[i];
		s->stage_argv[id][n] = NULL;
	}
}

/* The arguments but `-c FILE`: the configuration comes by descriptor. */
static int take_arguments(struct supervisor *s, int argc, char **argv)
{
	s->argv[s->argc++] = argv[0];
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
			i++;
			continue;
		}
		if (s->argc == MAX_ARGUMENTS)
			return -E2BIG;
		s->argv[s->argc++] = argv[i];
	}
	return 0;
}

static int open_instance(struct supervisor *s)
{
	char why[CONFIG_WHY_BYTES];
	int segment_fd = handed_fd("segment"), err;

	s->config_fd = handed_fd("config");
	if (segment_fd < 0 || s->config_fd < 0) {
		log_error("no segment or no configuration was handed on (LISTEN_FDNAMES): start with run/launch.sh");
		return EXIT_CONFIG;
	}
	snprintf(s->config_path, sizeof(s->config_path), "/proc/self/fd/%d", s->config_fd);
	err = config_load(&s->config, s->config_path, s->argc, s->argv, why, sizeof(why));
	if (err) {
		config_log_refusals(why, "");
		return config_may_pass(err) ? EXIT_TEMPORARY : EXIT_CONFIG;
	}
	err = segment_attach_handed(&s->seg, segment_fd, &s->config, why);
	if (err) {
		log_error("%s", why);
		return EXIT_TEMPORARY;
	}
	err = segment_lock_supervisor(&s->seg);
	if (err) {
		log_error("supervise instance '%s': %s (pid %d)", s->config.instance,
			  err == -EBUSY ? "a supervisor is running already" : log_text_of(-err),
			  segment_supervisor_pid(&s->seg));
		return EXIT_TEMPORARY;
	}
	return 0;
}

static void name_all(struct supervisor *s, const char *directory)
{
	char pid[16];

	names_init(&s->names, directory);
	names_set(&s->names, NAME_LAUNCHED, getenv("ONTIME_LAUNCHED") ? getenv("ONTIME_LAUNCHED") : "",
		  getenv("ONTIME_LAUNCHED") ? strlen(getenv("ONTIME_LAUNCHED")) : 0);
	reload_publish(&s->reload, &s->names);
	snprintf(pid, sizeof(pid), "%d\n", getpid());
	names_set(&s->names, NAME_PID, pid, strlen(pid)); /* last: launch.sh waits for it */
}

static int open_supervisor(struct supervisor *s, int argc, char **argv)
{
	const char *directory = from_environment("ONTIME_DIR"), *file = from_environment("ONTIME_CONFIG");
	int status;

	s->signal_fd = open_signals(); /* before the lock, by which others find whom to signal */
	if (s->signal_fd < 0) {
		log_error("signalfd: %s", log_text_of(errno));
		return EXIT_TEMPORARY;
	}
	s->build = from_environment("ONTIME_BUILD");
	setenv("ONTIME_CONFIG_NAME", file, 1);
	if (take_arguments(s, argc, argv)) {
		log_error("too many arguments: put them into a file, and give it with -c");
		return EXIT_CONFIG;
	}
	status = open_instance(s);
	if (status)
		return status;
	reload_init(&s->reload, file, s->config_fd, s->argc, s->argv);
	for (int id = 0; id < N_STAGES; id++)
		life_init(&s->lives[id], &s->seg, (enum stage_id)id, s->build);
	set_stage_argv(s);
	name_all(s, directory);
	return 0;
}

static void signal_stages(struct supervisor *s, int sig)
{
	for (int id = 0; id < N_STAGES; id++)
		if (s->lives[id].state == LIFE_RUNS)
			process_signal(s->lives[id].pidfd, sig);
}

static void put_in_force(struct supervisor *s, uint64_t now)
{
	reload_publish(&s->reload, &s->names);
	signal_stages(s, SIGHUP);
	for (int id = 0; id < N_STAGES; id++)
		life_try_again(&s->lives[id], now);
}

static void reload(struct supervisor *s, uint64_t now)
{
	log_reopen();
	if (reload_now(&s->reload, &s->config) == 0)
		put_in_force(s, now);
}

/* Returns 1 when asked to end. */
static int take_signals(struct supervisor *s, uint64_t now)
{
	struct signalfd_siginfo info;
	int end = 0;

	while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		int sig = (int)info.ssi_signo;

		if (sig == SIGHUP)
			reload(s, now);
		else if (sig == SIGTERM || sig == SIGINT)
			end = 1;
		else if (sig >= SIGNAL_RESTART && sig < SIGNAL_RESTART + N_STAGES)
			life_restart(&s->lives[sig - SIGNAL_RESTART], now);
	}
	return end;
}

/* The latency histograms belong to files: attach to a binary that is another than the one before. */
static void probe_rebuilt(struct supervisor *s)
{
	static ino_t probed[N_STAGES];
	char program[PATH_BYTES + 16], pins[96];
	char *argv[] = { program, "-i", s->config.instance, NULL };
	struct stat st;
	int changed = 0;

	for (int id = 0; id < N_STAGES; id++) {
		ino_t inode = s->lives[id].state == LIFE_RUNS ? s->lives[id].runs_inode : 0;

		changed |= probed[id] != 0 && inode != 0 && inode != probed[id];
		probed[id] = inode ? inode : probed[id];
	}
	if (s->latency > 0 && waitpid(s->latency, NULL, WNOHANG) != 0)
		s->latency = 0;
	snprintf(pins, sizeof(pins), "/sys/fs/bpf/ontime/%s", s->config.instance);
	if (!changed || s->latency > 0 || lstat(pins, &st) < 0)
		return;
	snprintf(program, sizeof(program), "%s/latency", s->build);
	setenv("ONTIME_LOG", "warning", 1);
	s->latency = life_spawn_helper(program, argv);
	unsetenv("ONTIME_LOG");
}

static void describe(struct supervisor *s)
{
	char text[NOTE_BYTES];
	size_t len = 0;

	text[0] = 0;
	for (int id = 0; id < N_STAGES; id++) {
		const struct life *l = &s->lives[id];
		const char *what = l->state == LIFE_DOWN ? "is down: it refused its configuration (see the log)"
				   : l->has_told	 ? "keeps ending without passing a packet on (see the log)"
							 : NULL;

		if (what && len < sizeof(text) - 160)
			len += (size_t)snprintf(text + len, sizeof(text) - len, "%s %s; it ended last: %s\n",
						stage_name((enum stage_id)id), what, l->last_end);
	}
	names_set(&s->names, NAME_STAGES, text, len);
}

static void tend(struct supervisor *s, uint64_t now)
{
	for (int id = 0; id < N_STAGES; id++)
		life_start(&s->lives[id], &s->seg, s->stage_argv[id], now);
	if (now >= s->watch_due_ns) {
		s->watch_due_ns = now + WATCH_NS;
		for (int id = 0; id < N_STAGES; id++)
			life_watch(&s->lives[id], &s->seg, s->config.hung_ms * NS_PER_MS, now);
		describe(s);
		probe_rebuilt(s);
	}
	if (now >= s->keep_due_ns) {
		s->keep_due_ns = now + NS_PER_S;
		if (names_keep(&s->names))
			signal_stages(s, SIGHUP); /* their log was moved away too */
	}
}

static int next_timeout_ms(const struct supervisor *s, uint64_t now)
{
	uint64_t at = s->watch_due_ns < s->keep_due_ns ? s->watch_due_ns : s->keep_due_ns;

	for (int id = 0; id < N_STAGES; id++)
		if (s->lives[id].state == LIFE_WAITS && s->lives[id].start_at_ns < at)
			at = s->lives[id].start_at_ns;
	return at <= now ? 0 : (int)((at - now + NS_PER_MS - 1) / NS_PER_MS);
}

static void supervise(struct supervisor *s)
{
	struct timespec pause = { .tv_nsec = 10 * NS_PER_MS };

	for (;;) {
		struct pollfd polls[N_STAGES + 2] = { { .fd = s->signal_fd, .events = POLLIN } };
		uint64_t now = now_ns();

		tend(s, now);
		for (int id = 0; id < N_STAGES; id++)
			polls[id + 1] = (struct pollfd){ .fd = s->lives[id].pidfd, .events = POLLIN };
		polls[N_STAGES + 1] = (struct pollfd){ .fd = s->reload.asked_fd, .events = POLLIN };
		if (poll(polls, N_STAGES + 2, next_timeout_ms(s, now_ns())) < 0) {
			nanosleep(&pause, NULL); /* a call that keeps failing must not spin; the next turn asks again */
			continue;
		}
		now = now_ns();
		for (int id = 0; id < N_STAGES; id++)
			if (polls[id + 1].revents && s->lives[id].state == LIFE_RUNS) {
				life_end(&s->lives[id], &s->seg, now);
				life_start(&s->lives[id], &s->seg, s->stage_argv[id], now);
			}
		if (polls[N_STAGES + 1].revents && reload_answered(&s->reload, &s->config) == 0)
			put_in_force(s, now);
		if (polls[0].revents && take_signals(s, now))
			return;
	}
}

int main(int argc, char **argv)
{
	static struct supervisor s;
	int status;

	log_set_service_name("supervise");
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		print_help();
		return 0;
	}
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		printf("ontime %s\n", ONTIME_VERSION);
		return 0;
	}
	start_clean();
	close_others();
	status = open_supervisor(&s, argc, argv);
	if (status)
		return status;
	supervise(&s);
	names_remove(&s.names);
	return 0;
}
