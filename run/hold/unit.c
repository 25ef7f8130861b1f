/* unit.c - a service manager starts an instance. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/guard.h"
#include "act.h"
#include "begin.h"
#include "log.h"
#include "parts.h"
#include "process.h"
#include "shm/lock.h"
#include "stage/stage.h"
#include "store.h"

#define CGROUP_BYTES 1024
#define MOST_TRIES 20

enum left { LEFT_NOTHING, LEFT_INSTANCE, LEFT_OTHER_BUILD, LEFT_REFUSED, LEFT_UNKNOWN };

static struct kept kept;

static void read_cgroup(pid_t pid, char text[CGROUP_BYTES])
{
	char path[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, text, CGROUP_BYTES - 1);
	text[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		close(fd);
}

/* A service manager puts all processes of a unit into one group, which they cannot leave. */
static int is_of_this_unit(pid_t pid)
{
	char own[CGROUP_BYTES], other[CGROUP_BYTES];

	read_cgroup(getpid(), own);
	read_cgroup(pid, other);
	return pid > 0 && own[0] && strcmp(own, other) == 0;
}

/* Whoever supervises, or is about to. */
static int is_free(const struct segment *seg, const char *instance)
{
	pid_t supervisor = segment_supervisor_pid(seg), holder = segment_holder_pid(seg);

	if ((!segment_is_supervised(seg) || is_of_this_unit(supervisor)) &&
	    (!segment_is_held(seg) || is_of_this_unit(holder)))
		return 1;
	log_error("instance '%s' is running already, and not by this unit (supervisor %d): run/stop.sh -i %s stops it",
		  instance, supervisor, instance);
	return 0;
}

/* A launch by root stays until somebody stops it. What any other user has put there may go, and is tried again. */
static int name_is_roots(const char *instance)
{
	char path[PATH_BYTES];
	struct stat st;

	snprintf(path, sizeof(path), "/dev/shm/ontime.%s.v%d", instance, LAYOUT_VERSION);
	return lstat(path, &st) == 0 && st.st_uid == 0;
}

static enum left look(const struct hold_options *o, struct segment *seg)
{
	char why[WHY_BYTES];
	int err = segment_observe(seg, o->instance, why);

	if (err == -ENOENT)
		return LEFT_NOTHING;
	/* this user's own: the supervisor before was killed, and this is another build */
	if (err == -EPROTO || err == -ESTALE) {
		log_warn("%s: it is ended, and begins anew", why);
		return LEFT_OTHER_BUILD;
	}
	if (!err)
		err = segment_must_be_mine(seg, why);
	if (err) {
		log_error("%s", why);
		return err == -EPERM && name_is_roots(o->instance) ? LEFT_REFUSED : LEFT_UNKNOWN;
	}
	return is_free(seg, o->instance) ? LEFT_INSTANCE : LEFT_REFUSED;
}

static void end(const struct segment *seg, int who)
{
	pid_t pid;
	int pidfd = process_open(seg, who, &pid);

	if (pidfd < 0)
		return;
	process_end(pidfd, SIGKILL, 0);
	close(pidfd);
}

/* They let the stages go. Who does not answer is killed: the stages do not need them. */
static int replace(const struct config *c, const struct segment *seg)
{
	for (int i = 0; i < MOST_TRIES && (segment_is_supervised(seg) || segment_is_held(seg)); i++) {
		int status = act_replace(c, seg);

		if (status == EXIT_CONFIG) /* it is the main process of a service */
			return status;
		end(seg, WHO_HOLDER);
		if (status)
			end(seg, WHO_SUPERVISOR);
	}
	return 0;
}

static int any_stage(const struct segment *seg)
{
	int n = 0;

	for (uint32_t i = 0; i < N_STAGES * seg->n_shards; i++) {
		struct segment part = part_of(seg, i / N_STAGES);

		n += segment_stage_is_alive(&part, (enum stage_id)(i % N_STAGES));
	}
	return n;
}

