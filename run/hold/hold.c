/*
 * hold.c - binds the sockets, creates the segment, and hands both on to a command; and answers the scripts' questions.
 *
 * Rules:   sockets outlive stages: every process started from here keeps all of them open, as LISTEN_FDS from fd 3 on.
 *          A second launch of a running instance ends before it has touched anything.
 * Source:  sd_listen_fds(3) for the convention; pidfd_getfd(2) for adoption.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/account.h"
#include "clock.h"
#include "directory.h"
#include "process.h"
#include "sockets.h"
#include "log.h"
#include "shm/segment.h"
#include "shm/lock.h"
#include "stage/stage.h"
#include "version.h"

struct options {
	const char *mode; /* "": hold */
	const char *file;
	const char *against; /* with --check: the config to compare with */
	const char *instance; /* instead of a config, where only the segment matters */
	const char *who, *signal; /* with --signal and --restart */
	const char *directory; /* with --run-dir */
	int force, own;
	struct hosts hosts; /* what the names in the config stand for */
	int n_overrides;
	char *overrides[64 + 1]; /* one more for the instance */
	char **command; /* after "--" */
};

static void print_help(void)
{
	puts("hold - bind ontime's sockets, create its segment, hand both on.\n\n"
	     "usage: hold [-c FILE] [--KEY=VALUE]... -- COMMAND [ARG]...\n"
	     "       hold --check [--against FILE] | --adopt  [-c FILE] [--KEY=VALUE]...\n"
	     "       hold --stages [--own] | --held | --supervisor | --remove [--force]  -i INSTANCE\n"
	     "       hold --signal WHO SIGNAL | --restart STAGE  -i INSTANCE\n"
	     "       hold --run-dir DIRECTORY | --lock-file DIRECTORY\n\n"
	     "  (no mode)   bind, create, exec COMMAND with LISTEN_FDS and LISTEN_FDNAMES\n"
	     "  --check     validate the config; --against: and say what differs, 2 if that needs a relaunch\n"
	     "  --adopt     take the sockets from a running stage, exec COMMAND\n"
	     "  --segment   create the segment only, for sockets that systemd holds\n"
	     "  --stages    NAME PID STATE STARTS AGE_S BEAT_AGE_MS HAS_WORK ALIVE, a line per stage\n"
	     "              (--own: refused if it is another user's)\n"
	     "  --held      packets in all lanes\n"
	     "  --supervisor  its pid, - if it cannot be seen from here; status 1: nobody supervises\n"
	     "  --remove    remove the segment, unless a stage is alive (--force: end all that have it open)\n"
	     "  --signal    TERM, USR1, HUP, KILL, STOP or CONT to ingress, edf, egress or supervisor, and to nobody "
	     "else;\n"
	     "              KILL also waits until it is gone, TERM and USR1 kill what is not gone after 3 s\n"
	     "  --restart   ask the supervisor for another process of that stage\n"
	     "  --run-dir   make the directory, where nobody else can put anything; print its true path\n"
	     "  --lock-file and a file .lock in it, for flock\n\n"
	     "Normally called by run/launch.sh.\n"
	     "Exit status: 0 done, 1 temporary failure (port in use, no memory), 2 usage or configuration.");
}

/* The words that belong to a mode. Returns how many were taken. */
static int take_words(struct options *o, int n, char **words)
{
	if ((strcmp(o->mode, "--run-dir") == 0 || strcmp(o->mode, "--lock-file") == 0) && n > 0)
		return o->directory = words[0], 1;
	if (strcmp(o->mode, "--restart") == 0 && n > 0)
		return o->who = words[0], 1;
	if (strcmp(o->mode, "--signal") != 0 || n < 2)
		return 0;
	o->who = words[0];
	o->signal = words[1];
	return 2;
}

