/* begin.c - an instance begins, or goes on with new processes. */
#include "begin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/sharded.h"
#include "keep.h"
#include "log.h"
#include "observers.h"
#include "parts.h"
#include "process.h"
#include "rights.h"
#include "shm/lock.h"
#include "stage/stage.h"
#include "store.h"

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

/* Once for an instance. Who launched it as root knows why it stays that. */
static void tell_user(const struct config *c)
{
	const char *why = getenv(ROOT_VARIABLE);

	if (geteuid() == 0)
		log_info("all of this instance runs as root%s%s: the next start changes that, where `user` in "
			 "[pipeline] "
			 "names a user who can read what the configuration names",
			 why ? ": " : "", why ? why : "");
	else if (strcmp(c->user, "auto") != 0 && !getenv(AS_USER_VARIABLE))
		log_info("`user = %s` counts when root launches: this is user %u's", c->user, geteuid());
}

static int run_command(const struct hold_options *o, const struct config *c, const struct sockets *sockets,
		       const struct segment *seg, const struct kept *kept)
{
	if (kept)
		store_put(sockets, seg, kept);
	if (o->keeps || kept) {
		tell_user(c);
		rights_forbid(c);
	}
	rights_end_with_this();
	return o->keeps && o->command ? keep(o->command, 0) : exec_command(o);
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

static int hand_on(struct sockets *sockets, const struct config *c, struct segment *seg, const struct hold_options *o,
		   struct kept *kept)
{
	const char *file = o->file;
	int config = copy_to_memory(file, &o->hosts), fd = fcntl(seg->fd, F_DUPFD, 0), status;

	if (config < 0 || fd < 0) {
		segment_close(seg);
		log_error("hand on the segment and %s: %s", file ? file : "the defaults",
			  log_text_of(config < 0 ? -config : errno));
		return EXIT_TEMPORARY;
	}
	sockets_add(sockets, fd, "segment");
	sockets_add(sockets, config, "config");
	status = sockets_open_sessions(sockets, c, seg, kept);
	segment_close(seg);
	return status ? status : sockets_hand_on(sockets);
}

static int segment_exists(const struct config *c)
{
	char why[WHY_BYTES];

	if (!segment_is_named(c->instance, why))
		return 0;
	log_error("%s", why);
	return 1;
}

/* Once, so that no stage waits for zeroed pages. */
static int touch_all(const struct segment *seg, const struct config *c, char why[WHY_BYTES])
{
	segment_populate(seg);
	for (uint32_t shard = 1; shard < seg->n_shards; shard++) {
		struct segment part;
		int err = segment_attach_shard(&part, seg->fd, c, shard, why);

		if (err)
			return err;
		segment_populate(&part);
		segment_close(&part);
	}
	return 0;
}

int begin_new(const struct hold_options *o, const struct config *c, struct kept *kept)
{
	struct sockets sockets;
	struct segment seg;
	char why[WHY_BYTES];
	gid_t group;
	int status;

	if (segment_exists(c))
		return EXIT_TEMPORARY;
	if (kept) {
		kept_want(kept, c);
		store_let_go(kept);
	}
	if (observers_find(c, &group))
		return EXIT_CONFIG;
	status = sockets_open_with(&sockets, c, kept);
	if (status)
		return status;
	if (segment_create_shards(&seg, c, sockets.n_shards, sockets.cookies,
				  (sockets.n - sockets.n_uncounted) / sockets.n_shards, why) ||
	    touch_all(&seg, c, why)) {
		log_error("%s", why);
		return EXIT_TEMPORARY;
	}
	status = observers_let_in(c, &seg, group);
	if (status) {
		segment_close(&seg);
		segment_remove(c->instance);
		return status;
	}
	status = hand_on(&sockets, c, &seg, o, kept);
	if (!status)
		status = run_command(o, c, &sockets, &seg, kept);
	if (!o->keeps) /* else stages may run on, and run/stop.sh removes it */
		segment_remove(c->instance);
	return status;
}

/* Stages that are started by themselves, in containers, are of one. */
static int is_one_shard(const struct config *c)
{
	if (!sharded_may_be_many(c))
		return 1;
	log_error("shards: stages that are started one by one are of one shard; use shards = 1, and more pods for more "
		  "CPUs");
	return 0;
}

/* No `space`: what edf has of it would be another. */
int begin_bound(const struct hold_options *o, const struct config *c)
{
	struct sockets sockets;
	int status = is_one_shard(c) ? sockets_open_inputs(&sockets, c, NULL) : EXIT_CONFIG;

	if (!status)
		status = sockets_hand_on(&sockets);
	return status ? status : exec_command(o);
}

int begin_segment(const struct config *c)
{
	struct segment seg;
	char why[WHY_BYTES];

	if (!is_one_shard(c))
		return EXIT_CONFIG;
	if (segment_exists(c))
		return EXIT_TEMPORARY;
	if (segment_create(&seg, c, NULL, 0, why) || touch_all(&seg, c, why)) {
		log_error("%s", why);
		return EXIT_TEMPORARY;
	}
	return 0;
}

/* The names of the sockets are those of the configuration that the instance has, whatever its file says by now. */
static int name_sockets(struct sockets *sockets, const struct segment *seg, const struct hold_options *o,
			struct config *in_force)
{
	uint32_t at = seg->header.n_sockets * seg->n_shards + sockets_uncounted(seg->n_shards) - 1;
	char path[32], why[CONFIG_WHY_BYTES];
	int err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", sockets->fds[at]);
	err = config_load(in_force, path, o->n_overrides, o->overrides, why, sizeof(why));
	if (err)
		return options_refuse(err, why);
	sockets_name(sockets, in_force);
	return 0;
}

/* From what was kept, or from a stage that is alive: a unit may not take one from there. */
static int take_sockets(struct sockets *sockets, const struct segment *seg, struct kept *kept)
{
	if (kept && kept_take_all(sockets, seg, kept) == 0)
		return 0;
	for (uint32_t i = 0; i < N_STAGES * seg->n_shards; i++) {
		struct segment part = part_of(seg, i / N_STAGES);
		pid_t pid;
		int pidfd = process_open(&part, (int)(i % N_STAGES), &pid);

		if (pidfd < 0)
			continue;
		close(pidfd);
		if (sockets_take(sockets, seg, pid) == 0)
			return 0;
	}
	return -ENOENT;
}

int begin_adopted(const struct hold_options *o, const struct config *c, const struct segment *seg, struct kept *kept)
{
	static struct config in_force;
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
	if (take_sockets(&sockets, seg, kept)) {
		log_error("adopt instance '%s': no stage is alive, so its sockets are gone: run/stop.sh, then "
			  "run/launch.sh",
			  c->instance);
		return EXIT_TEMPORARY;
	}
	status = name_sockets(&sockets, seg, o, &in_force);
	if (!status)
		status = sockets_hand_on(&sockets);
	return status ? status : run_command(o, &in_force, &sockets, seg, kept);
}
