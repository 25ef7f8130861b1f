/* requests.c - what a supervisor is asked for, and its answers. */
#include "requests.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hold/process.h"
#include "log.h"
#include "renew.h"
#include "shm/lock.h"

#define STARTING_MORE_NS (65 * NS_PER_S) /* a plugin's open() may read much */

size_t request_describe(const struct supervisor *s, char *text, size_t bytes)
{
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < s->n_lives; i++) {
		const struct life *l = &s->lives[i];
		const char *what = l->state == LIFE_DOWN ? "is down: it refused its configuration (see the log)"
				   : l->has_told	 ? "keeps ending without passing a packet on (see the log)"
							 : NULL;

		if (what && len < bytes - 160)
			len += (size_t)snprintf(text + len, bytes - len, "%s %s; it ended last: %s\n", l->name, what,
						l->last_end);
	}
	if (s->stopping.step != STOP_NOT_ASKED && len < bytes - 160)
		len += (size_t)snprintf(text + len, bytes - len, "the instance is being stopped\n");
	return len;
}

static struct stage_block *block_of(const struct supervisor *s, const struct life *l)
{
	return &supervisor_part(s, l)->shared->stages[l->id];
}

static int is_ready(const struct supervisor *s, const struct life *l)
{
	const struct segment *part = supervisor_part(s, l);

	return l->state == LIFE_RUNS && segment_stage_pid(part, l->id) == l->pid &&
	       life_stage_state(part, l->id) == STATE_READY;
}

static void answer_status(const struct supervisor *s, struct client *client)
{
	char text[NOTE_BYTES];
	size_t len = request_describe(s, text, sizeof(text));

	control_say_lines(client, text);
	if (s->manager.is_there)
		control_say(client, "the supervisor is the main process of a service");
	if (s->reload.asked_fd >= 0)
		control_say(client, "a reload of %s waits for host names", s->reload.reads);
	control_answer(client, len ? CONTROL_FAILED : CONTROL_DONE);
}

static uint64_t serial_of(const struct supervisor *s)
{
	/* relaxed: this process's own word */
	return atomic_load_explicit(&s->seg.shared->stages[0].wanted_serial, memory_order_relaxed);
}

static void put_in_force(struct supervisor *s, uint64_t now)
{
	uint64_t serial = serial_of(s) + 1;

	reload_publish(&s->reload, &s->names);
	for (uint32_t i = 0; i < s->n_lives; i++)
		/*
		 * ORDER config: release; pairs with the acquire in serial_in_force(). The file first, then its number.
		 */
		atomic_store_explicit(&block_of(s, &s->lives[i])->wanted_serial, serial, memory_order_release);
	scouting_reload(&s->scout);
	for (uint32_t i = 0; i < s->n_lives; i++) {
		if (s->lives[i].state == LIFE_RUNS)
			process_signal(s->lives[i].pidfd, SIGHUP);
		life_try_again(&s->lives[i], now);
	}
}

void requests_reloaded(struct supervisor *s, enum reload_verdict verdict, uint64_t now)
{
	if (verdict == RELOAD_ASKS)
		return;
	if (verdict == RELOAD_IN_FORCE)
		put_in_force(s, now);
	for (int i = 0; i < N_CLIENTS; i++) {
		struct client *client = &s->control.clients[i];

		if (client->fd < 0 || client->asked != ASKED_RELOAD || client->serial)
			continue;
		if (client->number != s->reload.number) {
			control_say(client,
				    "another reload came before this one was judged: nothing was changed by this one");
			control_answer(client, CONTROL_FAILED);
			continue;
		}
		control_say_lines(client, s->reload.lines);
		if (verdict != RELOAD_IN_FORCE) {
			control_answer(client, verdict == RELOAD_RELAUNCH  ? CONTROL_RELAUNCH
					       : verdict == RELOAD_REFUSED ? CONTROL_REFUSED
									   : CONTROL_FAILED);
			continue;
		}
		client->serial = serial_of(s);
		client->due_ns = now + RELOAD_STAGES_NS;
	}
}

static enum reload_verdict reload(struct supervisor *s, const char *file, uint64_t now)
{
	manager_reloading(&s->manager, now);
	return reload_now(&s->reload, file, &s->config);
}

void request_reload(struct supervisor *s, const char *file, uint64_t now)
{
	log_reopen();
	if (s->stopping.step != STOP_NOT_ASKED)
		log_warn("no reload: the instance is being stopped");
	else
		requests_reloaded(s, reload(s, file, now), now);
}

/* The first stage that does not go by that configuration yet; -1: all do. */
static int first_behind(const struct supervisor *s, uint64_t serial)
{
	for (uint32_t i = 0; i < s->n_lives; i++)
		/* relaxed: it is looked at again */
		if (!is_ready(s, &s->lives[i]) ||
		    atomic_load_explicit(&block_of(s, &s->lives[i])->config_serial, memory_order_relaxed) < serial)
			return (int)i;
	return -1;
}

