/*
 * recovery.c - any bytes in any part of the segment that stages write to, journals first of all, between and around the
 * steps of the three real stages: a stage goes on, or ends with one line; it never leaves its memory, nor waits for
 * ever.
 *
 * The input is a program: stores, datagrams, a stage that is killed and succeeded, a step. abort() is replaced at link
 * time: the stage is dead then, and its last words are asked for.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "harness/harness.h"
#include "hold/sockets.h"
#include "log.h"
#include "mortal/mortal.h"
#include "mutate.h"

#define MOST_OPERATIONS 64
#define N_INPUTS 3
#define OWN_FD 300

enum {
	OP_STORE,
	OP_STORE_TOO,
	OP_STORE_AS_WELL,
	OP_SEND,
	OP_KILL,
	OP_STEP,
	OP_STEP_TOO,
	OP_ANSWER,
	OP_WAIT,
	N_OPERATIONS
};

static struct config config;
static struct segment seg;
static struct places places;
static uint8_t *good;
static size_t good_bytes; /* of the segment, without the scratch */
static int source_fd[N_INPUTS], sink_fd[N_INPUTS], is_open[N_STAGES];
static char *arguments[] = { (char *)(uintptr_t) "recovery", (char *)(uintptr_t) "-c", NULL,
			     (char *)(uintptr_t) "--fifo=off", NULL };
static sigjmp_buf death;
static time_t passed_s; /* beside what really has */
static char words[4096];
static struct log_copy last_words = { words, sizeof(words), 0 };

/* clang-format off */
_Noreturn void __wrap_abort(void);
int __real_epoll_wait(int fd, struct epoll_event *events, int n, int timeout_ms);
int __wrap_epoll_wait(int fd, struct epoll_event *events, int n, int timeout_ms);
int __wrap_bell_sleep(_Atomic uint32_t *parked, uint32_t how, uint64_t timeout_ns);
int __real_clock_gettime(clockid_t clock, struct timespec *t);
int __wrap_clock_gettime(clockid_t clock, struct timespec *t);
/* clang-format on */

_Noreturn void __wrap_abort(void)
{
	must(last_words.len > 0);
	siglongjmp(death, 1);
}

/* Nothing is waited for: time passes when the input says so. */
int __wrap_epoll_wait(int fd, struct epoll_event *events, int n, int timeout_ms)
{
	(void)timeout_ms;
	return __real_epoll_wait(fd, events, n, 0);
}

int __wrap_bell_sleep(_Atomic uint32_t *parked, uint32_t how, uint64_t timeout_ns)
{
	(void)parked, (void)how, (void)timeout_ns;
	return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *t)
{
	int status = __real_clock_gettime(clock, t);

	if (clock == CLOCK_MONOTONIC)
		t->tv_sec += passed_s;
	return status;
}

static int free_port(struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(*at);

	*at = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	must(bind(fd, (const struct sockaddr *)at, sizeof(*at)) == 0);
	must(getsockname(fd, (struct sockaddr *)at, &len) == 0);
	return fd;
}

static void write_config(char *text, size_t bytes)
{
	struct sockaddr_in in[N_INPUTS], out[N_INPUTS];
	int fds[N_INPUTS];

	for (int i = 0; i < N_INPUTS; i++) {
		fds[i] = free_port(&in[i]);
		sink_fd[i] = harness_move_fd(free_port(&out[i]));
	}
	snprintf(text, bytes,
		 "[pipeline]\ninstance = fuzz-recovery-%d\npayload_bytes = 256B\ngro = on\nsocket_buffer = 64KiB\n"
		 "[class a]\nlisten = 127.0.0.1:%u\nsend = 127.0.0.1:%u\nbudget = 1ms\nreplies = back\nsessions = 4\n"
		 "idle = 1s\nidle_unanswered = 1s\ningress_to_edf = 8\nedf_to_egress = 8\n"
		 "[class back]\nbudget = 1ms\ningress_to_edf = 8\nedf_to_egress = 8\n"
		 "[class b]\nlisten = 127.0.0.1:%u\nsend = 127.0.0.1:%u\nsource = proxy\naccept_proxy = 127.0.0.0/8\n"
		 "ingress_to_edf = 8\nedf_to_egress = 8\n"
		 "[class c]\nlisten = 127.0.0.1:%u\nsend = 127.0.0.1:%u\nsource = %s\n"
		 "ingress_to_edf = 8\nedf_to_egress = 8\n",
		 getpid(), ntohs(in[0].sin_port), ntohs(out[0].sin_port), ntohs(in[1].sin_port), ntohs(out[1].sin_port),
		 ntohs(in[2].sin_port), ntohs(out[2].sin_port), geteuid() == 0 ? "transparent" : "own");
	for (int i = 0; i < N_INPUTS; i++) {
		close(fds[i]);
		source_fd[i] = harness_move_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
		must(connect(source_fd[i], (const struct sockaddr *)&in[i], sizeof(in[i])) == 0);
	}
}

