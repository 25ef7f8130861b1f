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
#include "process.h"
#include "log.h"
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

int act_signal(const struct hold_options *o, const struct config *c, const struct segment *seg)
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
	pidfd = process_open(seg, who, &pid);
	if (pidfd < 0)
		return refuse_act(c, o->who, pidfd);
	if (signals[i].sig == SIGTERM && who == WHO_SUPERVISOR)
		err = process_end(pidfd, SIGTERM, STOP_MOST_MS);
	else if (signals[i].patience_ms)
		err = process_end(pidfd, signals[i].sig, signals[i].patience_ms);
	else
		err = process_signal(pidfd, signals[i].sig);
	close(pidfd);
	return err ? refuse_act(c, o->who, err) : 0;
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
	for (int i = 0; i < N_STAGES && seg->shared; i++)
		if (segment_stage_is_alive(seg, (enum stage_id)i)) {
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
