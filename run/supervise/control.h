/*
 * control.h - the control socket of an instance (hold/control.h), as the supervisor has it: connections, each with one
 * request and one answer.
 *
 * Memory:  private to the supervisor; of a fixed size, however many connect and whatever they send. Descriptors that
 *          are passed along are never taken.
 * Rules:   nobody is waited for: a connection without a request is closed after a second, or at once when another needs
 *          its place; an answer that has no room in the socket's buffer is not given.
 *          The socket is made under another name and then renamed, so whoever finds it can connect. It is put back
 *          within a second when it vanishes. The successor of a supervisor makes its own.
 *          Where it can have no name there it has one that the kernel chooses, until it can.
 * Errors:  a socket that cannot be made is said once, and tried again each second; the supervisor goes on without.
 */
#ifndef ONTIME_SUPERVISE_CONTROL_H
#define ONTIME_SUPERVISE_CONTROL_H

#include <poll.h>
#include <sys/types.h>

#include <stdint.h>

#include "hold/control.h"
#include "names.h"
#include "shm/segment.h"

#define N_CLIENTS 16

enum asked { ASKED_NOTHING, ASKED_STATUS, ASKED_RESTART, ASKED_RELOAD, ASKED_STOP };

struct client {
	int fd; /* -1: this place is free */
	uint64_t due_ns; /* when its time is over */
	enum asked asked;
	char text[CONTROL_ANSWER_BYTES]; /* of the answer */
	size_t len;
	/* Of a request that takes its time. */
	/* of the reload; of the configuration that the stages are to go by, once that is in force */
	uint64_t number, serial;
	uint64_t stages; /* still to be restarted, a bit each */
	int is_renewal; /* of supervisor and holder alone, whatever file is there */
	int at; /* the one that is; -1: none */
	pid_t old_pid;
	uint32_t old_generation;
	uint64_t last_look_ns, latest_ns;
};

struct control {
	int fd; /* -1: there is none */
	ino_t inode; /* of its name; 0: it is nameless */
	_Atomic uint64_t *nameless; /* where the name of a nameless one is stored */
	int has_told;
	uint64_t accept_due_ns; /* none is accepted before: descriptors are short */
	struct client clients[N_CLIENTS];
};

/* control_open - make it. */
void control_open(struct control *c, const struct names *n, const struct segment *seg);

/* control_keep - once a second: put it back. */
void control_keep(struct control *c, const struct names *n);

/* control_list - what to wait for: the socket, then each client. */
void control_list(const struct control *c, struct pollfd polls[1 + N_CLIENTS], uint64_t now);

/*
 * control_take - of these, what there is. take(arg, client, request, is_allowed): a request came; is_allowed: from
 * somebody who may change the instance.
 */
void control_take(struct control *c, const struct pollfd polls[1 + N_CLIENTS], uint64_t now,
		  void (*take)(void *arg, struct client *client, char *request, int is_allowed), void *arg);

/* control_say - add a line to the answer; what has no room is left out. */
void control_say(struct client *client, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* control_say_lines - likewise, lines that there are. */
void control_say_lines(struct client *client, const char *lines);

/* control_answer - send it, and close. */
void control_answer(struct client *client, int status);

/* control_close - the instance ends: the name goes. */
void control_close(struct control *c, const struct names *n);

#endif