/* What a stage does until it is done, or dead. */
static void live(enum stage_id id, void (*act)(enum stage_id id))
{
	last_words.len = 0;
	words[0] = '\0';
	if (sigsetjmp(death, 0)) {
		mortal_die(id);
		is_open[id] = 0;
		return;
	}
	act(id);
}

static void open_stage(enum stage_id id)
{
	int status = mortal_open(id, 4, arguments);

	is_open[id] = status == 0;
	must(status == 0 || last_words.len > 0);
	if (status)
		mortal_die(id);
}

static void kill_stage(enum stage_id id)
{
	if (is_open[id])
		mortal_die(id);
	is_open[id] = 0;
}

static void drain(void)
{
	uint8_t byte;

	for (int i = 0; i < N_INPUTS; i++) {
		while (recv(sink_fd[i], &byte, 1, MSG_DONTWAIT) >= 0)
			continue;
		while (recv(source_fd[i], &byte, 1, MSG_DONTWAIT) >= 0)
			continue;
	}
}

static void send_some(int i, uint32_t n, size_t bytes)
{
	static const uint8_t payload[512];

	for (uint32_t k = 0; k < n; k++)
		send(source_fd[i], payload, bytes, MSG_DONTWAIT);
}

/* Of the destination, to the session that wrote last. */
static void answer(void)
{
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	uint8_t payload[64];

	if (recvfrom(sink_fd[0], payload, sizeof(payload), MSG_DONTWAIT, (struct sockaddr *)&from, &len) >= 0)
		sendto(sink_fd[0], payload, sizeof(payload), MSG_DONTWAIT, (const struct sockaddr *)&from, len);
}

static void send_to_all(uint32_t n)
{
	for (int i = 0; i < N_INPUTS; i++)
		send_some(i, n, 40);
}

static void step_often(enum stage_id id)
{
	for (int i = 0; i < 2 * N_INPUTS; i++)
		mortal_step(id);
}

/* Something waits in each lane, and a session is open. */
static void bring_traffic(void)
{
	for (enum stage_id id = 0; id < N_STAGES; id++)
		open_stage(id);
	must(is_open[STAGE_INGRESS] && is_open[STAGE_EDF] && is_open[STAGE_EGRESS]);
	for (int turn = 0; turn < 2; turn++) {
		send_to_all(3);
		for (enum stage_id id = 0; id < N_STAGES; id++)
			step_often(id);
		answer();
	}
	send_to_all(2); /* for egress */
	step_often(STAGE_INGRESS);
	step_often(STAGE_EDF);
	send_to_all(2); /* for edf */
	step_often(STAGE_INGRESS);
	for (enum stage_id id = 0; id < N_STAGES; id++)
		kill_stage(id);
}

static void remove_segment(void)
{
	segment_remove(config.instance);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static struct sockets sockets;
	static char text[2048], name[FILE_NAME_BYTES];
	char why[CONFIG_WHY_BYTES] = "";
	int fd = -1;

	(void)argc, (void)argv;
	log_set_name("recovery");
	setenv("ONTIME_LOG", "error", 1);
	log_copy(&last_words);
	write_config(text, sizeof(text));
	input_file(&fd, text, strlen(text), name);
	fd = harness_move_fd(fd);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	arguments[2] = name;
	if (config_load(&config, name, 0, NULL, why, sizeof(why)) || sockets_open(&sockets, &config) ||
	    segment_create(&seg, &config, sockets.cookies, sockets.n - sockets.n_uncounted, why) ||
	    sockets_open_sessions(&sockets, &config, &seg, NULL)) {
		fprintf(stderr, "set up: %s\n", why);
		exit(1);
	}
	atexit(remove_segment);
	seg.fd = harness_move_fd(seg.fd);
	must(sockets_hand_on(&sockets) == 0);
	bring_traffic();
	drain();
	places_of(&places, &seg, 0);
	good_bytes = (size_t)seg.header.scratch_offset;
	good = malloc(good_bytes);
	must(good && good_bytes);
	memcpy(good, seg.shared, good_bytes);
	return 0;
}

static void operate(struct input *in)
{
	uint8_t what = input_byte(in);
	enum stage_id id = (enum stage_id)(what / N_OPERATIONS % N_STAGES);

	switch (what % N_OPERATIONS) {
	case OP_SEND:
		send_some(what / N_OPERATIONS % N_INPUTS, 1 + what / 64, input_byte(in) * 2);
		break;
	case OP_KILL:
		kill_stage(id);
		live(id, open_stage);
		break;
	case OP_STEP:
	case OP_STEP_TOO:
		if (!is_open[id])
			live(id, open_stage);
		if (is_open[id])
			live(id, mortal_step);
		break;
	case OP_ANSWER:
		answer();
		break;
	case OP_WAIT:
		passed_s += what / N_OPERATIONS;
		break;
	default:
		places_store(&places, in);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };

	memcpy(seg.shared, good, good_bytes);
	passed_s = 0;
	for (int n = 0; in.left && n < MOST_OPERATIONS; n++)
		operate(&in);
	for (enum stage_id id = 0; id < N_STAGES; id++)
		kill_stage(id);
	drain();
	return 0;
}