int requests_in_force(const struct supervisor *s)
{
	return first_behind(s, serial_of(s)) < 0;
}

static void say_in_force(struct supervisor *s, struct client *client)
{
	if (client->len == 0)
		control_say(client, "no value differs");
	if (s->seg.n_shards == 1)
		control_say(client, "%s is in force in all three stages", s->reload.reads);
	else
		control_say(client, "%s is in force in all stages of %u shards", s->reload.reads, s->seg.n_shards);
	if (strcmp(s->reload.reads, s->reload.file) != 0)
		control_say(client, "a reload without a file reads %s again", s->reload.file);
	control_answer(client, CONTROL_DONE);
}

static void tend_reload(struct supervisor *s, struct client *client, uint64_t now)
{
	int behind = client->serial ? first_behind(s, client->serial) : -1;

	if (client->serial && behind < 0) {
		say_in_force(s, client);
	} else if (now >= client->due_ns) {
		if (client->serial)
			control_say(client,
				    "%s is in force, but %s has not said within %d s that it goes by it: see the log",
				    s->reload.reads, s->lives[behind].name, (int)(RELOAD_STAGES_NS / NS_PER_S));
		else
			control_say(client, "no answer about the host names of %s within %d s: the log will tell",
				    s->reload.reads, (int)(RELOAD_HOSTS_NS / NS_PER_S));
		control_answer(client, CONTROL_FAILED);
	}
}

static void take_reload(struct supervisor *s, struct client *client, const char *file, uint64_t now)
{
	enum reload_verdict verdict;

	if (*file && *file != '/') {
		control_say(client, "reload %s: the file has to be named from / on", file);
		control_answer(client, CONTROL_REFUSED);
		return;
	}
	log_reopen();
	client->asked = ASKED_RELOAD;
	client->serial = 0;
	client->due_ns = now + RELOAD_HOSTS_NS;
	verdict = reload(s, *file ? file : NULL, now);
	client->number = s->reload.number;
	requests_reloaded(s, verdict, now);
}

#define SUPERVISOR_BIT (1ULL << MOST_LIVES) /* of what is still to be restarted: supervisor and holder */
static_assert(MOST_LIVES < 64, "a bit for each stage");

/* They last: the answer is given before, since the connection ends with it. */
static void restart_supervisor(struct supervisor *s, struct client *client, uint64_t now)
{
	if (client->is_renewal || renew_is_due(s)) {
		control_say(client, "supervisor and holder go over to the files that are there now");
		renew_ask(s, now);
	}
	control_answer(client, CONTROL_DONE);
}

static void restart_next(struct supervisor *s, struct client *client, uint64_t now)
{
	uint32_t i = 0;

	while (i < s->n_lives && !(client->stages & 1ULL << i))
		i++;
	if (i == s->n_lives) {
		if (client->stages & SUPERVISOR_BIT)
			restart_supervisor(s, client, now);
		else
			control_answer(client, CONTROL_DONE);
		return;
	}
	client->stages &= ~(1ULL << i);
	client->at = (int)i;
	client->old_pid = s->lives[i].pid;
	client->old_generation = life_generation(supervisor_part(s, &s->lives[i]), s->lives[i].id);
	client->last_look_ns = now;
	client->due_ns = now + RESTART_NS;
	client->latest_ns = client->due_ns + STARTING_MORE_NS;
	life_restart(&s->lives[i], now);
}

static void fail_restart(struct client *client, const struct life *l, const char *why)
{
	control_say(client, "%s %s: see the log", l->name, why);
	control_answer(client, CONTROL_FAILED);
}

static void tend_restart(struct supervisor *s, struct client *client, uint64_t now)
{
	const struct life *l = &s->lives[client->at];
	uint32_t generation = life_generation(supervisor_part(s, l), l->id);

	if (is_ready(s, l) && generation != client->old_generation) {
		control_say(client, "%s restarted: pid %d -> %d, start %u", l->name, client->old_pid, l->pid,
			    generation);
		restart_next(s, client, now);
		return;
	}
	/* a slow start is none that failed */
	if (l->state == LIFE_RUNS && life_stage_state(supervisor_part(s, l), l->id) == STATE_STARTING)
		client->due_ns += now - client->last_look_ns;
	client->last_look_ns = now;
	if (l->state == LIFE_DOWN && l->pid == 0)
		fail_restart(client, l, "refused its configuration, and stays down");
	else if (now >= client->due_ns || now >= client->latest_ns)
		fail_restart(client, l, "did not come back within 5 s");
}

/* The stages that are meant, a bit each: of one shard, or (-1) of all. */
static uint64_t bits_of(const struct supervisor *s, int who, int shard)
{
	uint64_t bits = 0;

	for (uint32_t i = 0; i < s->n_lives; i++)
		if ((who < 0 || (int)s->lives[i].id == who) && (shard < 0 || (int)s->lives[i].shard == shard))
			bits |= 1ULL << i;
	return bits;
}

