/* supervisor.c - how a supervisor begins. */
#include "supervisor.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hold/keep.h"
#include "hold/process.h"
#include "hold/rights.h"
#include "log.h"
#include "shm/lock.h"
#include "stage/rescue.h"

static void fill_taken(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
}

/* What a daemon inherits is not what it should run with. */
static void start_clean(void)
{
	struct sched_param ordinary = { 0 };
	sigset_t taken;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	fill_taken(&taken); /* one that came to the binary before waits */
	sigprocmask(SIG_SETMASK, &taken, NULL);
	signal(SIGPIPE, SIG_IGN);
	prctl(PR_SET_NAME, "supervise", 0, 0, 0); /* one that was started by descriptor has a number for a name */
	umask(077);
	sched_setscheduler(0, SCHED_OTHER, &ordinary);
	if (getpriority(PRIO_PROCESS, 0) > 0) /* may be refused: then it stays */
		setpriority(PRIO_PROCESS, 0, 0);
}

static int open_signals(void)
{
	sigset_t set;

	fill_taken(&set);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
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
		return err == -ESTALE ? EXIT_LAYOUT : EXIT_TEMPORARY;
	}
	for (uint32_t shard = 1; shard < s->seg.n_shards; shard++)
		if (segment_attach_shard(&s->parts[shard], segment_fd, &s->config, shard, why)) {
			log_error("%s", why);
			return EXIT_TEMPORARY;
		}
	err = segment_lock_supervisor(&s->seg);
	if (err) {
		log_error("supervise instance '%s': %s (pid %d)", s->config.instance,
			  err == -EBUSY ? "a supervisor is running already" : log_text_of(-err),
			  segment_supervisor_pid(&s->seg));
		return err == -EBUSY ? EXIT_SUPERVISED : EXIT_TEMPORARY;
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
	control_open(&s->control, &s->names, &s->seg);
	names_set(&s->names, NAME_PID, pid, strlen(pid)); /* last: launch.sh waits for it */
}

int supervisor_open(struct supervisor *s, int argc, char **argv, int is_renewed)
{
	const char *directory = from_environment("ONTIME_DIR"), *file = from_environment("ONTIME_CONFIG");
	int status;

	start_clean();
	rights_keep_from_rising(); /* it may have been started by a service manager */
	rights_drop();
	manager_init(&s->manager);
	handed_close_others(-1);
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
	/* After the lock: stop.sh ends the holder, and after that finds a supervisor that does not see it here. */
	if (holder_init(&s->holder, s->build, argv) && !is_renewed) {
		log_info("the holder is gone: the instance is being stopped");
		return EXIT_TEMPORARY;
	}
	if (s->holder.is_wanted && !s->manager.is_there)
		rescue_ask();
	else
		unsetenv(RESCUE_VARIABLE);
	service_init(&s->dash, s->build);
	scouting_init(&s->scout, s->build);
	reload_init(&s->reload, file, s->config_fd, s->argc, s->argv);
	s->n_lives = N_STAGES * s->seg.n_shards;
	for (uint32_t i = 0; i < s->n_lives; i++) {
		const struct segment *part = i < N_STAGES ? &s->seg : &s->parts[i / N_STAGES];

		life_init(&s->lives[i], part, (enum stage_id)(i % N_STAGES), s->build);
		/* what has run goes on, whoever supervises it */
		s->has_run |= life_generation(part, s->lives[i].id) > 0;
	}
	set_stage_argv(s);
	name_all(s, directory);
	stop_go_on(s, now_ns());
	if (is_renewed) {
		log_info("this supervisor is of the file that is there now");
		holder_renew(&s->holder);
	}
	return 0;
}