static int parse(struct options *o, int argc, char **argv)
{
	memset(o, 0, sizeof(*o));
	o->mode = "";
	o->overrides[o->n_overrides++] = argv[0];
	for (int i = 1; i < argc; i++) {
		static const char *const modes[] = { "--check",	  "--adopt",	  "--segment",	"--stages", "--held",
						     "--remove",  "--name",	  "--classes",	"--signal", "--restart",
						     "--run-dir", "--supervisor", "--lock-file" };
		size_t m = 0;

		while (m < sizeof(modes) / sizeof(modes[0]) && strcmp(argv[i], modes[m]) != 0)
			m++;
		if (strcmp(argv[i], "--") == 0) {
			o->command = argv + i + 1;
			break;
		}
		if (m < sizeof(modes) / sizeof(modes[0])) {
			o->mode = modes[m];
			i += take_words(o, argc - i - 1, argv + i + 1);
		} else if (strcmp(argv[i], "--force") == 0)
			o->force = 1;
		else if (strcmp(argv[i], "--own") == 0)
			o->own = 1;
		else if (strcmp(argv[i], "-c") == 0 && i + 1 < argc)
			o->file = argv[++i];
		else if (strcmp(argv[i], "-i") == 0 && i + 1 < argc)
			o->instance = argv[++i];
		else if (strcmp(argv[i], "--against") == 0 && i + 1 < argc)
			o->against = argv[++i];
		else if (o->n_overrides < 64)
			o->overrides[o->n_overrides++] = argv[i];
		else
			return -E2BIG;
	}
	return 0;
}

static int exec_command(const struct options *o)
{
	if (!o->command || !o->command[0]) {
		log_error("no command to hand the sockets to: hold [-c FILE] -- COMMAND");
		return EXIT_CONFIG;
	}
	execvp(o->command[0], o->command);
	log_error("run %s: %s", o->command[0], strerror(errno));
	return EXIT_TEMPORARY;
}

static int segment_exists(const struct config *c)
{
	char why[WHY_BYTES];

	if (!segment_is_named(c->instance, why))
		return 0;
	log_error("%s", why);
	return 1;
}

static int append_hosts(int fd, const struct hosts *hosts)
{
	FILE *out = fdopen(dup(fd), "w");

	if (!out)
		return -errno;
	hosts_write(hosts, out);
	return fclose(out) ? -errno : 0;
}

/*
 * The stages start from this copy, whatever the file says later. Was it changed since it was checked, the supervisor
 * checks the copy, and refuses one that the segment was not made for. What names stand for is part of it, so that no
 * stage asks. A descriptor in memory, or -errno.
 */
static int copy_to_memory(const char *file, const struct hosts *hosts)
{
	int from = file ? open(file, O_RDONLY | O_CLOEXEC) : -1, to = memfd_create("ontime-config", 0);
	int err = to < 0 || (file && from < 0) ? -errno : 0;
	char bytes[4096];
	ssize_t n = 0;

	while (!err && file && (n = read(from, bytes, sizeof(bytes))) > 0)
		err = write(to, bytes, (size_t)n) == n ? 0 : -EIO;
	if (!err && n < 0)
		err = -errno;
	if (!err)
		err = append_hosts(to, hosts);
	if (from >= 0)
		close(from);
	if (err && to >= 0)
		close(to);
	return err ? err : to;
}

static int hand_on(struct sockets *sockets, struct segment *seg, const char *file, const struct hosts *hosts)
{
	int config = copy_to_memory(file, hosts), fd = fcntl(seg->fd, F_DUPFD, 0);

	segment_close(seg);
	if (config < 0 || fd < 0) {
		log_error("hand on the segment and %s: %s%s", file ? file : "the defaults",
			  strerror(config < 0 ? -config : errno),
			  config == -EMFILE || errno == EMFILE ? ": raise the limit of open files (ulimit -n)" : "");
		return EXIT_TEMPORARY;
	}
	sockets_add(sockets, fd, "segment");
	sockets_add(sockets, config, "config");
	return sockets_hand_on(sockets);
}

static int hold(const struct options *o, const struct config *c)
{
	struct sockets sockets;
	struct segment seg;
	char why[WHY_BYTES];
	int status;

	if (segment_exists(c))
		return EXIT_TEMPORARY;
	status = sockets_open(&sockets, c);
	if (status)
		return status;
	if (segment_create(&seg, c, sockets.cookies, sockets.n - sockets.n_uncounted, why)) {
		log_error("%s", why);
		return EXIT_TEMPORARY;
	}
	segment_touch(seg.shared, seg.size_bytes); /* prefault once, so that no stage waits for zeroed pages */
	status = hand_on(&sockets, &seg, o->file, &o->hosts);
	if (!status)
		status = exec_command(o);
	segment_remove(c->instance);
	return status;
}

static int create_only(const struct config *c)
{
	struct segment seg;
	char why[WHY_BYTES];

	if (segment_exists(c))
		return EXIT_TEMPORARY;
	if (segment_create(&seg, c, NULL, 0, why)) {
		log_error("%s", why);
		return EXIT_TEMPORARY;
	}
	segment_touch(seg.shared, seg.size_bytes);
	return 0;
}

