/*
 * hold.c - binds the sockets, creates the segment, and hands both on to a command; and answers the scripts' questions.
 *
 * Rules:   sockets outlive stages: every process started from here keeps all of them open, as LISTEN_FDS from fd 3 on.
 *          A second launch of a running instance ends before it has touched anything.
 * Source:  sd_listen_fds(3) for the convention; pidfd_getfd(2) for adoption.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "act.h"
#include "answer.h"
#include "directory.h"
#include "keep.h"
#include "process.h"
#include "sockets.h"
#include "log.h"
#include "shm/lock.h"
#include "stage/stage.h"
#include "version.h"

static int exec_command(const struct hold_options *o)
{
	if (!o->command || !o->command[0]) {
		log_error("no command to hand the sockets to: hold [-c FILE] -- COMMAND");
		return EXIT_CONFIG;
	}
	execvp(o->command[0], o->command);
	log_error("run %s: %s", o->command[0], log_text_of(errno));
	return EXIT_TEMPORARY;
}

static int run_command(const struct hold_options *o)
{
	return o->keeps && o->command ? keep(o->command, 0) : exec_command(o);
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
	int copy = dup(fd), err = -errno;
	FILE *out = copy < 0 ? NULL : fdopen(copy, "w");

	if (!out) {
		err = copy < 0 ? err : -errno;
		if (copy >= 0)
			close(copy);
		return err;
	}
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
		log_error("hand on the segment and %s: %s", file ? file : "the defaults",
			  log_text_of(config < 0 ? -config : errno));
		return EXIT_TEMPORARY;
	}
	sockets_add(sockets, fd, "segment");
	sockets_add(sockets, config, "config");
	return sockets_hand_on(sockets);
}

static int hold(const struct hold_options *o, const struct config *c)
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
		status = run_command(o);
	if (!o->keeps) /* else stages may run on, and run/stop.sh removes it */
		segment_remove(c->instance);
	return status;
}

/* For a segment that another container has made. No `space`: what edf has of it would be another. */
static int bind_only(const struct hold_options *o, const struct config *c)
{
	struct sockets sockets;
	int status = sockets_open_inputs(&sockets, c);

	if (!status)
		status = sockets_hand_on(&sockets);
	return status ? status : exec_command(o);
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

/* The names of the sockets are those of the configuration that the instance has, whatever its file says by now. */
static int name_sockets(struct sockets *sockets, const struct hold_options *o)
{
	static struct config in_force;
	char path[32], why[CONFIG_WHY_BYTES];
	int err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", sockets->fds[sockets->n - 1]);
	err = config_load(&in_force, path, o->n_overrides, o->overrides, why, sizeof(why));
	if (err)
		return options_refuse(err, why);
	sockets_name(sockets, &in_force);
	return 0;
}

static int adopt(const struct hold_options *o, const struct config *c, const struct segment *seg)
{
	struct sockets sockets;
	char why[WHY_BYTES];
	int status;

	if (segment_must_be_mine(seg, why)) {
		log_error("%s", why);
		return EXIT_CONFIG;
	}
	if (o->keeps && segment_is_held(seg)) {
		log_error("adopt instance '%s': a holder (pid %d) has its sockets, and starts a supervisor itself",
			  c->instance, segment_holder_pid(seg));
		return EXIT_TEMPORARY;
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
		return run_command(o);
	}
	log_error("adopt instance '%s': no stage is alive, so its sockets are gone: run/stop.sh, then run/launch.sh",
		  c->instance);
	return EXIT_TEMPORARY;
}

/* The modes that need no segment. -1: none of them. */
static int run_without_segment(const struct hold_options *o, const struct config *c)
{
	if (strcmp(o->mode, "--name") == 0)
		puts(c->instance);
	else if (strcmp(o->mode, "--classes") == 0)
		answer_classes(c);
	else if (strcmp(o->mode, "--segment") == 0)
		return create_only(c);
	else if (strcmp(o->mode, "--bind") == 0)
		return bind_only(o, c);
	else if (strcmp(o->mode, "") == 0)
		return hold(o, c);
	else if (strcmp(o->mode, "--check") == 0)
		return answer_check(o, c);
	else
		return -1;
	return 0;
}

static int run_dir(const struct hold_options *o)
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

static int run_with_segment(const struct hold_options *o, const struct config *c)
{
	struct segment seg;
	char why[WHY_BYTES];
	int err = segment_observe(&seg, c->instance, why), status = 0;

	if (strcmp(o->mode, "--remove") == 0) {
		status = act_remove(o, c, &seg);
	} else if (err) {
		log_error("%s", why);
		return err == -EPROTO || err == -ESTALE || err == -EPERM ? EXIT_CONFIG : EXIT_TEMPORARY;
	} else if (strcmp(o->mode, "--adopt") == 0) {
		status = adopt(o, c, &seg);
	} else if (strcmp(o->mode, "--supervisor") == 0) {
		status = answer_supervisor(&seg);
	} else if (strcmp(o->mode, "--holder") == 0) {
		status = answer_holder(&seg);
	} else if (strcmp(o->mode, "--signal") == 0) {
		status = act_signal(o, c, &seg);
	} else if (strcmp(o->mode, "--restart") == 0) {
		status = act_restart(o, c, &seg);
	} else if (strcmp(o->mode, "--stages") == 0) {
		err = o->own ? segment_must_be_mine(&seg, why) : 0;
		if (err)
			log_error("%s", why);
		else
			answer_stages(&seg);
		status = err ? EXIT_CONFIG : 0;
	} else if (strcmp(o->mode, "--held") == 0) {
		answer_held(&seg);
	}
	if (seg.shared)
		segment_close(&seg);
	return status;
}

/*
 * The overrides of an adoption may be of classes that only the configuration in force has. Names are asked for where
 * addresses matter; an operator checks (launch.sh does) from the directory that a relative plugin counts from.
 */
static int load(struct config *c, struct hold_options *o, char why[CONFIG_WHY_BYTES])
{
	static const char *const asking[] = { "", "--check", "--classes", "--segment", "--bind" };
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
	static struct hold_options o;
	static struct config c;
	char why[CONFIG_WHY_BYTES], instance[128];
	int status, err;

	log_set_name("hold");
	umask(077); /* what it makes is this user's alone, and this user's it is, whatever was inherited */
	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		options_help();
		return 0;
	}
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		printf("ontime %s\n", ONTIME_VERSION);
		return 0;
	}
	if (options_parse(&o, argc, argv)) {
		log_error("too many arguments: put them into a file, and give it with -c");
		return EXIT_CONFIG;
	}
	if (o.directory)
		return run_dir(&o);
	if (strcmp(o.mode, "--beside") == 0)
		return o.command ? keep(o.command, o.supervisor) : EXIT_CONFIG;
	if (o.instance) { /* works while the config file is broken */
		snprintf(instance, sizeof(instance), "--instance=%s", o.instance);
		o.file = NULL;
		o.overrides[o.n_overrides++] = instance;
	}
	err = load(&c, &o, why);
	if (err)
		return options_refuse(err, why);
	if (strcmp(o.mode, "--classes") != 0)
		config_log_hosts(&c, &o.hosts);
	status = run_without_segment(&o, &c);
	return status >= 0 ? status : run_with_segment(&o, &c);
}
