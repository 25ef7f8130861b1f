/* talk.c - clients that ask, a destination that answers, and the ledger of both. */
#include "talk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness/harness.h"
#include "log.h"

#define MOST_IDS 65536
#define SIZES 5
#define MOST_BYTES 256
#define TAIL 199 /* a byte at the end of the long ones */

struct request {
	uint32_t id, number;
};

struct talk talk;
static uint32_t next_at_server[MOST_IDS];

/* An empty one, and a run for UDP_SEGMENT. */
static uint32_t bytes_of(uint32_t number)
{
	static const uint32_t bytes[SIZES] = { 64, 200, 200, 200, 0 };

	return bytes[number % SIZES];
}

void talk_come(struct client *c)
{
	if (c->fd > 0)
		close(c->fd);
	*c = (struct client){ .fd = harness_move_fd(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)),
			      .id = talk.n_ids++ };
	if (talk.n_ids == MOST_IDS || connect(c->fd, (const struct sockaddr *)&talk.to->at, talk.to->len) < 0) {
		log_error("a client: %s", strerror(errno));
		exit(1);
	}
}

void talk_ask(struct client *c, uint32_t n)
{
	for (; n; n--) {
		uint8_t payload[MOST_BYTES] = { 0 };
		const struct request r = { c->id, c->sent_pkts };
		uint32_t bytes = bytes_of(c->sent_pkts++);

		memcpy(payload, &r, sizeof(r));
		payload[TAIL] = (uint8_t)(r.id + r.number);
		if (send(c->fd, payload, bytes, 0) != (ssize_t)bytes) {
			log_error("send: %s", strerror(errno));
			exit(1);
		}
		talk.asked_pkts++;
	}
}

/* Each request once, in order; the empty ones are counted with all others, and told by the replies. */
void talk_answer(void)
{
	uint8_t payload[MOST_BYTES];
	struct sockaddr_in from;
	socklen_t len = sizeof(from);
	struct request r;
	ssize_t got;

	while ((got = recvfrom(talk.server_fd, payload, sizeof(payload), 0, (struct sockaddr *)&from, &len)) >= 0) {
		talk.answered_pkts++;
		if (sendto(talk.server_fd, payload, (size_t)got, 0, (struct sockaddr *)&from, len) < 0)
			talk.complain("no answer can be sent");
		memcpy(&r, payload, sizeof(r));
		if (got == 0)
			continue;
		if (r.id >= talk.n_ids || r.number != next_at_server[r.id] || got != bytes_of(r.number))
			talk.complain("another request than the next");
		next_at_server[r.id % MOST_IDS] = r.number + 1 + (bytes_of(r.number + 1) == 0);
	}
}

/* What a client gets are the replies to what it has asked, in order. */
void talk_listen(struct client *c)
{
	uint8_t payload[MOST_BYTES];
	struct request r;
	ssize_t got;

	while ((got = recv(c->fd, payload, sizeof(payload), 0)) >= 0 || errno == ECONNREFUSED) {
		uint32_t number = c->came_pkts++;

		memcpy(&r, payload, sizeof(r));
		if (number >= c->sent_pkts)
			talk.complain("a reply too many");
		else if (got > 0 && r.id != c->id)
			talk.complain("a reply of another client");
		else if (got != bytes_of(number) || (got > 0 && r.number != number) ||
			 (got == 200 && payload[TAIL] != (uint8_t)(r.id + r.number)))
			talk.complain("another reply than the next");
	}
}
