/*
 * act.c - what the scripts ask to be done to an instance: to processes that are shown to be its own, and to nobody
 * else.
 */
#include "act.h"

#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ask.h"
#include "config/sharded.h"
#include "log.h"
#include "parts.h"
#include "process.h"
#include "shm/find.h"
#include "shm/lock.h"
#include "stage/stage.h"

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

static void end_standby(void *arg, int pidfd, pid_t pid)
{
	(void)arg;
	(void)pid;
	process_end(pidfd, SIGKILL, 1000);
}

struct signal_row {
	const char *name;
	int sig, patience_ms; /* 0: it need not end */
};

static int signal_one(const struct segment *seg, int who, const struct signal_row *row)
{
	pid_t pid;
	int pidfd = process_open(seg, who, &pid), err;

	if (pidfd < 0)
		return pidfd;
	if (row->sig == SIGTERM && who == WHO_SUPERVISOR)
		err = process_end(pidfd, SIGTERM, STOP_MOST_MS);
	else if (row->patience_ms)
		err = process_end(pidfd, row->sig, row->patience_ms);
	else
		err = process_signal(pidfd, row->sig);
	close(pidfd);
	return err;
}

/* The stage of each shard, or of that one. One that does not run is no reason to leave the others alone. */
static int signal_all(const struct hold_options *o, const struct config *c, const struct segment *seg, int who,
		      int shard, const struct signal_row *row)
{
	uint32_t first = shard < 0 ? 0 : (uint32_t)shard, n = who < N_STAGES && shard < 0 ? seg->n_shards : first + 1;
	int err = first < seg->n_shards ? 0 : -ESRCH;

	for (uint32_t k = first; k < n && k < seg->n_shards; k++) {
		struct segment part = part_of(seg, k);
		int one = signal_one(&part, who, row);

		err = one ? one : err;
	}
	return err ? refuse_act(c, o->who, err) : 0;
}

int act_signal(const struct hold_options *o, const struct config *c, const struct segment *seg)
{
	static const struct signal_row signals[] = { { "TERM", SIGTERM, 3000 }, { "USR1", SIGUSR1, 3000 },
						     { "KILL", SIGKILL, 1000 }, { "HUP", SIGHUP, 0 },
						     { "STOP", SIGSTOP, 0 },	{ "CONT", SIGCONT, 0 } };
	int shard = -1, who = o->who ? process_who(o->who, &shard) : -1;
	size_t i = 0;

	while (o->signal && i < sizeof(signals) / sizeof(signals[0]) && strcmp(signals[i].name, o->signal) != 0)
		i++;
	if (who < 0 || !o->signal || i == sizeof(signals) / sizeof(signals[0]) ||
	    (who == WHO_STANDBYS && signals[i].sig != SIGKILL)) {
		log_error("--signal: to whom, and which? See --help");
		return EXIT_CONFIG;
	}
	if (who == WHO_STANDBYS && !segment_is_mine(seg))
		return refuse_act(c, o->who, -EPERM);
	if (who == WHO_STANDBYS) {
		process_each_standby(seg, c->instance, end_standby, NULL);
		return 0;
	}
	return signal_all(o, c, seg, who, shard, &signals[i]);
}

struct ending {
	const char *instance;
	int n, err;
};

/* By its name, since where a lock says who it is, is a matter of the layout; others of the user's are not looked at. */
static void end_supervisor(void *arg, pid_t pid)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct ending *e = arg;

	/* asked once more, now that the pid cannot be another's */
	if (pidfd >= 0 && segment_has_user(e->instance, pid) && process_is_called(pid, "supervise")) {
		e->err = process_end(pidfd, SIGTERM, STOP_MOST_MS);
		e->n++;
	}
	if (pidfd >= 0)
		close(pidfd);
}

int act_stop_other(const struct config *c)
{
	struct ending e = { .instance = c->instance };

	segment_each_user(c->instance, end_supervisor, &e);
	if (e.n == 0)
		return EXIT_NOBODY;
	return e.err ? refuse_act(c, "supervisor", e.err) : 0;
}

int act_replace(const struct config *c, const struct segment *seg)
{
	while (segment_is_supervised(seg) || segment_is_held(seg)) { /* a holder may be starting another just now */
		int status = ask("adopt", NULL, c, seg);

		if (status)
			return status == EXIT_NOBODY ? 0 : status;
	}
	return 0;
}

int act_remove(const struct hold_options *o, const struct config *c, const struct segment *seg)
{
	char why[WHY_BYTES];
	int err;

	if (seg->shared && segment_must_be_mine(seg, why)) {
		log_error("%s", why);
		return EXIT_CONFIG;
	}
	if (o->force)
		process_end_all(c->instance);
	for (uint32_t i = 0; i < N_STAGES * seg->n_shards && seg->shared; i++) {
		enum stage_id id = (enum stage_id)(i % N_STAGES);
		struct segment part = part_of(seg, i / N_STAGES);

		if (segment_stage_is_alive(&part, id)) {
			log_error("remove the segment of instance '%s': its %s is alive%s", c->instance,
				  sharded_stage_name(id, part.shard, seg->n_shards),
				  o->force ? ", and out of reach (in another pid namespace?): stop it from there"
					   : ": stop it first");
			return EXIT_TEMPORARY;
		}
	}
	err = o->force ? segment_remove_all(c->instance) : segment_remove(c->instance);
	if (!err || err == -ENOENT)
		return 0;
	log_error("remove the segment of instance '%s': %s", c->instance, strerror(-err));
	return EXIT_TEMPORARY;
}