static int has_kept(const struct segment *seg)
{
	struct sockets sockets;

	return kept_take_all(&sockets, seg, &kept) == 0;
}

/* What nobody can go on with: its sockets are gone. */
static int clear(const struct config *c, const struct segment *seg)
{
	uint64_t held = parts_held_pkts(seg);

	log_warn("instance '%s' was not stopped cleanly, and its sockets are gone: it begins anew; %llu packets that "
		 "its queues held are gone",
		 c->instance, (unsigned long long)held);
	return segment_remove(c->instance) ? EXIT_TEMPORARY : 0;
}

/* From where the stages will run, as run/launch.sh does. */
static int load(struct hold_options *o, struct config *c)
{
	struct config_source source = {
		.file = o->file, .argc = o->n_overrides, .argv = o->overrides, .hosts = &o->hosts, .top = "."
	};
	char why[CONFIG_WHY_BYTES];
	int err;

	o->hosts.ask = hosts_ask_resolver;
	err = config_load_as(c, &source, why, sizeof(why));
	if (err)
		return options_refuse(err, why);
	if (strcmp(c->instance, o->instance) != 0) {
		log_error("%s: instance = %s, and this unit is of instance '%s': write instance = %s into the file",
			  o->file, c->instance, o->instance, o->instance);
		return EXIT_CONFIG;
	}
	c->seed = guard_draw();
	config_log_hosts(c, &o->hosts);
	return 0;
}

static int begin(struct hold_options *o, struct config *c)
{
	int status = load(o, c);

	return status ? status : begin_new(o, c, &kept);
}

static int begin_instead(struct hold_options *o, struct config *c)
{
	struct segment none = { .fd = -1 };
	int status;

	status = load(o, c); /* first: what is to be ended forwards packets still */
	o->force = 1;
	if (!status)
		status = act_remove(o, c, &none);
	return status ? status : begin_new(o, c, &kept);
}

static int go_on(struct hold_options *o, struct config *c, const struct segment *seg)
{
	int status = replace(c, seg);

	if (status)
		return status;
	if (any_stage(seg) || has_kept(seg))
		return begin_adopted(o, c, seg, &kept);
	status = clear(c, seg);
	return status ? status : begin(o, c);
}

/* A word a line. */
static void set_launched(const struct hold_options *o)
{
	char launched[8 * PATH_BYTES];
	size_t len = (size_t)snprintf(launched, sizeof(launched), "%s\n", o->file);

	for (int i = 1; i < o->n_overrides && len < sizeof(launched); i++)
		len += (size_t)snprintf(launched + len, sizeof(launched) - len, "%s\n", o->overrides[i]);
	setenv("ONTIME_LAUNCHED", launched, 1);
}

/* For the supervisor: it is the main process, and no holder has started it. */
static void set_environment(const struct hold_options *o)
{
	set_launched(o);
	setenv("ONTIME_INSTANCE", o->instance, 1);
	setenv("ONTIME_CONFIG", o->file, 1);
	setenv("ONTIME_SERVICE", "1", 1);
	setenv("ONTIME_HOLDER", "0", 1);
}

int unit_start(struct hold_options *o)
{
	static struct config c;
	struct segment seg = { .fd = -1 };
	enum left left;
	int status;

	if (!o->instance || !o->file || !o->command) {
		log_error("--unit takes -i INSTANCE, -c FILE and a command; see --help");
		return EXIT_CONFIG;
	}
	store_take(&kept);
	set_environment(o);
	snprintf(c.instance, sizeof(c.instance), "%s", o->instance);
	left = look(o, &seg);
	status = left == LEFT_REFUSED	 ? EXIT_CONFIG
		 : left == LEFT_UNKNOWN	 ? EXIT_TEMPORARY
		 : left == LEFT_NOTHING	 ? begin(o, &c)
		 : left == LEFT_INSTANCE ? go_on(o, &c, &seg)
					 : begin_instead(o, &c);
	if (status == EXIT_TEMPORARY)
		sleep(1);
	return status;
}
