/* stack.c - a stack of its own for each stage; see stack.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdlib.h>
#include <ucontext.h>

#include "log.h"
#include "mortal/trap.h"
#include "stack.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define LEAVE(save, stack, bytes) __sanitizer_start_switch_fiber(save, stack, bytes)
#define ARRIVE(saved, from, bytes) __sanitizer_finish_switch_fiber(saved, from, bytes)
#define UNPOISON(at, bytes) __asan_unpoison_memory_region(at, bytes)
#else
#define LEAVE(save, stack, bytes) ((void)(save), (void)(stack), (void)(bytes))
#define ARRIVE(saved, from, bytes) ((void)(saved), (void)(from), (void)(bytes))
#define UNPOISON(at, bytes) (void)(at)
#endif

#define STACK_BYTES (1u << 20)

static jmp_buf scheduler;
static const void *scheduler_stack;
static size_t scheduler_stack_bytes;
static void *scheduler_shadow;
static void (*run_first)(void);

/* The first frame of each stack. */
static void arrive_first(void)
{
	ARRIVE(NULL, &scheduler_stack, &scheduler_stack_bytes);
	run_first();
}

void stack_begin(struct stack *s, void (*run)(void))
{
	if (!s->bytes)
		s->bytes = malloc(STACK_BYTES);
	if (!s->bytes) {
		log_error("no memory for the stack of a stage");
		exit(1);
	}
	run_first = run;
	UNPOISON(s->bytes, STACK_BYTES); /* nobody returned from what the dead one had called */
	/* cppcheck-suppress getcontextCalled ; threads would not run by the simulated clock */
	getcontext(&s->first);
	s->first.uc_stack.ss_sp = s->bytes;
	s->first.uc_stack.ss_size = STACK_BYTES;
	s->first.uc_link = NULL;
	/* cppcheck-suppress makecontextCalled */
	makecontext(&s->first, arrive_first, 0);
	s->is_fresh = 1;
}

enum stack_exit stack_enter(struct stack *s)
{
	if (sigsetjmp(trap.death, 0)) {
		LEAVE(NULL, scheduler_stack, scheduler_stack_bytes);
		ARRIVE(scheduler_shadow, NULL, NULL);
		return STACK_DIED_AT_STORE;
	}
	if (_setjmp(scheduler)) {
		ARRIVE(scheduler_shadow, NULL, NULL);
		return STACK_LEFT;
	}
	LEAVE(&scheduler_shadow, s->bytes, STACK_BYTES);
	if (!s->is_fresh)
		_longjmp(s->context, 1);
	s->is_fresh = 0;
	setcontext(&s->first);
	abort(); /* the context of a stack that begins is always one */
}

void stack_leave(struct stack *s)
{
	int err = errno;

	if (_setjmp(s->context) == 0) {
		LEAVE(&s->shadow, scheduler_stack, scheduler_stack_bytes);
		_longjmp(scheduler, 1);
	}
	ARRIVE(s->shadow, &scheduler_stack, &scheduler_stack_bytes);
	errno = err;
}

void stack_end(void)
{
	LEAVE(NULL, scheduler_stack, scheduler_stack_bytes);
	_longjmp(scheduler, 1);
}
