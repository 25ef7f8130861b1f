/*
 * program.h - a program of the classic packet filter (cBPF) while it is written.
 *
 * Rules:   what does not fit is counted and not written: a writer whose n is past PROGRAM_MOST has no program.
 *          Jumps go forward only. A conditional one has 8 bits for its distance, JA has 32.
 * Source:  Linux, filter.rst; BPF_MAXINSNS.
 */
#ifndef ONTIME_CONFIG_PROGRAM_H
#define ONTIME_CONFIG_PROGRAM_H

#include <linux/filter.h>
#include <stdint.h>

#define PROGRAM_MOST 4096 /* instructions that the kernel takes */

struct program {
	struct sock_filter *steps; /* PROGRAM_MOST */
	uint32_t n;
};

/* program_put - one more; returns its place. */
static inline uint32_t program_put(struct program *p, uint32_t code, uint32_t k)
{
	if (p->n < PROGRAM_MOST)
		p->steps[p->n] = (struct sock_filter){ .code = (uint16_t)code, .k = k };
	return p->n++;
}

static inline void program_jump(struct program *p, uint32_t code, uint32_t k, uint32_t jt, uint32_t jf)
{
	uint32_t at = program_put(p, BPF_JMP | BPF_K | code, k);

	if (at < PROGRAM_MOST) {
		p->steps[at].jt = (uint8_t)jt;
		p->steps[at].jf = (uint8_t)jf;
	}
}

/*
 * A chain of jumps to a place that comes later: each JA has the place of the one before it + 1, 0 at the first, until
 * program_land() lets all of them lead to where the program is.
 */
static inline void program_leave(struct program *p, uint32_t *chain)
{
	uint32_t at = program_put(p, BPF_JMP | BPF_JA, *chain);

	*chain = at + 1;
}

static inline void program_land(struct program *p, uint32_t chain)
{
	while (chain && chain <= PROGRAM_MOST) {
		struct sock_filter *jump = &p->steps[chain - 1];
		uint32_t at = chain - 1;

		chain = jump->k;
		jump->k = p->n - at - 1;
	}
}

#endif