static void take_restart(struct supervisor *s, struct client *client, const char *which, uint64_t now)
{
	int shard, who = process_who(which, &shard), is_all = !*which || strcmp(which, "all") == 0;

	if (!is_all && (who < 0 || (who >= N_STAGES && who != WHO_SUPERVISOR) || shard >= (int)s->seg.n_shards)) {
		control_say(client, "restart %s: which? ingress, edf, egress, supervisor or all%s", which,
			    s->seg.n_shards > 1 ? "; or of one shard, as edf.1" : "");
		control_answer(client, CONTROL_REFUSED);
		return;
	}
	client->asked = ASKED_RESTART;
	client->is_renewal = who == WHO_SUPERVISOR;
	client->stages = is_all		      ? SUPERVISOR_BIT | bits_of(s, -1, -1)
			 : client->is_renewal ? SUPERVISOR_BIT
					      : bits_of(s, who, shard);
	restart_next(s, client, now);
}

void request_stop(struct supervisor *s, uint64_t now)
{
	manager_stopping(&s->manager);
	stop_begin(s, now);
	for (int i = 0; i < N_CLIENTS; i++) {
		struct client *client = &s->control.clients[i];

		if (client->fd < 0 || (client->asked != ASKED_RESTART && client->asked != ASKED_RELOAD))
			continue;
		control_say(client, "the instance is being stopped meanwhile");
		control_answer(client, CONTROL_FAILED);
	}
}

static void take_adopt(struct supervisor *s, struct client *client)
{
	if (s->manager.is_there) {
		control_say(client,
			    "instance '%s' has a supervisor (pid %d) that is the main process of a service: stop that "
			    "service",
			    s->config.instance, getpid());
		control_answer(client, CONTROL_REFUSED);
		return;
	}
	control_say(client, "the supervisor (pid %d) lets the stages go, for another one", getpid());
	control_answer(client, CONTROL_DONE);
	s->lets_go = 1;
}

static void take_change(struct supervisor *s, struct client *client, const char *word, const char *rest, uint64_t now)
{
	if (strcmp(word, "stop") == 0) {
		client->asked = ASKED_STOP;
		request_stop(s, now);
	} else if (s->stopping.step != STOP_NOT_ASKED) {
		control_say(client, "no %s: the instance is being stopped", word);
		control_answer(client, CONTROL_FAILED);
	} else if (strcmp(word, "adopt") == 0) {
		take_adopt(s, client);
	} else if (strcmp(word, "restart") == 0) {
		take_restart(s, client, rest, now);
	} else {
		take_reload(s, client, rest, now);
	}
}

static int is_change(const char *word)
{
	return strcmp(word, "restart") == 0 || strcmp(word, "reload") == 0 || strcmp(word, "stop") == 0 ||
	       strcmp(word, "adopt") == 0;
}

void requests_take(void *arg, struct client *client, char *request, int is_allowed)
{
	struct supervisor *s = arg;
	char *rest = strchr(request, ' ');
	uint64_t now = now_ns();

	if (rest)
		*rest++ = '\0';
	if (strcmp(request, "status") == 0) {
		answer_status(s, client);
	} else if (!is_change(request)) {
		control_say(client, "unknown request \"%.40s\": status, restart [STAGE], reload [FILE], stop or adopt",
			    request);
		control_answer(client, CONTROL_REFUSED);
	} else if (!is_allowed) {
		control_say(client, "%s: only the user of the instance (uid %d) and root may do that", request,
			    (int)geteuid());
		control_answer(client, CONTROL_REFUSED);
	} else {
		take_change(s, client, request, rest ? rest : "", now);
	}
}

int requests_any(const struct supervisor *s)
{
	for (int i = 0; i < N_CLIENTS; i++)
		if (s->control.clients[i].fd >= 0)
			return 1;
	return 0;
}

void requests_tend(struct supervisor *s, uint64_t now)
{
	for (int i = 0; i < N_CLIENTS; i++) {
		struct client *client = &s->control.clients[i];

		if (client->fd >= 0 && client->asked == ASKED_RELOAD)
			tend_reload(s, client, now);
		else if (client->fd >= 0 && client->asked == ASKED_RESTART)
			tend_restart(s, client, now);
	}
}

void requests_end(struct supervisor *s)
{
	char how[512];

	stop_describe(s, how, sizeof(how));
	for (int i = 0; i < N_CLIENTS && s->stopping.step == STOP_DONE; i++) {
		struct client *client = &s->control.clients[i];

		if (client->fd < 0 || client->asked != ASKED_STOP)
			continue;
		if (s->stopping.left_pkts)
			control_say(client, "%s", how);
		control_answer(client, CONTROL_DONE);
	}
}
