/*
 * copied.c - a source of numbered datagrams, and receivers each of which is to have every one of them: once, in order,
 * unchanged.
 *
 * Rules:   it ends by SIGINT, or after that many seconds: then it waits until each receiver has all, or nothing has
 *          come for two seconds. A number that is skipped and comes later is out of order, and not lost.
 *
 * usage: copied TO PPS SECONDS AT...   TO: where the class listens; AT: where its copies arrive
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "config/address.h"
#include "log.h"

#define MOST_RECEIVERS 8
#define MOST_BYTES 1200
#define LEAST_BYTES 16
#define BUFFER_BYTES (64 << 20)
#define PATIENCE_NS (2 * NS_PER_S)
#define STEP_NS NS_PER_MS
#define READ_AT_ONCE 64

struct receiver {
	const char *name;
	int fd;
	uint64_t next, lost, out_of_order, changed; /* next: the number that is to come */
	uint64_t late_ns; /* the longest from the send to the look that found it */
};

static volatile sig_atomic_t interrupted;
static struct receiver receivers[MOST_RECEIVERS];
static uint64_t last_at_ns; /* when something came */

static void on_signal(int sig)
{
	interrupted = sig;
}

static int open_socket(const char *text, int is_receiver)
{
	struct address a;
	int fd, bytes = BUFFER_BYTES;

	if (!address_parse(text, strlen(text), &a)) {
		log_error("%s is no address", text);
		exit(2);
	}
	fd = socket(a.at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	if (fd < 0 || (is_receiver ? bind : connect)(fd, (const struct sockaddr *)&a.at, a.len) < 0) {
		log_error("%s: %s", text, strerror(errno));
		exit(1);
	}
	return fd;
}

static uint32_t bytes_of(uint64_t number)
{
	return LEAST_BYTES + (uint32_t)((number / 7) * 2654435761u % (MOST_BYTES - LEAST_BYTES + 1));
}

static uint32_t make(uint64_t number, uint8_t payload[MOST_BYTES])
{
	uint64_t head[2] = { number, now_ns() };
	uint32_t bytes = bytes_of(number);

	memset(payload, (int)(number & 0xff), bytes);
	memcpy(payload, head, sizeof(head));
	return bytes;
}

static void take(struct receiver *r, const uint8_t *payload, ssize_t got)
{
	uint64_t head[2] = { 0 }, took_ns;

	if (got < LEAST_BYTES) {
		r->changed++;
		return;
	}
	memcpy(head, payload, sizeof(head));
	if ((uint32_t)got != bytes_of(head[0]) ||
	    (got > LEAST_BYTES && payload[got - 1] != (uint8_t)(head[0] & 0xff))) {
		r->changed++;
		return;
	}
	if (head[0] < r->next) {
		r->out_of_order++;
		return;
	}
	r->lost += head[0] - r->next;
	r->next = head[0] + 1;
	took_ns = now_ns() - head[1];
	if (took_ns > r->late_ns)
		r->late_ns = took_ns;
}

static void look(uint32_t n)
{
	uint8_t payload[MOST_BYTES + 1];

	for (uint32_t i = 0; i < n; i++)
		for (int k = 0; k < READ_AT_ONCE; k++) {
			ssize_t got = recv(receivers[i].fd, payload, sizeof(payload), MSG_DONTWAIT);

			if (got < 0)
				break;
			take(&receivers[i], payload, got);
			last_at_ns = now_ns();
		}
}

static int have_all(uint32_t n, uint64_t sent)
{
	for (uint32_t i = 0; i < n; i++)
		if (receivers[i].next < sent)
			return 0;
	return 1;
}

static void wait_a_little(void)
{
	struct timespec t = { .tv_nsec = STEP_NS / 4 };

	nanosleep(&t, NULL);
}

/* As many as are due: a machine that stalls sends them later, but not more than a socket's buffer holds at once. */
static uint64_t send_for(int fd, uint64_t pps, uint64_t ns, uint32_t n)
{
	uint64_t began_at_ns = now_ns(), sent = 0, now = began_at_ns, due, most = pps / 50 + 1;
	uint8_t payload[MOST_BYTES];

	while (!interrupted && now < began_at_ns + ns) {
		due = (uint64_t)((double)(now - began_at_ns) / 1e9 * (double)pps);
		if (due > sent + most) {
			began_at_ns += (due - sent - most) * NS_PER_S / pps;
			due = sent + most;
		}
		while (sent < due) {
			uint32_t bytes = make(sent, payload);

			if (send(fd, payload, bytes, 0) != (ssize_t)bytes) {
				if (errno == ECONNREFUSED || errno == EINTR || errno == ENOBUFS)
					continue;
				log_error("send: %s", strerror(errno));
				exit(1);
			}
			sent++;
		}
		look(n);
		wait_a_little();
		now = now_ns();
	}
	return sent;
}

int main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_signal };
	uint32_t n = argc > 4 ? (uint32_t)argc - 4 : 0;
	int fd, is_whole = 1;
	uint64_t sent;

	log_set_name("copied");
	if (n == 0 || n > MOST_RECEIVERS) {
		log_error("usage: copied TO PPS SECONDS AT...");
		return 2;
	}
	sigaction(SIGINT, &act, NULL);
	for (uint32_t i = 0; i < n; i++)
		receivers[i] = (struct receiver){ .name = argv[4 + i], .fd = open_socket(argv[4 + i], 1) };
	fd = open_socket(argv[1], 0);
	puts("ready");
	fflush(stdout);
	sent = send_for(fd, strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10) * NS_PER_S, n);
	last_at_ns = now_ns();
	while (!have_all(n, sent) && now_ns() < last_at_ns + PATIENCE_NS) {
		look(n);
		wait_a_little();
	}
	look(n); /* what comes twice */
	printf("copied: %llu sent\n", (unsigned long long)sent);
	for (uint32_t i = 0; i < n; i++) {
		struct receiver *r = &receivers[i];

		r->lost += sent > r->next ? sent - r->next : 0;
		printf("%s: %llu lost, %llu twice or out of order, %llu changed; after %.1f ms at most\n", r->name,
		       (unsigned long long)r->lost, (unsigned long long)r->out_of_order, (unsigned long long)r->changed,
		       (double)r->late_ns / 1e6);
		is_whole &= !r->lost && !r->out_of_order && !r->changed;
	}
	return is_whole ? 0 : 3;
}
