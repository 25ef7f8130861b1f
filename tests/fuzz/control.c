/*
 * control.c - any messages to the control socket of a supervisor, from several clients at once: each gets one answer, a
 * status and lines, or none while its request takes its time; and only whole words are obeyed.
 *
 * What a request would do to the instance is not done: those functions are replaced at link time (-Wl,--wrap).
 */
#include "hold/control.h"

#include <ctype.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "input.h"
#include "supervise/renew.h"
#include "supervise/requests.h"

#define MOST_TURNS 24

static struct supervisor supervisor;
static struct shared shared;
static uint8_t next_verdict;

/* clang-format off */
void __wrap_life_restart(struct life *l, uint64_t now);
void __wrap_life_try_again(struct life *l, uint64_t now);
enum reload_verdict __wrap_reload_now(struct reload *r, const char *file, struct config *config);
void __wrap_reload_publish(const struct reload *r, struct names *names);
int __wrap_renew_is_due(const struct supervisor *s);
void __wrap_renew_ask(struct supervisor *s, uint64_t now);
void __wrap_stop_begin(struct supervisor *s, uint64_t now);
int __wrap_process_signal(int pidfd, int sig);
/* clang-format on */

/* The successor is ready at once, if it is to be. */
void __wrap_life_restart(struct life *l, uint64_t now)
{
	long id = l - supervisor.lives;

	(void)now;
	must(id >= 0 && id < N_STAGES);
	if (next_verdict & 1) /* relaxed: there is one thread */
		atomic_fetch_add_explicit(&shared.stages[id].generation, 1, memory_order_relaxed);
}

void __wrap_life_try_again(struct life *l, uint64_t now)
{
	(void)l, (void)now;
}

enum reload_verdict __wrap_reload_now(struct reload *r, const char *file, struct config *config)
{
	(void)config;
	must(!file || (file[0] == '/' && strlen(file) < CONTROL_REQUEST_BYTES));
	r->number++;
	snprintf(r->reads, sizeof(r->reads), "%s", file ? file : r->file);
	snprintf(r->lines, sizeof(r->lines), "a line\n");
	return (enum reload_verdict)(next_verdict % (RELOAD_ASKS + 1));
}

void __wrap_reload_publish(const struct reload *r, struct names *names)
{
	(void)r, (void)names;
}

int __wrap_renew_is_due(const struct supervisor *s)
{
	(void)s;
	return 0;
}

void __wrap_renew_ask(struct supervisor *s, uint64_t now)
{
	(void)s, (void)now;
}

void __wrap_stop_begin(struct supervisor *s, uint64_t now)
{
	(void)now;
	s->stopping.step = STOP_INGRESS;
}

int __wrap_process_signal(int pidfd, int sig)
{
	(void)pidfd, (void)sig;
	return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	supervisor.seg.shared = &shared;
	supervisor.seg.n_shards = 1;
	supervisor.n_lives = N_STAGES;
	supervisor.control.fd = -1;
	supervisor.control.inode = 1;
	supervisor.reload.file = "/etc/ontime.conf";
	for (int i = 0; i < N_CLIENTS; i++)
		supervisor.control.clients[i].fd = -1;
	for (int id = 0; id < N_STAGES; id++) {
		supervisor.lives[id].state = LIFE_RUNS;
		supervisor.lives[id].id = (enum stage_id)id;
		supervisor.lives[id].name = stage_name((enum stage_id)id);
		supervisor.lives[id].pid = 1;
		/* relaxed: there is one thread */
		atomic_store_explicit(&shared.stages[id].pid, 1, memory_order_relaxed);
		atomic_store_explicit(&shared.stages[id].state, STATE_READY, memory_order_relaxed);
	}
	return 0;
}

/* A client with a request of its own, in a free place. */
static void connect_client(struct input *in, int ours[N_CLIENTS])
{
	char request[CONTROL_REQUEST_BYTES + 16];
	uint32_t bytes = input_byte(in);
	int pair[2], i = input_byte(in) % N_CLIENTS;
	struct client *client = &supervisor.control.clients[i];

	if (client->fd >= 0 || ours[i] >= 0)
		return;
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	if (bytes == UINT8_MAX) /* as long as one may be, and longer */
		bytes = CONTROL_REQUEST_BYTES - 2 + input_byte(in) % 4;
	input_take(in, request, bytes);
	send(pair[0], request, bytes, MSG_NOSIGNAL);
	ours[i] = pair[0];
	client->fd = pair[1];
	client->asked = ASKED_NOTHING;
	client->due_ns = UINT64_MAX;
	client->len = 0;
	client->text[0] = '\0';
}

static void check_answer(int *fd)
{
	static char answer[CONTROL_ANSWER_BYTES + 64];
	ssize_t n = recv(*fd, answer, sizeof(answer) - 1, MSG_DONTWAIT);

	if (n < 0)
		return;
	answer[n] = '\0';
	if (n > 0)
		must(isdigit((unsigned char)answer[0]) && answer[0] <= '0' + CONTROL_RELAUNCH && answer[1] == '\n' &&
		     strlen(answer) == (size_t)n && (n == 2 || answer[n - 1] == '\n'));
	close(*fd);
	*fd = -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pollfd polls[1 + N_CLIENTS];
	struct input in = { data, size };
	int ours[N_CLIENTS];
	uint64_t now = now_ns();

	memset(ours, 0xff, sizeof(ours));
	supervisor.stopping.step = STOP_NOT_ASKED;
	supervisor.lets_go = 0;
	for (int turn = 0; in.left && turn < MOST_TURNS; turn++) {
		next_verdict = input_byte(&in);
		connect_client(&in, ours);
		control_list(&supervisor.control, polls, now);
		poll(polls, 1 + N_CLIENTS, 0);
		control_take(&supervisor.control, polls, now, requests_take, &supervisor);
		now += (uint64_t)input_byte(&in) * 100 * NS_PER_MS;
		requests_tend(&supervisor, now);
		for (int i = 0; i < N_CLIENTS; i++)
			if (ours[i] >= 0)
				check_answer(&ours[i]);
	}
	requests_tend(&supervisor, now + 1000 * NS_PER_S); /* no request takes longer */
	for (int i = 0; i < N_CLIENTS; i++) {
		struct client *client = &supervisor.control.clients[i];

		must(client->fd < 0 || client->asked == ASKED_NOTHING || client->asked == ASKED_STOP);
		if (client->fd >= 0)
			close(client->fd);
		client->fd = -1;
		if (ours[i] >= 0)
			check_answer(&ours[i]);
		if (ours[i] >= 0)
			close(ours[i]);
	}
	return 0;
}
