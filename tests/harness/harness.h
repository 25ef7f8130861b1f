/*
 * harness.h - real stages for a test: a config of its own, processes, exact traffic, and nothing left behind.
 *
 * Memory:  one struct rig per test. Each test runs in a child process, so a rig may leave anything open.
 * Rules:   rig_begin(), rig_class() per class, rig_load(); then the caller opens the sockets and creates the segment,
 *          as hold does (the harness links into programs that have no sockets), and rig_start()s the stages.
 *          A failed check ends the test at once; why it failed is one line.
 * Crash:   a stage dies with its test (PR_SET_PDEATHSIG); harness_main() removes the segment and the files.
 */
#ifndef ONTIME_HARNESS_H
#define ONTIME_HARNESS_H

#include <sys/types.h>

#include "shm/account.h"
#include "clock.h"
#include "config/config.h"
#include "shm/segment.h"

#define PATIENCE_NS (10 * NS_PER_S) /* a condition that has not come true by then never will */
#define MAX_SENT_PKTS 65536 /* per class and test: more would wrap the record of lengths */
#define LARGEST_BYTES 1472
#define ANY_SIZE UINT32_MAX /* send_pkts: 0 to LARGEST_BYTES at random */
#define FIRST_OWN_FD 300 /* above what is handed on as LISTEN_FDS */

struct rig_flow {
	int out_fd[MAX_LISTEN]; /* to its listen addresses, connected */
	int sink_fd[MAX_DESTS]; /* bound to its destinations */
	uint32_t sent_pkts;
	uint32_t next_pkts; /* number of the datagram expected next: of each class all come in order */
	uint16_t bytes[MAX_SENT_PKTS]; /* of each datagram sent */
};

struct rig {
	struct config config;
	struct segment seg;
	pid_t pids[N_STAGES];
	int exits[N_STAGES]; /* wait status of the last one reaped */
	char file[64], log[64];
	char text[8192]; /* the config file */
	uint32_t n_classes, n_reserved;
	int reserved_fd[MAX_FLOWS];
	struct rig_flow flows[MAX_CLASSES];
	uint64_t random;
};

/*
 * harness_arguments - the default config as an instance of this process, on free ports of loopback. Returns their
 * number.
 */
int harness_arguments(char **arguments, const char *name);

/* harness_move_fd - out of the way of what is handed on as LISTEN_FDS. */
int harness_move_fd(int fd);

struct harness_test {
	const char *name;
	void (*run)(void);
};

/* harness_main - run the tests whose name contains argv[2] (default all), each in a child; the last line adds up. */
int harness_main(const char *program, int argc, char **argv, const struct harness_test *tests, size_t n_tests);

/* test_skip - end this test as skipped. */
_Noreturn void test_skip(const char *reason);
_Noreturn __attribute__((format(printf, 2, 3))) void test_fail(int line, const char *format, ...);

#define expect(condition)                                                                                              \
	do {                                                                                                           \
		if (!(condition))                                                                                      \
			test_fail(__LINE__, "%s", #condition);                                                         \
	} while (0)

#define expect_equal(is, should)                                                                                       \
	do {                                                                                                           \
		long long is_ = (long long)(is), should_ = (long long)(should);                                        \
                                                                                                                       \
		if (is_ != should_)                                                                                    \
			test_fail(__LINE__, "%s is %lld, not %lld", #is, is_, should_);                                \
	} while (0)

/* await - wait for a condition, which is looked at every millisecond, with a deadline. */
#define await(condition)                                                                                               \
	do {                                                                                                           \
		uint64_t until_ = now_ns() + PATIENCE_NS;                                                              \
                                                                                                                       \
		while (!(condition)) {                                                                                 \
			if (now_ns() > until_)                                                                         \
				test_fail(__LINE__, "never: %s", #condition);                                          \
			pass_time(NS_PER_MS);                                                                          \
		}                                                                                                      \
	} while (0)

void pass_time(uint64_t ns);

/* rig_begin - `pipeline`: lines of the [pipeline] section, beside the instance. */
void rig_begin(struct rig *r, const char *pipeline);

/* rig_class - a class on free ports of this host ("127.0.0.1", "[::1]"), its sinks bound. lines: budget and limits. */
void rig_class(struct rig *r, const char *name, const char *host, uint32_t n_listen, uint32_t n_dests,
	       const char *lines);

/* rig_class_to - a class with one listen address whose datagrams go to `to`, where nobody of ours listens. */
void rig_class_to(struct rig *r, const char *name, const char *to, const char *lines);

/* rig_closed_port - "127.0.0.1:PORT" where nobody listens. */
void rig_closed_port(char text[ADDRESS_BYTES]);

/* rig_load - write the config file, read it into r->config, free the reserved ports. */
void rig_load(struct rig *r);

/* rig_replace - change the config file: the first `from` becomes `to`. */
void rig_replace(struct rig *r, const char *from, const char *to);

void rig_connect(struct rig *r);

/* stage_start - one process; LISTEN_FDS is in the environment already. */
void stage_start(struct rig *r, enum stage_id id);

/* rig_start - connect the sources, start all stages, wait until they are ready. */
void rig_start(struct rig *r);
void rig_await_ready(const struct rig *r, enum stage_id id, uint32_t generation);

/* stage_end - signal one and reap it; the wait status is returned. 0: only reap. */
int stage_end(struct rig *r, enum stage_id id, int sig);

/* stage_restart - end it with `sig`, start a successor, wait until that is ready. */
void stage_restart(struct rig *r, enum stage_id id, int sig);

/* stage_freeze, stage_thaw - SIGSTOP until it has stopped; SIGCONT. */
void stage_freeze(const struct rig *r, enum stage_id id);
void stage_thaw(const struct rig *r, enum stage_id id);

/* rig_log_lines - lines on the stages' standard error that contain `text`. */
uint32_t rig_log_lines(const struct rig *r, const char *text);

/* send_pkts - n datagrams to a class, each numbered and checkable; bytes: of each, or ANY_SIZE. */
void send_pkts(struct rig *r, uint32_t class, uint32_t n, uint32_t bytes);

/* receive_pkts - the next n datagrams sent must come, in order and unchanged. */
void receive_pkts(struct rig *r, uint32_t class, uint32_t n);

/* drain_sink - the number of datagrams waiting there, thrown away. */
uint32_t drain_sink(struct rig *r, uint32_t class);

/* relay_pkts - n datagrams through every class, a few under way at a time. */
void relay_pkts(struct rig *r, uint32_t n, uint32_t bytes);

struct account account_of(const struct rig *r, uint32_t class);

/* expect_balanced - received = sent + dropped, nothing is held, in every class. */
void expect_balanced(const struct rig *r);

#endif
