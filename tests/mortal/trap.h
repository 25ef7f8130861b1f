/*
 * trap.h - one mapping of the segment for all stages of a process, whose stores can be counted; and one is the last.
 *
 * Memory:  mmap() is wrapped at link time (-Wl,--wrap=mmap,--wrap=munmap): all stages get the first mapping of the
 *          segment.
 * Rules:   while the trap is armed the segment is read-only: each store faults, is counted, and is let through alone
 *          (single step); the one whose turn it is does not happen: trap.death is where the stage ends. System calls
 *          write as a whole: whoever stands for the kernel calls trap_begin_call() and trap_end_call(). x86-64 and
 *          AArch64 only.
 */
#ifndef ONTIME_CRASH_TRAP_H
#define ONTIME_CRASH_TRAP_H

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__) || defined(__aarch64__)
#define TRAP_WORKS 1
#else
#define TRAP_WORKS 0 /* nobody has written down how to let one store through */
#endif

struct trap {
	uint8_t *at; /* the one mapping */
	size_t bytes;
	int is_private; /* 1: a fork has a segment of its own */
	int armed;
	uint32_t stores, die_at,
		called_at; /* stores so far; which one is the last; how many came before the last call */
	sigjmp_buf death;
	int (*on_store)(uintptr_t code_at); /* told of each store; not 0: it is the last one */
};

extern struct trap trap; /* a signal handler gets no argument */

/* trap_set_up - once per process. */
void trap_set_up(void);

/* trap_arm - count stores from 1 on, and die before the die_at-th. */
void trap_arm(uint32_t die_at);
void trap_disarm(void);

void trap_begin_call(void);
void trap_end_call(void);

#endif
