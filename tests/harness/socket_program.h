/*
 * socket_program.h - a program of classic BPF for sockets, run as the kernel runs it on a datagram; as far as the
 * programs of ontime go.
 *
 * Rules:   an instruction that is not here, or a way beyond the end, is no verdict: the caller says so.
 * Source:  Linux, Documentation/networking/filter.rst.
 */
#ifndef ONTIME_TESTS_SOCKET_PROGRAM_H
#define ONTIME_TESTS_SOCKET_PROGRAM_H

#include <linux/filter.h>
#include <stdint.h>

/* Where that many bytes lie which the kernel would load for k; the caller's own check that they are there. */
typedef const uint8_t *(*socket_program_bytes)(const void *datagram, uint32_t k, uint32_t n_bytes);

/* socket_program_run - 0, and what it returns in *verdict; -1: it is none that can be run here. */
static inline int socket_program_run(const struct sock_filter *steps, uint32_t n, socket_program_bytes bytes,
				     const void *datagram, uint32_t len_bytes, uint32_t *verdict)
{
	uint32_t a = 0, x = 0, memory[BPF_MEMWORDS] = { 0 };

	for (uint32_t at = 0; at < n; at++) {
		const struct sock_filter *s = &steps[at];
		const uint8_t *from;

		switch (s->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			from = bytes(datagram, s->k, 4);
			a = (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
			break;
		case BPF_LD | BPF_H | BPF_ABS:
			from = bytes(datagram, s->k, 2);
			a = (uint32_t)from[0] << 8 | from[1];
			break;
		case BPF_LD | BPF_B | BPF_ABS:
			a = bytes(datagram, s->k, 1)[0];
			break;
		case BPF_LD | BPF_W | BPF_LEN:
			a = len_bytes;
			break;
		case BPF_LD | BPF_IMM:
			a = s->k;
			break;
		case BPF_LD | BPF_MEM:
			a = memory[s->k];
			break;
		case BPF_ST:
			memory[s->k] = a;
			break;
		case BPF_MISC | BPF_TAX:
			x = a;
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= s->k;
			break;
		case BPF_ALU | BPF_XOR | BPF_X:
			a ^= x;
			break;
		case BPF_ALU | BPF_ADD | BPF_K:
			a += s->k;
			break;
		case BPF_ALU | BPF_MUL | BPF_K:
			a *= s->k;
			break;
		case BPF_ALU | BPF_RSH | BPF_K:
			a >>= s->k;
			break;
		case BPF_ALU | BPF_MOD | BPF_K:
			a %= s->k;
			break;
		case BPF_JMP | BPF_JA:
			at += s->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += a == s->k ? s->jt : s->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			at += a > s->k ? s->jt : s->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			at += a >= s->k ? s->jt : s->jf;
			break;
		case BPF_RET | BPF_K:
			*verdict = s->k;
			return 0;
		case BPF_RET | BPF_A:
			*verdict = a;
			return 0;
		default:
			return -1;
		}
	}
	return -1;
}

#endif