static int is_alive(const struct segment *seg, int stage)
{
	return segment_stage_is_alive(seg, (enum stage_id)stage);
}

/* Unlike a stage, which waits for its file to come back, who asks here may have named a wrong one. */
static int refuse_config(int err, const char *why)
{
	config_log_refusals(why, "");
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -EAGAIN ? EXIT_TEMPORARY : EXIT_CONFIG;
}

/* The names of the sockets are those of the configuration that the instance has, whatever its file says by now. */
static int name_sockets(struct sockets *sockets, const struct options *o)
{
	static struct config in_force;
	char path[32], why[CONFIG_WHY_BYTES];
	int err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", sockets->fds[sockets->n - 1]);
	err = config_load(&in_force, path, o->n_overrides, o->overrides, why, sizeof(why));
	if (err)
		return refuse_config(err, why);
	sockets_name(sockets, &in_force);
	return 0;
}

static int adopt(const struct options *o, const struct config *c, const struct segment *seg)
{
	struct sockets sockets;
	char why[WHY_BYTES];
	int status;

	if (segment_must_be_mine(seg, why)) {
		log_error("%s", why);
		return EXIT_CONFIG;
	}
	if (segment_is_supervised(seg)) {
		log_error("adopt instance '%s': it has a supervisor (pid %d; 0: in another pid namespace)", c->instance,
			  segment_supervisor_pid(seg));
		return EXIT_TEMPORARY;
	}
	for (int i = 0; i < N_STAGES; i++) {
		pid_t pid;
		int pidfd = process_open(seg, i, &pid);

		if (pidfd < 0)
			continue;
		close(pidfd);
		if (sockets_take(&sockets, seg, pid))
			continue;
		status = name_sockets(&sockets, o);
		if (status)
			return status;
		if (sockets_hand_on(&sockets))
			return EXIT_TEMPORARY;
		return exec_command(o);
	}
	log_error("adopt instance '%s': no stage is alive, so its sockets are gone: run/stop.sh, then run/launch.sh",
		  c->instance);
	return EXIT_TEMPORARY;
}

/* "-": nobody that can be seen from here. Not 0, which kill(1) takes for everybody in the caller's group. */
static const char *pid_text(pid_t pid, char text[16])
{
	snprintf(text, 16, "%d", pid);
	return pid > 0 ? text : "-";
}

static void print_stages(const struct segment *seg)
{
	uint64_t now = now_ns();
	char pid[16];

	for (int i = 0; i < N_STAGES; i++) {
		const struct stage_block *b = &seg->shared->stages[i];
		uint64_t started = atomic_load_explicit(&b->started_at_ns, memory_order_relaxed);
		uint64_t beat = atomic_load_explicit(&b->beat_at_ns, memory_order_relaxed);

		printf("%s %s %s %u %.1f %llu %u %d\n", stage_name((enum stage_id)i),
		       pid_text(segment_stage_pid(seg, (enum stage_id)i), pid),
		       segment_stage_state(seg, (enum stage_id)i),
		       atomic_load_explicit(&b->generation, memory_order_relaxed),
		       started && now > started ? (double)(now - started) / 1e9 : 0.0,
		       (unsigned long long)(beat && now > beat ? (now - beat) / NS_PER_MS : 0),
		       atomic_load_explicit(&b->has_work, memory_order_relaxed), is_alive(seg, i));
	}
}

static void print_held(const struct segment *seg)
{
	uint64_t held = 0;

	for (uint32_t class = 0; class < seg->n_classes; class++) {
		struct account a;

		if (account_read(seg, class, &a) == 0)
			held += a.waiting_edf_pkts + a.waiting_egress_pkts;
	}
	printf("%llu\n", (unsigned long long)held);
}

static int refuse_act(const struct config *c, const char *who, int err)
{
	if (err == -ESRCH)
		log_error("instance '%s' has no %s that runs", c->instance, who);
	else if (err == -EPERM)
		log_error("instance '%s' belongs to another user: nothing of it is touched", c->instance);
	else if (err == -EXDEV)
		log_error("the %s of instance '%s' runs in another pid namespace (a container?): act from there", who,
			  c->instance);
	else
		log_error("signal the %s of instance '%s': %s", who, c->instance, strerror(-err));
	return EXIT_TEMPORARY;
}

