/* unexpected.c - a second socket for datagrams that are not from a destination. */
#include "unexpected.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "config/address.h"
#include "stage/answers.h"

#define FIRST_PLACE 0 /* in the group, in the order of bind(2) */
#define SECOND_PLACE 1
#define NET ((uint32_t)SKF_NET_OFF)
#define IP6_HEADER_BYTES 40
#define V4_STEPS 5 /* for one destination */
#define V6_STEPS 14
#define MOST_STEPS (MAX_DESTS * V6_STEPS + 2) /* of a program */

#ifndef IP_MULTICAST_ALL
#define IP_MULTICAST_ALL 49
#endif
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

struct writer {
	struct sock_filter *program;
	uint32_t n, answer;
};

static void put(struct writer *w, uint16_t code, uint32_t k)
{
	w->program[w->n++] = (struct sock_filter){ .code = code, .k = k };
}

/* Go on if that word is what was loaded, else leave for `next`. */
static void need(struct writer *w, uint32_t k, uint32_t next)
{
	put(w, BPF_JMP | BPF_JEQ | BPF_K, k);
	w->program[w->n - 1].jf = (uint8_t)(next - w->n);
}

static void compile_v4(struct writer *w, const struct address *a)
{
	uint32_t next = w->n + V4_STEPS;
	struct sockaddr_in at;

	memcpy(&at, &a->at, sizeof(at));
	put(w, BPF_LD | BPF_W | BPF_ABS, NET + 12);
	need(w, ntohl(at.sin_addr.s_addr), next);
	put(w, BPF_LD | BPF_H | BPF_IND, NET); /* X: bytes of the IP header */
	need(w, ntohs(at.sin_port), next);
	put(w, BPF_RET | BPF_K, w->answer);
}

/* Behind extension headers a port is not where it is looked for: ingress asks for it again anyway. */
static void compile_v6(struct writer *w, const struct address *a)
{
	uint32_t next = w->n + V6_STEPS, word;
	struct sockaddr_in6 at;

	memcpy(&at, &a->at, sizeof(at));
	for (uint32_t i = 0; i < 4; i++) {
		memcpy(&word, &at.sin6_addr.s6_addr[4 * i], sizeof(word));
		put(w, BPF_LD | BPF_W | BPF_ABS, NET + 8 + 4 * i);
		need(w, ntohl(word), next);
	}
	put(w, BPF_LD | BPF_B | BPF_ABS, NET + 6);
	put(w, BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP);
	w->program[w->n - 1].jt = 1;
	put(w, BPF_RET | BPF_K, w->answer);
	put(w, BPF_LD | BPF_H | BPF_ABS, NET + IP6_HEADER_BYTES);
	need(w, ntohs(at.sin6_port), next);
	put(w, BPF_RET | BPF_K, w->answer);
}

/* The program: `answer` for what a destination of that class has sent, else `other`; how long it is. */
static uint32_t compile(const struct class_config *c, uint32_t answer, uint32_t other, struct sock_filter *program)
{
	struct writer w = { .program = program, .answer = answer };

	if (!c->via.is_v6)
		put(&w, BPF_LDX | BPF_B | BPF_MSH, NET);
	for (uint32_t i = 0; i < c->n_dests; i++)
		c->via.is_v6 ? compile_v6(&w, &c->dests[i]) : compile_v4(&w, &c->dests[i]);
	put(&w, BPF_RET | BPF_K, other);
	return w.n;
}

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* How: SO_ATTACH_FILTER or SO_ATTACH_REUSEPORT_CBPF. */
static int attach(int fd, int how, const struct class_config *c, uint32_t answer, uint32_t other)
{
	struct sock_filter steps[MOST_STEPS];
	struct sock_fprog program = { .filter = steps };

	program.len = (unsigned short)compile(c, answer, other, steps);
	return setsockopt(fd, SOL_SOCKET, how, &program, sizeof(program)) < 0 ? -errno : 0;
}

static int share_port(int second, int fd, const struct class_config *c)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	int err = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);

	if (!err)
		err = set(second, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err && c->via.is_v6)
		err = set(second, SOL_IPV6, IPV6_V6ONLY, 1);
	if (!err &&
	    (getsockname(fd, (struct sockaddr *)&at, &len) < 0 || bind(second, (struct sockaddr *)&at, len) < 0))
		err = -errno;
	/* the kernel makes the group in bind(2); until then nothing is an answer, since nothing was sent */
	return err ? err : attach(fd, SO_ATTACH_REUSEPORT_CBPF, c, FIRST_PLACE, SECOND_PLACE);
}

int unexpected_bind(int second, int fd, const struct class_config *c)
{
	int level = c->via.is_v6 ? SOL_IPV6 : SOL_IP, all = c->via.is_v6 ? IPV6_MULTICAST_ALL : IP_MULTICAST_ALL, err;

	set(fd, level, all, 0); /* what others here have joined is not for us */
	set(second, level, all, 0);
	err = attach(fd, SO_ATTACH_FILTER, c, UINT32_MAX, 0);
	if (!err)
		err = answers_refuse(second);
	if (!err)
		err = share_port(second, fd, c);
	if (err)
		set(fd, SOL_SOCKET, SO_REUSEPORT, 0);
	return err;
}
