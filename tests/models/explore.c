/* explore.c - every order of steps, and every store that a load may see. */
#include "explore.h"

#include <errno.h>
#include <linux/futex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>

#define MOST_WORDS 24
#define MOST_STORES 12 /* to a word, in one run */
#define MOST_CHOICES 4096
#define STACK_BYTES 65536

/* What a thread, or a store, has seen: of each word the latest store, by its number. */
struct view {
	uint8_t seen[MOST_WORDS];
};

struct store {
	uint64_t value;
	struct view view; /* handed on to whoever acquires it */
	int is_followed; /* a read-modify-write comes right behind it */
};

struct word {
	volatile uint8_t *at;
	int is_shared; /* several threads store to it */
	uint32_t n;
	struct store stores[MOST_STORES];
	uint8_t order[MOST_STORES]; /* their numbers, in the order that all threads agree on */
};

struct thread {
	ucontext_t context; /* where it begins */
	jmp_buf at; /* where it goes on */
	uint8_t *stack;
	int has_begun;
	struct view now, acquirable, released;
	int is_over;
	int sleeps; /* 1 + the word whose bell it waits for */
};

static struct {
	const struct scenario *scenario;
	uint32_t left_out;
	jmp_buf scheduler;
	struct word words[MOST_WORDS];
	uint32_t n_words;
	struct thread threads[MOST_THREADS];
	struct view agreed; /* what full fences have seen so far */
	int running; /* a thread's number; -1: none, so that operations are as ever */
	int is_wrong;
	/* This run's choices, and how many there were at each. */
	uint16_t chosen[MOST_CHOICES], of[MOST_CHOICES];
	uint32_t n_chosen, at_choice;
} x = { .running = -1 };

/* One of n: the same as in the run before up to where that differs, then the first. */
static uint32_t choose(uint32_t n)
{
	uint32_t at = x.at_choice++;

	if (n <= 1 || x.is_wrong) {
		x.at_choice--;
		return 0;
	}
	if (at == MOST_CHOICES)
		abort();
	if (at == x.n_chosen) {
		x.chosen[at] = 0;
		x.n_chosen++;
	}
	x.of[at] = (uint16_t)n;
	return x.chosen[at];
}

/* The next run. 0: there is none. */
static int advance(void)
{
	while (x.n_chosen > 0 && x.chosen[x.n_chosen - 1] + 1 == x.of[x.n_chosen - 1])
		x.n_chosen--;
	if (x.n_chosen == 0)
		return 0;
	x.chosen[x.n_chosen - 1]++;
	return 1;
}

static uint32_t place_of(const struct word *w, uint32_t number)
{
	uint32_t i = 0;

	while (w->order[i] != number)
		i++;
	return i;
}

static void join(struct view *a, const struct view *b)
{
	for (uint32_t i = 0; i < x.n_words; i++)
		if (place_of(&x.words[i], b->seen[i]) > place_of(&x.words[i], a->seen[i]))
			a->seen[i] = b->seen[i];
}

static struct word *word_at(const volatile void *at)
{
	for (uint32_t i = 0; x.running >= 0 && i < x.n_words; i++)
		if (x.words[i].at == at)
			return &x.words[i];
	return NULL;
}

static struct thread *me(void)
{
	return &x.threads[x.running];
}

/* Before each step others may take theirs. */
static void step(void)
{
	if (!_setjmp(me()->at))
		_longjmp(x.scheduler, 1);
}

static int is_acquire(memory_order order)
{
	return !(x.left_out & LEAVE_ACQUIRE) &&
	       (order == memory_order_acquire || order == memory_order_acq_rel || order == memory_order_seq_cst);
}

static int is_release(memory_order order)
{
	return !(x.left_out & LEAVE_RELEASE) &&
	       (order == memory_order_release || order == memory_order_acq_rel || order == memory_order_seq_cst);
}

