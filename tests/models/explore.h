/*
 * explore.h - the real functions of a few threads, run again and again until each order of their steps, and each store
 * that each load may see, has been had once.
 *
 * Rules:   the memory is C's (without out-of-thin-air): the stores to a word are in an order; a thread that has seen
 *          one sees none before it; release and acquire, fences and read-modify-writes hand on what a thread has seen.
 *          So a load may see an old value whenever nothing forbids it, and two stores may come in another order for
 *          another thread, as on AArch64 and weaker. Only words that are watched are treated so: all others belong to
 *          one thread.
 *          What is plain in the code, such as a slot's bytes, is stood for by relaxed words.
 *          A store to a word of one writer comes as early as it can: whoever is to miss it sees an older one.
 * Source:  Lahav, Vafeiadis, Kang, Hur, Dreyer, "Repairing Sequential Consistency in C/C++11", 2017; Kang, Hur, Lahav,
 *          Vafeiadis, Dreyer, "A Promising Semantics for Relaxed-Memory Concurrency", 2017, without promises; futex(2).
 */
#ifndef ONTIME_TESTS_MODELS_EXPLORE_H
#define ONTIME_TESTS_MODELS_EXPLORE_H

#include <stdint.h>

#define MOST_THREADS 3

/* What is left out of all orders, to see that it is missed; a bit each. */
enum {
	LEAVE_RELEASE = 1, /* stores */
	LEAVE_ACQUIRE = 2, /* loads */
	LEAVE_RELEASE_FENCE = 4,
	LEAVE_ACQUIRE_FENCE = 8,
	LEAVE_FULL_FENCE = 16,
};

struct scenario {
	const char *name;
	uint32_t n_threads;
	void (*begin)(void); /* before each run: the words as they are at first, explore_watch() for each */
	void (*threads[MOST_THREADS])(void);
	void (*end)(void); /* after each run, which all threads have ended */
};

/* explore_watch - a word of 1 to 8 bytes that several threads use; is_shared: several store to it. */
void explore_watch(volatile void *at, int is_shared);

/* explore_must - what must hold. */
void explore_must(int claim);

/* explore - all runs. Returns how many there were until something did not hold, which *is_wrong says, or all. */
uint64_t explore(const struct scenario *s, uint32_t left_out, int *is_wrong);

#endif
