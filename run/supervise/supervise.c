/*
 * supervise.c - keep the three stages alive: start, restart, reload, end what hangs. Started by supervisor.sh through
 * hold.
 *
 * Memory:  the sockets, the segment and the configuration are descriptors that the holder and every stage have too
 *          (LISTEN_FDS). Nothing that this process knows is lost with it: its successor gets them from the holder, or
 *          from a stage, and goes on.
 * Rules:   one process, one poll loop; it makes no process but the stages and their stand-bys, another holder,
 *          `latency` for a stage that was built anew, one that asks for host names at a reload, and where they are
 *          asked for the dashboard (service.h) and the scout (scouting.h).
 *          One supervisor per instance: it holds a lock on the segment. It never gives up on a stage (life.h).
 *          HUP reloads the configuration file, all of it or nothing. TERM stops the instance, in order (stop.h).
 *          Of a new binary, the same process executes that (renew.h).
 *          As the main process of a service it tells the service manager (manager.h).
 *          The control socket (control.h) is answered here too (requests.h).
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "config/table.h"
#include "hold/process.h"
#include "hold/spawn.h"
#include "log.h"
#include "renew.h"
#include "requests.h"
#include "supervisor.h"
#include "options/supervise.h"

#define WATCH_NS (500 * NS_PER_MS)

static void signal_stages(struct supervisor *s, int sig)
{
	for (uint32_t i = 0; i < s->n_lives; i++)
		if (s->lives[i].state == LIFE_RUNS)
			process_signal(s->lives[i].pidfd, sig);
}

static void take_signals(struct supervisor *s, uint64_t now)
{
	struct signalfd_siginfo info;

	while (read(s->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			request_reload(s, NULL, now);
		else
			request_stop(s, now);
	}
}

/* The latency histograms belong to files: attach to a binary that is another than the one before. */
static void probe_rebuilt(struct supervisor *s)
{
	static ino_t probed[MOST_LIVES];
	char program[PATH_BYTES + 16], pins[96];
	char *argv[] = { program, "-i", s->config.instance, NULL };
	struct stat st;
	int changed = 0, pidfd;

	for (uint32_t i = 0; i < s->n_lives; i++) {
		ino_t inode = s->lives[i].state == LIFE_RUNS ? s->lives[i].runs_inode : 0;

		changed |= probed[i] != 0 && inode != 0 && inode != probed[i];
		probed[i] = inode ? inode : probed[i];
	}
	if (s->latency > 0 && waitpid(s->latency, NULL, WNOHANG) != 0)
		s->latency = 0;
	snprintf(pins, sizeof(pins), "/sys/fs/bpf/ontime/%s", s->config.instance);
	if (!changed || s->latency > 0 || lstat(pins, &st) < 0)
		return;
	snprintf(program, sizeof(program), "%s/latency", s->build);
	setenv("ONTIME_LOG", "warning", 1);
	if (spawn(program, argv, 0, -1, &s->latency, &pidfd) == 0)
		close(pidfd);
	else
		s->latency = 0;
	unsetenv("ONTIME_LOG");
}

static int is_watched(const struct supervisor *s, pid_t pid)
{
	int is = pid == s->holder.child || pid == s->dash.pid || pid == s->scout.pid || pid == s->latency ||
		 (s->reload.asked_fd >= 0 && pid == s->reload.asking);

	for (uint32_t i = 0; i < s->n_lives; i++)
		is |= pid == s->lives[i].pid || pid == s->lives[i].standby.pid;
	return is;
}

/* Those that this process has started before it went over to its binary, and that nobody waits for. */
static void reap_strays(const struct supervisor *s)
{
	siginfo_t info = { 0 };

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid && !is_watched(s, info.si_pid))
		waitpid(info.si_pid, NULL, 0);
}

static void describe(struct supervisor *s)
{
	char text[NOTE_BYTES];

	manager_status(&s->manager, request_describe(s, text, sizeof(text)) ? text : "all stages run");
}