static int send_signal(const struct options *o, const struct config *c, const struct segment *seg)
{
	static const struct {
		const char *name;
		int sig, patience_ms; /* 0: it need not end */
	} signals[] = { { "TERM", SIGTERM, 3000 }, { "USR1", SIGUSR1, 3000 }, { "KILL", SIGKILL, 1000 },
			{ "HUP", SIGHUP, 0 },	   { "STOP", SIGSTOP, 0 },    { "CONT", SIGCONT, 0 } };
	int who = o->who ? process_who(o->who) : -1, pidfd, err;
	size_t i = 0;
	pid_t pid;

	while (o->signal && i < sizeof(signals) / sizeof(signals[0]) && strcmp(signals[i].name, o->signal) != 0)
		i++;
	if (who < 0 || !o->signal || i == sizeof(signals) / sizeof(signals[0])) {
		log_error("--signal: to whom, and which? See --help");
		return EXIT_CONFIG;
	}
	pidfd = process_open(seg, who, &pid);
	if (pidfd < 0)
		return refuse_act(c, o->who, pidfd);
	if (signals[i].patience_ms)
		err = process_end(pidfd, signals[i].sig, signals[i].patience_ms);
	else
		err = process_signal(pidfd, signals[i].sig);
	close(pidfd);
	return err ? refuse_act(c, o->who, err) : 0;
}

static int ask_restart(const struct options *o, const struct config *c, const struct segment *seg)
{
	int who = o->who ? process_who(o->who) : -1, pidfd, err;
	pid_t pid;

	if (who < 0 || who >= N_STAGES) {
		log_error("--restart: which stage? ingress, edf or egress");
		return EXIT_CONFIG;
	}
	pidfd = process_open(seg, WHO_SUPERVISOR, &pid);
	if (pidfd == -ESRCH)
		log_error("nobody keeps %s of instance '%s': run/launch.sh starts a supervisor, which adopts what runs",
			  o->who, c->instance);
	if (pidfd < 0)
		return pidfd == -ESRCH ? EXIT_TEMPORARY : refuse_act(c, "supervisor", pidfd);
	err = process_signal(pidfd, SIGNAL_RESTART + who);
	close(pidfd);
	return err ? refuse_act(c, "supervisor", err) : 0;
}

static int print_supervisor(const struct segment *seg)
{
	char pid[16];

	if (!segment_is_supervised(seg))
		return EXIT_TEMPORARY;
	puts(pid_text(segment_supervisor_pid(seg), pid));
	return 0;
}

static int remove_segment(const struct options *o, const struct config *c, const struct segment *seg)
{
	char why[WHY_BYTES];
	int err;

	if (seg->shared && segment_must_be_mine(seg, why)) {
		log_error("%s", why);
		return EXIT_CONFIG;
	}
	if (o->force)
		process_end_all(c->instance);
	for (int i = 0; i < N_STAGES && seg->shared; i++)
		if (is_alive(seg, i)) {
			log_error("remove the segment of instance '%s': its %s is alive%s", c->instance,
				  stage_name((enum stage_id)i),
				  o->force ? ", and out of reach (in another pid namespace?): stop it from there"
					   : ": stop it first");
			return EXIT_TEMPORARY;
		}
	err = o->force ? segment_remove_all(c->instance) : segment_remove(c->instance);
	if (!err || err == -ENOENT)
		return 0;
	log_error("remove the segment of instance '%s': %s", c->instance, strerror(-err));
	return EXIT_TEMPORARY;
}

static void print_classes(const struct config *c)
{
	char text[ADDRESS_BYTES];

	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct class_config *class = &c->classes[i];

		printf("  %-12s", class->name);
		for (uint32_t k = 0; k < class->n_listen; k++)
			printf(" %s", address_format(&class->listen[k], text));
		printf(" ->");
		for (uint32_t k = 0; k < class->n_dests; k++)
			printf(" %s", address_format(&class->dests[k], text));
		if (class->budget_ns == BUDGET_NONE)
			printf("   no deadline\n");
		else
			printf("   within %g ms\n", (double)class->budget_ns / 1e6);
	}
}

static int check(const struct options *o, const struct config *c)
{
	static struct config old;
	char why[CONFIG_WHY_BYTES];
	int err;

	if (!o->against)
		return 0;
	err = config_load(&old, o->against, o->n_overrides, o->overrides, why, sizeof(why));
	if (err)
		return refuse_config(err, why);
	if (!config_explain_changes(&old, c, stderr))
		return 0;
	log_error("%s: some changes need a relaunch: nothing was changed", o->file);
	return EXIT_CONFIG;
}

