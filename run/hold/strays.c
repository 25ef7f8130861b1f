/* strays.c - a second socket for what is no answer. */
#include "strays.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "config/address.h"
#include "stage/answers.h"

#define AN_ANSWER 0 /* places in the group, in the order of bind(2) */
#define A_STRAY 1
#define NET ((uint32_t)SKF_NET_OFF)
#define IP6_HEADER_BYTES 40

struct writer {
	struct sock_filter *program;
	uint32_t n;
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
	uint32_t next = w->n + 5;
	struct sockaddr_in at;

	memcpy(&at, &a->at, sizeof(at));
	put(w, BPF_LD | BPF_W | BPF_ABS, NET + 12);
	need(w, ntohl(at.sin_addr.s_addr), next);
	put(w, BPF_LD | BPF_H | BPF_IND, NET); /* X: bytes of the IP header */
	need(w, ntohs(at.sin_port), next);
	put(w, BPF_RET | BPF_K, AN_ANSWER);
}

static void compile_v6(struct writer *w, const struct address *a)
{
	uint32_t next = w->n + 11, word;
	struct sockaddr_in6 at;

	static_assert(STRAYS_MOST_STEPS >= MAX_DESTS * 11 + 4, "all destinations fit");
	memcpy(&at, &a->at, sizeof(at));
	for (uint32_t i = 0; i < 4; i++) {
		memcpy(&word, &at.sin6_addr.s6_addr[4 * i], sizeof(word));
		put(w, BPF_LD | BPF_W | BPF_ABS, NET + 8 + 4 * i);
		need(w, ntohl(word), next);
	}
	put(w, BPF_LD | BPF_H | BPF_ABS, NET + IP6_HEADER_BYTES);
	need(w, ntohs(at.sin6_port), next);
	put(w, BPF_RET | BPF_K, AN_ANSWER);
}

/* With extension headers a port is not where it is looked for: that is left to ingress, which asks again anyway. */
static void begin_v6(struct writer *w)
{
	put(w, BPF_LD | BPF_B | BPF_ABS, NET + 6);
	put(w, BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP);
	w->program[w->n - 1].jt = 1;
	put(w, BPF_RET | BPF_K, AN_ANSWER);
}

uint32_t strays_compile(const struct class_config *c, struct sock_filter *program)
{
	struct writer w = { .program = program };

	if (c->via.is_v6)
		begin_v6(&w);
	else
		put(&w, BPF_LDX | BPF_B | BPF_MSH, NET);
	for (uint32_t i = 0; i < c->n_dests; i++)
		c->via.is_v6 ? compile_v6(&w, &c->dests[i]) : compile_v4(&w, &c->dests[i]);
	put(&w, BPF_RET | BPF_K, A_STRAY);
	return w.n;
}

static int set(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

int strays_bind(int second, int fd, const struct class_config *c)
{
	struct sock_filter steps[STRAYS_MOST_STEPS];
	struct sock_fprog program = { .filter = steps, .len = (unsigned short)strays_compile(c, steps) };
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	int err = answers_refuse(second);

	if (!err)
		err = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err)
		err = set(second, SOL_SOCKET, SO_REUSEPORT, 1);
	if (!err && c->via.is_v6)
		err = set(second, SOL_IPV6, IPV6_V6ONLY, 1);
	if (!err &&
	    (getsockname(fd, (struct sockaddr *)&at, &len) < 0 || bind(second, (struct sockaddr *)&at, len) < 0))
		err = -errno;
	/* the kernel makes the group in bind(2); until then nothing is an answer, since nothing was sent */
	if (!err && setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) < 0)
		err = -errno;
	return err;
}
