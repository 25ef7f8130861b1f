/*
 * scramble.c - another process of the same user changes bits and words of a running instance's segment, in every part,
 * while datagrams pass: and each that arrives whole arrives where it should.
 *
 * usage: scramble -c CONFIG MUTATIONS SEED
 *
 * Rules:   a changed word is put back after a moment, unless it is another by then: so the instance goes on, and more
 *          can be changed. The pointers and lengths that the kernel reads from the journals' vectors while it works are
 *          left out: that a process of this user can misdirect a system call of a stage it could by ptrace(2), too.
 *          It ends early when nothing has passed for STUCK_NS, which takes a relaunch. The last line says what it did.
 * Exit status: 0 all done, 3 stuck, 4 a datagram came to another class, 1, 2.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "random.h"
#include "shm/segment.h"

#define MOST_PLACES (5 + 9 * MAX_CLASSES + 4 * BATCH)
#define ROUND_NS (500 * NS_PER_US)
#define ROUND_MUTATIONS 16
#define KEPT 256 /* changed bytes that are put back, in turn: those of two rounds, as a rule */
#define PAUSE_NS (3 * NS_PER_S / 2) /* without a datagram: nothing more is changed then */
#define STUCK_NS (6 * NS_PER_S)
#define WORD_BYTES 20u
#define BYTES 100u
#define N_KINDS 5
#define HEADER_SELDOM 16

struct part {
	uint8_t *at;
	size_t bytes;
};

struct change {
	_Atomic uint8_t *at; /* NULL: none */
	uint8_t was, is;
};

static struct config config;
static struct segment seg;
static struct part parts[MOST_PLACES];
static uint32_t n_parts;
static struct change kept[KEPT];
static uint64_t random_state, changed, sent[MAX_CLASSES], came[MAX_CLASSES], spoilt, misplaced;
static int source_fd[MAX_CLASSES], sink_fd[MAX_CLASSES];

static void add(void *at, size_t bytes)
{
	if (at && bytes)
		parts[n_parts++] = (struct part){ at, bytes };
}

static void list_class(const struct lane_view *v)
{
	add(v->lane, sizeof(*v->lane));
	add(v->arrivals, v->slots * sizeof(*v->arrivals));
	add(v->results, v->slots * sizeof(*v->results));
	add(v->departures, v->slots * sizeof(*v->departures));
	add(v->sessions, v->n_sessions * sizeof(*v->sessions));
	add(v->origins, v->origins ? v->slots * sizeof(*v->origins) : 0);
	add(v->payload, v->slots * (size_t)v->stride_bytes);
	add(v->ports, v->ports ? sizeof(*v->ports) : 0);
}

static void list_ingress_journal(struct ingress_journal *j)
{
	add(j, offsetof(struct ingress_journal, msgs));
	add(j->control, sizeof(j->control));
	add(j->names, sizeof(j->names));
	for (uint32_t i = 0; i < BATCH; i += 8)
		add(&j->msgs[i].msg_len, sizeof(j->msgs[i].msg_len));
}

static void list_parts(void)
{
	struct shared *s = seg.shared;

	add(&s->header, sizeof(s->header));
	add(s->stages, sizeof(s->stages));
	list_ingress_journal(&s->ingress_journal);
	list_ingress_journal(&s->ingress_journal_aside);
	add(&s->edf_journal, sizeof(s->edf_journal));
	add(&s->egress_journal, offsetof(struct egress_journal, msgs));
	add(s->egress_journal.control, sizeof(s->egress_journal.control));
	for (uint32_t i = 0; i < BATCH; i += 8)
		add(&s->egress_journal.msgs[i].msg_len, sizeof(s->egress_journal.msgs[i].msg_len));
	for (uint32_t i = 0; i < seg.n_classes; i++)
		list_class(&seg.views[i]);
	if (seg.scratch)
		add(seg.scratch, sizeof(*seg.scratch));
}

/* One byte of a change, and what it was, to be put back later. */
static void store(uint8_t *at, uint8_t value)
{
	static uint32_t next;
	struct change *c = &kept[next++ % KEPT];

	if (c->at) { /* relaxed, here and below: others may do as they like */
		uint8_t is = c->is;

		atomic_compare_exchange_strong_explicit(c->at, &is, c->was, memory_order_relaxed, memory_order_relaxed);
	}
	c->at = (_Atomic uint8_t *)at;
	c->was = atomic_exchange_explicit(c->at, value, memory_order_relaxed);
	c->is = value;
}

/* The first one, the header, seldom: a stage that starts while that is changed stays down until a launch. */
static const struct part *pick_part(void)
{
	uint64_t i = random_next(&random_state) % (HEADER_SELDOM * n_parts);

	return &parts[i == 0 ? 0 : 1 + i % (n_parts - 1)];
}

/* A bit, or a word of 1 to 8 bytes: any, all ones, zero, or a small one. */
static void mutate(void)
{
	const struct part *p = pick_part();
	size_t at = random_next(&random_state) % p->bytes, wide = 1ULL << random_next(&random_state) % 4;
	uint64_t word = random_next(&random_state);

	changed++;
	switch (word % N_KINDS) {
	case 0:
		store(p->at + at, (uint8_t)(p->at[at] ^ 1u << word / N_KINDS % 8));
		return;
	case 1:
		word = UINT64_MAX;
		break;
	case 2:
		word = 0;
		break;
	case 3:
		word = word / N_KINDS % 100000;
		break;
	default:
		word /= N_KINDS;
	}
	at -= at % wide;
	for (size_t i = 0; i < wide && at + i < p->bytes; i++)
		store(p->at + at + i, (uint8_t)(word >> 8 * i));
}