/* The modes that need no segment. -1: none of them. */
static int run_without_segment(const struct options *o, const struct config *c)
{
	if (strcmp(o->mode, "--name") == 0)
		puts(c->instance);
	else if (strcmp(o->mode, "--classes") == 0)
		print_classes(c);
	else if (strcmp(o->mode, "--segment") == 0)
		return create_only(c);
	else if (strcmp(o->mode, "") == 0)
		return hold(o, c);
	else if (strcmp(o->mode, "--check") == 0)
		return check(o, c);
	else
		return -1;
	return 0;
}

static int run_dir(const struct options *o)
{
	char path[PATH_BYTES], why[WHY_BYTES];
	int err = strcmp(o->mode, "--lock-file") == 0 ? directory_make_lock(o->directory, path, why)
						      : directory_make(o->directory, path, why);

	if (err) {
		log_error("%s", why);
		return EXIT_TEMPORARY;
	}
	puts(path);
	return 0;
}

static int run_with_segment(const struct options *o, const struct config *c)
{
	struct segment seg;
	char why[WHY_BYTES];
	int err = segment_observe(&seg, c->instance, why), status = 0;

	if (strcmp(o->mode, "--remove") == 0) {
		status = remove_segment(o, c, &seg);
	} else if (err) {
		log_error("%s", why);
		return err == -EPROTO || err == -ESTALE || err == -EPERM ? EXIT_CONFIG : EXIT_TEMPORARY;
	} else if (strcmp(o->mode, "--adopt") == 0) {
		status = adopt(o, c, &seg);
	} else if (strcmp(o->mode, "--supervisor") == 0) {
		status = print_supervisor(&seg);
	} else if (strcmp(o->mode, "--signal") == 0) {
		status = send_signal(o, c, &seg);
	} else if (strcmp(o->mode, "--restart") == 0) {
		status = ask_restart(o, c, &seg);
	} else if (strcmp(o->mode, "--stages") == 0) {
		err = o->own ? segment_must_be_mine(&seg, why) : 0;
		if (err)
			log_error("%s", why);
		else
			print_stages(&seg);
		status = err ? EXIT_CONFIG : 0;
	} else if (strcmp(o->mode, "--held") == 0) {
		print_held(&seg);
	}
	if (seg.shared)
		segment_close(&seg);
	return status;
}

/*
 * The overrides of an adoption may be of classes that only the configuration in force has. Names are asked for where
 * addresses matter; an operator checks (launch.sh does) from the directory that a relative plugin counts from.
 */
static int load(struct config *c, struct options *o, char why[CONFIG_WHY_BYTES])
{
	static const char *const asking[] = { "", "--check", "--classes", "--segment" };
	struct config_source source = {
		.file = o->file, .argc = o->n_overrides, .argv = o->overrides, .hosts = &o->hosts
	};
	char name[128], *arguments[] = { o->overrides[0], name };

	for (size_t i = 0; i < sizeof(asking) / sizeof(asking[0]); i++)
		if (strcmp(o->mode, asking[i]) == 0)
			o->hosts.ask = hosts_ask_resolver;
	if (strcmp(o->mode, "--check") == 0)
		source.top = ".";
	if (strcmp(o->mode, "--adopt") == 0 && o->instance) {
		snprintf(name, sizeof(name), "--instance=%s", o->instance);
		source = (struct config_source){ .argc = 2, .argv = arguments, .hosts = &o->hosts };
	}
	return config_load_as(c, &source, why, CONFIG_WHY_BYTES);
}

int main(int argc, char **argv)
{
	static struct options o;
	static struct config c;
	char why[CONFIG_WHY_BYTES], instance[128];
	int status, err;

	log_set_name("hold");
	umask(077); /* what it makes is this user's alone, and this user's it is, whatever was inherited */
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		print_help();
		return 0;
	}
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		printf("ontime %s\n", ONTIME_VERSION);
		return 0;
	}
	if (parse(&o, argc, argv)) {
		log_error("too many arguments: put them into a file, and give it with -c");
		return EXIT_CONFIG;
	}
	if (o.directory)
		return run_dir(&o);
	if (o.instance) { /* works while the config file is broken */
		snprintf(instance, sizeof(instance), "--instance=%s", o.instance);
		o.file = NULL;
		o.overrides[o.n_overrides++] = instance;
	}
	err = load(&c, &o, why);
	if (err)
		return refuse_config(err, why);
	if (strcmp(o.mode, "--classes") != 0)
		config_log_hosts(&c, &o.hosts);
	status = run_without_segment(&o, &c);
	return status >= 0 ? status : run_with_segment(&o, &c);
}
