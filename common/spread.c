/* spread.c - which shard a sender belongs to. */
#include "spread.h"

#include <string.h>
#include <sys/socket.h>

/* Odd numbers with half of their bits set, so that each bit of a sender moves about half of those of the product. */
#define BY_PORT 0x9e3779b1u
#define BY_WORD 0x85ebca6bu
#define BY_ALL 0xc2b2ae35u

static uint32_t finish(uint32_t sum, uint32_t n)
{
	sum ^= sum >> 15;
	return (sum * BY_ALL >> 16) % n;
}

uint32_t spread_shard(const struct sockaddr *sender, uint32_t n)
{
	const struct sockaddr_in *v4 = (const void *)sender;
	const struct sockaddr_in6 *v6 = (const void *)sender;
	uint32_t word[4], sum;

	if (sender->sa_family == AF_INET)
		return finish((ntohs(v4->sin_port) * BY_PORT ^ ntohl(v4->sin_addr.s_addr)) * BY_WORD, n);
	memcpy(word, &v6->sin6_addr, sizeof(word));
	sum = ntohs(v6->sin6_port) * BY_PORT;
	for (int i = 0; i < 4; i++)
		sum = (sum ^ ntohl(word[i])) * BY_WORD;
	return finish(sum, n);
}

struct writer {
	struct sock_filter *steps;
	uint32_t n;
};

static void put(struct writer *w, uint16_t code, uint32_t k)
{
	w->steps[w->n++] = (struct sock_filter){ .code = code, .k = k };
}

static void put_port(struct writer *w, int family)
{
	if (family == AF_INET) {
		put(w, BPF_LDX | BPF_B | BPF_MSH, (uint32_t)SKF_NET_OFF); /* options may come before UDP */
		put(w, BPF_LD | BPF_H | BPF_IND, (uint32_t)SKF_NET_OFF);
		return;
	}
	put(w, BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_NET_OFF + 6);
	w->steps[w->n++] = (struct sock_filter){ BPF_JMP | BPF_JEQ | BPF_K, 0, 2, IPPROTO_UDP };
	put(w, BPF_LD | BPF_H | BPF_ABS, (uint32_t)SKF_NET_OFF + 40);
	put(w, BPF_JMP | BPF_JA, 1);
	put(w, BPF_LD | BPF_IMM, 0);
}

/* The sum so far is in A. */
static void put_word(struct writer *w, uint32_t at)
{
	put(w, BPF_MISC | BPF_TAX, 0);
	put(w, BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + at);
	put(w, BPF_ALU | BPF_XOR | BPF_X, 0);
	put(w, BPF_ALU | BPF_MUL | BPF_K, BY_WORD);
}

uint32_t spread_program(int family, uint32_t n, struct sock_filter steps[SPREAD_MOST_STEPS])
{
	struct writer w = { .steps = steps };

	put_port(&w, family);
	put(&w, BPF_ALU | BPF_MUL | BPF_K, BY_PORT);
	for (uint32_t i = 0; i < (family == AF_INET ? 1u : 4u); i++)
		put_word(&w, (family == AF_INET ? 12 : 8) + 4 * i);
	put(&w, BPF_MISC | BPF_TAX, 0);
	put(&w, BPF_ALU | BPF_RSH | BPF_K, 15);
	put(&w, BPF_ALU | BPF_XOR | BPF_X, 0);
	put(&w, BPF_ALU | BPF_MUL | BPF_K, BY_ALL);
	put(&w, BPF_ALU | BPF_RSH | BPF_K, 16);
	put(&w, BPF_ALU | BPF_MOD | BPF_K, n);
	put(&w, BPF_RET | BPF_A, 0);
	return w.n;
}