/*
 * Whoever started the service waits until it is ready. A configuration that a stage refuses then is the end of it: that
 * is the answer.
 */
static void tend_manager(struct supervisor *s, uint64_t now)
{
	if (!s->manager.is_there || s->manager.is_ready || s->stopping.step != STOP_NOT_ASKED)
		return;
	if (s->reload.asked_fd < 0 && requests_in_force(s)) {
		s->has_run = 1;
		manager_ready(&s->manager);
	}
	for (uint32_t i = 0; i < s->n_lives && !s->has_run; i++)
		if (s->lives[i].state == LIFE_DOWN) {
			s->is_refused = 1;
			request_stop(s, now);
		}
}

static void start(struct supervisor *s, struct life *l, uint64_t now)
{
	life_start(l, supervisor_part(s, l), s->stage_argv[l->id], now);
}

static void tend(struct supervisor *s, uint64_t now)
{
	for (uint32_t i = 0; i < s->n_lives; i++)
		start(s, &s->lives[i], now);
	holder_start(&s->holder, now);
	service_tend(&s->dash, &s->config, now);
	scouting_tend(&s->scout, &s->config, s->stage_argv[0], now);
	tend_manager(s, now);
	if (now >= s->watch_due_ns) {
		s->watch_due_ns = now + WATCH_NS;
		for (uint32_t i = 0; i < s->n_lives; i++)
			life_watch(&s->lives[i], supervisor_part(s, &s->lives[i]), s->config.hung_ms * NS_PER_MS, now);
		describe(s);
		probe_rebuilt(s);
	}
	if (now >= s->keep_due_ns) {
		s->keep_due_ns = now + NS_PER_S;
		reap_strays(s);
		manager_keep(&s->manager);
		control_keep(&s->control, &s->names);
		if (names_keep(&s->names)) { /* their log was moved away too */
			signal_stages(s, SIGHUP);
			scouting_reload(&s->scout);
		}
	}
}

/*
 * Of the descriptors that are waited for; no more than there are stages for, since poll(2) wants no more than may be.
 */
enum {
	POLL_SIGNALS,
	POLL_HOLDER,
	POLL_ASKED,
	POLL_DASH,
	POLL_SCOUT,
	POLL_CONTROL,
	POLL_STAGES = POLL_CONTROL + 1 + N_CLIENTS, /* of each life two in a row: the stage, its stand-by */
	MOST_POLLS = POLL_STAGES + 2 * MOST_LIVES
};

static void list_polls(const struct supervisor *s, struct pollfd polls[MOST_POLLS], uint64_t now)
{
	polls[POLL_SIGNALS].fd = s->signal_fd;
	polls[POLL_HOLDER].fd = s->holder.pidfd;
	polls[POLL_ASKED].fd = s->reload.asked_fd;
	polls[POLL_DASH].fd = s->dash.pidfd;
	polls[POLL_SCOUT].fd = s->scout.pidfd;
	for (uint32_t i = 0; i < s->n_lives; i++) {
		polls[POLL_STAGES + 2 * i].fd = s->lives[i].pidfd;
		polls[POLL_STAGES + 2 * i + 1].fd = s->lives[i].standby.channel_fd;
	}
	for (uint32_t i = 0; i < POLL_STAGES + 2 * s->n_lives; i++)
		polls[i].events = POLLIN;
	control_list(&s->control, polls + POLL_CONTROL, now);
}

static void take_ends(struct supervisor *s, const struct pollfd polls[MOST_POLLS], uint64_t now)
{
	for (uint32_t i = 0; i < s->n_lives; i++)
		if (polls[POLL_STAGES + 2 * i].revents && s->lives[i].state == LIFE_RUNS) {
			life_end(&s->lives[i], supervisor_part(s, &s->lives[i]), now);
			start(s, &s->lives[i], now);
			life_tell(&s->lives[i]);
		}
	for (uint32_t i = 0; i < s->n_lives; i++)
		if (polls[POLL_STAGES + 2 * i + 1].revents && s->lives[i].standby.pid)
			life_listen(&s->lives[i], now);
}

