/* bucket.c - which bucket a sender belongs to. */
#include "bucket.h"

#define SPREAD_BITS 16 /* the upper half of a product depends on all bits of what was multiplied */

static uint32_t mask_of(uint32_t bits, uint32_t word)
{
	uint32_t left = bits > 32 * word ? bits - 32 * word : 0;

	return left >= 32 ? UINT32_MAX : ~(UINT32_MAX >> left);
}

uint32_t bucket_of(const struct bucket_rule *rule, bool is_v6, const uint8_t *address)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < (is_v6 ? 4u : 1u); i++, address += 4) {
		uint32_t word = (uint32_t)address[0] << 24 | (uint32_t)address[1] << 16 | (uint32_t)address[2] << 8 |
				address[3];

		sum = (sum ^ (word & mask_of(rule->bits, i))) * (rule->seed | 1);
	}
	return (sum >> SPREAD_BITS) % rule->n;
}

void bucket_program(struct program *p, const struct bucket_rule *rule, bool is_v6, uint32_t first)
{
	for (uint32_t i = 0; i < (is_v6 ? 4u : 1u); i++) {
		if (i > 0)
			program_put(p, BPF_MISC | BPF_TAX, 0);
		program_put(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + (is_v6 ? 8 : 12) + 4 * i);
		program_put(p, BPF_ALU | BPF_AND | BPF_K, mask_of(rule->bits, i));
		if (i > 0)
			program_put(p, BPF_ALU | BPF_XOR | BPF_X, 0);
		program_put(p, BPF_ALU | BPF_MUL | BPF_K, rule->seed | 1);
	}
	program_put(p, BPF_ALU | BPF_RSH | BPF_K, SPREAD_BITS);
	program_put(p, BPF_ALU | BPF_MOD | BPF_K, rule->n);
	program_put(p, BPF_ALU | BPF_ADD | BPF_K, first);
	program_put(p, BPF_RET | BPF_A, 0);
}
