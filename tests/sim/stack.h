/*
 * stack.h - a stack of its own for each stage: to let a stage go on there, and to come back to the scheduler.
 *
 * Memory:  a stack is made once and used by every life of its stage. What a dead one had on it is forgotten.
 * Rules:   one stage runs at a time. Only the scheduler enters a stack, and only what runs on a stack leaves it.
 */
#ifndef ONTIME_SIM_STACK_H
#define ONTIME_SIM_STACK_H

#include <setjmp.h>
#include <stdint.h>
#include <ucontext.h>

struct stack {
	uint8_t *bytes;
	int is_fresh; /* nothing has run on it in this life */
	jmp_buf context;
	ucontext_t first;
	void *shadow; /* of the address sanitizer, which wants to know of each change of stacks */
};

enum stack_exit { STACK_LEFT, STACK_DIED_AT_STORE };

/* stack_begin - the next stack_enter() calls run() there, which never returns. Memory is taken at the first time. */
void stack_begin(struct stack *s, void (*run)(void));

/* stack_enter - go on there until stack_leave() or stack_end(), or until the trap ends the stage before a store. */
enum stack_exit stack_enter(struct stack *s);

/* stack_leave - back to the scheduler; returns when it enters the stack again. errno stays. */
void stack_leave(struct stack *s);

/* stack_end - back to the scheduler, for good. */
_Noreturn void stack_end(void);

#endif