static int next_timeout_ms(const struct supervisor *s, uint64_t now)
{
	uint64_t at = s->watch_due_ns < s->keep_due_ns ? s->watch_due_ns : s->keep_due_ns;

	for (uint32_t i = 0; i < s->n_lives; i++) {
		const struct life *l = &s->lives[i];

		if (l->state == LIFE_WAITS && l->start_at_ns < at)
			at = l->start_at_ns;
		if (l->state == LIFE_RUNS && !l->standby.pid && l->standby.due_ns < at)
			at = l->standby.due_ns;
	}
	if ((s->stopping.step != STOP_NOT_ASKED || (s->manager.is_there && !s->manager.is_ready) || requests_any(s) ||
	     s->renews) &&
	    at > now + REQUEST_LOOK_NS)
		at = now + REQUEST_LOOK_NS;
	if (s->control.accept_due_ns > now && s->control.accept_due_ns < at)
		at = s->control.accept_due_ns;
	return at <= now ? 0 : (int)((at - now + NS_PER_MS - 1) / NS_PER_MS);
}

static void supervise(struct supervisor *s)
{
	struct timespec pause = { .tv_nsec = 10 * NS_PER_MS };

	for (;;) {
		struct pollfd polls[MOST_POLLS] = { 0 };
		uint64_t now = now_ns();

		tend(s, now);
		if (stop_tend(s, now))
			return;
		requests_tend(s, now);
		list_polls(s, polls, now);
		if (poll(polls, POLL_STAGES + 2 * s->n_lives, next_timeout_ms(s, now_ns())) < 0) {
			nanosleep(&pause, NULL); /* a call that keeps failing must not spin; the next turn asks again */
			continue;
		}
		now = now_ns();
		take_ends(s, polls, now);
		if (polls[POLL_HOLDER].revents)
			holder_ended(&s->holder, now);
		if (polls[POLL_DASH].revents)
			service_ended(&s->dash, now);
		if (polls[POLL_SCOUT].revents)
			scouting_ended(&s->scout, now);
		if (polls[POLL_ASKED].revents)
			requests_reloaded(s, reload_answered(&s->reload, &s->config), now);
		control_take(&s->control, polls + POLL_CONTROL, now, requests_take, s);
		if (polls[POLL_SIGNALS].revents)
			take_signals(s, now);
		if (s->lets_go || renew_is_time(s, now))
			return;
	}
}

int main(int argc, char **argv)
{
	static struct supervisor s;
	struct command_line line;
	int status, is_renewed, layout = 0;
	void *const places[N_COMMAND_OPTIONS] = { [OPTION_LAYOUT] = &layout };

	log_set_service_name("supervise");
	is_renewed = renew_arrive(argv);
	command_open(&line, &command, argc, argv, places, option_changes);
	status = command_read(&line, NULL);
	if (status >= 0)
		return status;
	if (layout) {
		layout_print();
		return 0;
	}
	status = supervisor_open(&s, line.argc, line.argv, is_renewed);
	if (status)
		return status;
	for (;;) {
		supervise(&s);
		if (s.lets_go || s.stopping.step == STOP_DONE)
			break;
		probe_rebuilt(&s);
		renew(&s, argv);
	}
	for (uint32_t i = 0; i < s.n_lives; i++) /* they are to start no other one */
		standby_end(&s.lives[i].standby);
	service_stop(&s.dash);
	scouting_stop(&s.scout);
	holder_let_go(&s.holder);
	if (s.stopping.step == STOP_DONE) {
		control_close(&s.control, &s.names);
		stop_remove(&s);
	} else {
		names_forget_pid(&s.names);
	}
	requests_end(&s);
	return s.is_refused ? EXIT_CONFIG : 0;
}