/* Any store that is not before what the thread has seen of the word; for_change: that nothing has changed yet. */
static uint32_t pick(const struct word *w, int for_change)
{
	uint32_t from = place_of(w, me()->now.seen[w - x.words]), n = 0;
	uint8_t may[MOST_STORES] = { 0 };

	for (uint32_t i = from; i < w->n; i++)
		if (!for_change || !w->stores[w->order[i]].is_followed)
			may[n++] = w->order[i];
	return may[choose(n)];
}

static uint64_t see(struct word *w, uint32_t number, memory_order order)
{
	struct thread *t = me();

	t->now.seen[w - x.words] = (uint8_t)number;
	join(&t->acquirable, &w->stores[number].view);
	if (is_acquire(order))
		join(&t->now, &w->stores[number].view);
	return w->stores[number].value;
}

/* A store at that place of the word's order. */
static struct store *put(struct word *w, uint32_t place, uint64_t value, memory_order order)
{
	uint32_t number = w->n;
	struct store *s = &w->stores[number];

	if (w->n == MOST_STORES)
		abort();
	memmove(w->order + place + 1, w->order + place, w->n - place);
	w->order[place] = (uint8_t)number;
	w->n++;
	me()->now.seen[w - x.words] = (uint8_t)number;
	*s = (struct store){ .value = value, .view = is_release(order) ? me()->now : me()->released };
	s->view.seen[w - x.words] = (uint8_t)number;
	return s;
}

uint64_t weak_load(const volatile void *at, size_t bytes, memory_order order)
{
	struct word *w = word_at(at);
	uint64_t value = 0;

	if (!w) {
		memcpy(&value, (const void *)(uintptr_t)at, bytes);
		return value;
	}
	step();
	return see(w, pick(w, 0), order);
}

/* Another thread's store may be in the same place, but not between a change and what it has changed. */
void weak_store(volatile void *at, size_t bytes, uint64_t value, memory_order order)
{
	struct word *w = word_at(at);
	uint32_t places[MOST_STORES + 1], n = 0;

	if (!w) {
		memcpy((void *)(uintptr_t)at, &value, bytes);
		return;
	}
	if (w->is_shared)
		step();
	for (uint32_t i = place_of(w, me()->now.seen[w - x.words]); i < w->n; i++)
		if (!w->stores[w->order[i]].is_followed)
			places[n++] = i + 1;
	put(w, places[choose(n)], value, order);
}

uint64_t weak_exchange(volatile void *at, size_t bytes, uint64_t value, memory_order order)
{
	struct word *w = word_at(at);
	uint64_t was = 0;
	uint32_t number;
	struct store *s;

	if (!w) {
		memcpy(&was, (const void *)(uintptr_t)at, bytes);
		memcpy((void *)(uintptr_t)at, &value, bytes);
		return was;
	}
	step();
	number = pick(w, 1);
	was = see(w, number, order);
	w->stores[number].is_followed = 1;
	s = put(w, place_of(w, number) + 1, value, order);
	join(&s->view, &w->stores[number].view); /* it goes on with what it has changed */
	return was;
}

/* Of words that one thread uses. */
uint64_t weak_add(volatile void *at, size_t bytes, uint64_t more)
{
	uint64_t was = 0, sum;

	memcpy(&was, (const void *)(uintptr_t)at, bytes);
	sum = was + more;
	memcpy((void *)(uintptr_t)at, &sum, bytes);
	return was;
}

static void fence_fully(void)
{
	struct thread *t = me();

	join(&t->now, &t->acquirable);
	join(&t->now, &x.agreed);
	x.agreed = t->released = t->now;
}

void weak_fence(memory_order order)
{
	if (x.running < 0)
		return;
	if (order == memory_order_seq_cst) {
		if (x.left_out & LEAVE_FULL_FENCE)
			return;
		step();
		fence_fully();
		return;
	}
	if (order == memory_order_acquire && !(x.left_out & LEAVE_ACQUIRE_FENCE))
		join(&me()->now, &me()->acquirable);
	if (order == memory_order_release && !(x.left_out & LEAVE_RELEASE_FENCE))
		me()->released = me()->now;
}