static void put_all_back(void)
{
	for (size_t i = 0; i < KEPT; i++)
		if (kept[i].at) {
			uint8_t is = kept[i].is;

			atomic_compare_exchange_strong_explicit(kept[i].at, &is, kept[i].was, memory_order_relaxed,
								memory_order_relaxed);
			kept[i].at = NULL;
		}
}

static void open_sockets(void)
{
	for (uint32_t i = 0; i < config.n_classes; i++) {
		const struct class_config *c = &config.classes[i];

		source_fd[i] = sink_fd[i] = -1;
		if (c->n_listen == 0)
			continue;
		source_fd[i] = socket(c->listen[0].at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		sink_fd[i] = socket(c->dests[0].at.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (connect(source_fd[i], (const struct sockaddr *)&c->listen[0].at, c->listen[0].len) < 0 ||
		    bind(sink_fd[i], (const struct sockaddr *)&c->dests[0].at, c->dests[0].len) < 0) {
			log_error("sockets of class %s: %s", c->name, strerror(errno));
			exit(1);
		}
	}
}

/* Its class and number, again and again: no letter that the plugin `upper` would change. */
static void fill(char payload[BYTES + 1], uint32_t class, uint64_t number)
{
	for (size_t at = 0; at < BYTES; at += WORD_BYTES)
		snprintf(payload + at, WORD_BYTES + 1, "%02X%018llX", class & 0xff, (unsigned long long)number);
}

/* Whose datagram it is, its payload says; a header may be in front. */
static void take(uint32_t class, const char *payload, size_t bytes)
{
	char whole[BYTES + 1], word[WORD_BYTES + 1] = "";
	unsigned long long number = 0;
	unsigned int of = 0;

	if (bytes >= BYTES)
		memcpy(word, payload + bytes - WORD_BYTES, WORD_BYTES);
	sscanf(word, "%2X%18llX", &of, &number);
	fill(whole, of, number);
	if (bytes < BYTES || memcmp(payload + bytes - BYTES, whole, BYTES) != 0)
		spoilt++;
	else if (of != class)
		misplaced++;
	else
		came[class]++;
}

static uint64_t exchange(void)
{
	char payload[4096];
	uint64_t n = 0;

	for (uint32_t i = 0; i < config.n_classes; i++) {
		struct sockaddr_in6 from;
		socklen_t len = sizeof(from);
		ssize_t got;

		if (source_fd[i] < 0)
			continue;
		fill(payload, i, sent[i]);
		sent[i] += send(source_fd[i], payload, BYTES, MSG_DONTWAIT) == BYTES;
		while ((got = recvfrom(sink_fd[i], payload, sizeof(payload), MSG_DONTWAIT, (struct sockaddr *)&from,
				       &len)) >= 0) {
			take(i, payload, (size_t)got);
			/* an answer, where anybody asked for it */
			sendto(sink_fd[i], payload, BYTES, MSG_DONTWAIT, (const struct sockaddr *)&from, len);
			n++;
		}
		while (recv(source_fd[i], payload, sizeof(payload), MSG_DONTWAIT) >= 0)
			continue;
	}
	return n;
}

static void rest(uint64_t ns)
{
	struct timespec t = { .tv_nsec = (long)ns };

	nanosleep(&t, NULL);
}

static int run(uint64_t mutations)
{
	uint64_t moved_at_ns = now_ns();

	while (changed < mutations) {
		uint64_t now = now_ns();

		if (exchange())
			moved_at_ns = now;
		if (now > moved_at_ns + STUCK_NS)
			return 3;
		if (now > moved_at_ns + PAUSE_NS)
			put_all_back();
		for (int i = 0; i < ROUND_MUTATIONS && now <= moved_at_ns + PAUSE_NS; i++)
			mutate();
		rest(ROUND_NS);
	}
	return 0;
}

int main(int argc, char **argv)
{
	char why[CONFIG_WHY_BYTES];
	uint64_t all_sent = 0, all_came = 0;
	int status;

	log_set_name("scramble");
	if (argc != 5 || strcmp(argv[1], "-c") != 0) {
		fputs("usage: scramble -c CONFIG MUTATIONS SEED\n", stderr);
		return 2;
	}
	if (config_load(&config, argv[2], 0, NULL, why, sizeof(why)) || segment_attach(&seg, &config, why)) {
		log_error("%s", why);
		return 1;
	}
	random_state = (strtoull(argv[4], NULL, 10) + 1) * 0x9e3779b97f4a7c15ULL;
	list_parts();
	open_sockets();
	status = run(strtoull(argv[3], NULL, 10));
	put_all_back();
	for (uint32_t i = 0; i < config.n_classes; i++) {
		all_sent += sent[i];
		all_came += came[i];
	}
	printf("%llu mutations, %llu datagrams sent, %llu came whole, %llu changed, %llu to another class\n",
	       (unsigned long long)changed, (unsigned long long)all_sent, (unsigned long long)all_came,
	       (unsigned long long)spoilt, (unsigned long long)misplaced);
	return misplaced ? 4 : status;
}