long __wrap_syscall(long number, ...);

/* futex(2): under the kernel's lock, which orders memory. There is no time-out: who is not woken sleeps for ever. */
long __wrap_syscall(long number, ...)
{
	va_list args;
	volatile void *at;
	int operation;
	uint64_t wanted;
	struct word *w;

	va_start(args, number);
	at = va_arg(args, void *);
	operation = va_arg(args, int);
	wanted = va_arg(args, unsigned int);
	va_end(args);
	w = word_at(at);
	if (number != SYS_futex || !w)
		abort();
	step();
	fence_fully();
	if (operation == FUTEX_WAKE) {
		for (uint32_t i = 0; i < x.scenario->n_threads; i++)
			if (x.threads[i].sleeps == 1 + (int)(w - x.words))
				x.threads[i].sleeps = 0;
		return 0;
	}
	if (see(w, pick(w, 0), memory_order_relaxed) != wanted) {
		errno = EAGAIN;
		return -1;
	}
	me()->sleeps = 1 + (int)(w - x.words);
	step();
	return 0;
}

void explore_watch(volatile void *at, int is_shared)
{
	struct word *w = &x.words[x.n_words++];

	if (x.n_words > MOST_WORDS)
		abort();
	/* its first store: 0, which all have seen */
	*w = (struct word){ .at = at, .is_shared = is_shared, .n = 1 };
}

void explore_must(int claim)
{
	x.is_wrong |= !claim;
}

static void run_thread(int number)
{
	x.scenario->threads[number]();
	x.threads[number].is_over = 1;
	_longjmp(x.scheduler, 1);
}

static void start(int number)
{
	struct thread *t = &x.threads[number];
	uint8_t *stack = t->stack ? t->stack : malloc(STACK_BYTES);

	if (!stack)
		abort();
	memset(t, 0, sizeof(*t));
	t->stack = stack;
	getcontext(&t->context); /* cppcheck-suppress getcontextCalled ; threads would take their own turns */
	t->context.uc_stack.ss_sp = stack;
	t->context.uc_stack.ss_size = STACK_BYTES;
	makecontext(&t->context, (void (*)(void))run_thread, 1, number);
}

/* Its next step; the scheduler goes on when it asks for the one after. */
static void go_on(struct thread *t)
{
	if (_setjmp(x.scheduler))
		return;
	if (t->has_begun)
		_longjmp(t->at, 1);
	t->has_begun = 1;
	setcontext(&t->context);
}

/* One run. What sleeps in the end was not woken, and that is wrong. */
static void run(void)
{
	const struct scenario *s = x.scenario;

	x.n_words = x.at_choice = 0;
	x.agreed = (struct view){ { 0 } };
	s->begin();
	for (uint32_t i = 0; i < s->n_threads; i++)
		start((int)i);
	while (!x.is_wrong) {
		int ready[MOST_THREADS], sleeping = 0;
		uint32_t n = 0;

		for (uint32_t i = 0; i < s->n_threads; i++) {
			if (!x.threads[i].is_over && !x.threads[i].sleeps)
				ready[n++] = (int)i;
			sleeping |= !x.threads[i].is_over && x.threads[i].sleeps;
		}
		if (n == 0) {
			x.is_wrong = sleeping;
			break;
		}
		x.running = ready[choose(n)];
		go_on(me());
		x.running = -1;
	}
	if (!x.is_wrong)
		s->end();
}

uint64_t explore(const struct scenario *s, uint32_t left_out, int *is_wrong)
{
	uint64_t runs = 0;

	x.scenario = s;
	x.left_out = left_out;
	x.n_chosen = 0;
	x.is_wrong = 0;
	do {
		run();
		runs++;
	} while (!x.is_wrong && advance());
	*is_wrong = x.is_wrong;
	return runs;
}
