/* bell.c - nobody sleeps on work: two threads that wake each other, with every length of spin between. */
#include <pthread.h>
#include <string.h>

#include "shm/bell.h"
#include "clock.h"
#include "shm/layout.h"
#include "suites.h"

#define N_ROUNDS 100000u
#define PARK_NS (2 * NS_PER_S) /* a lost wake shows as a sleep of this length */

/* Each player waits until the ball is its own, then passes it on. */
struct table {
	alignas(LINE) _Atomic uint32_t ball; /* rounds passed; odd: the second player's */
	alignas(LINE) _Atomic uint32_t parked[2];
	_Atomic uint32_t sleeps, lost_wakes;
};

struct player {
	struct table *table;
	uint32_t number;
};

static int has_ball(const struct table *t, uint32_t number)
{
	return atomic_load_explicit(&t->ball, memory_order_acquire) % 2 == number;
}

static void wait_for_ball(struct table *t, uint32_t number, uint32_t spins)
{
	while (!has_ball(t, number)) {
		if (spins > 0) {
			spins--;
			continue;
		}
		bell_announce(&t->parked[number], PARKED);
		if (!has_ball(t, number)) {
			uint64_t began_ns = now_ns();

			atomic_fetch_add_explicit(&t->sleeps, 1, memory_order_relaxed);
			bell_sleep(&t->parked[number], PARKED, PARK_NS);
			if (now_ns() - began_ns >= PARK_NS)
				atomic_fetch_add_explicit(&t->lost_wakes, 1, memory_order_relaxed);
		}
		bell_awake(&t->parked[number]);
	}
}

static void *play(void *arg)
{
	struct player *p = arg;

	for (uint32_t i = 0; i < N_ROUNDS; i++) {
		wait_for_ball(p->table, p->number, i % 257);
		/* relaxed load: only the owner of the ball writes it */
		atomic_store_explicit(&p->table->ball, atomic_load_explicit(&p->table->ball, memory_order_relaxed) + 1,
				      memory_order_release);
		bell_ring(&p->table->parked[!p->number], PARKED);
	}
	return NULL;
}

static void no_wake_is_lost_between_two_threads(void)
{
	static struct table table;
	struct player players[2] = { { &table, 0 }, { &table, 1 } };
	pthread_t thread;

	pthread_create(&thread, NULL, play, &players[1]);
	play(&players[0]);
	pthread_join(thread, NULL);
	CU_ASSERT_EQUAL(table.ball, 2 * N_ROUNDS);
	CU_ASSERT(table.sleeps > 0);
	CU_ASSERT_EQUAL(table.lost_wakes, 0);
}

static void only_one_of_several_ringers_owes_the_wake(void)
{
	_Atomic uint32_t parked = AWAKE;

	CU_ASSERT_EQUAL(bell_take(&parked, PARKED), 0);
	bell_announce(&parked, PARKED);
	CU_ASSERT_EQUAL(bell_take(&parked, PARKED), 1);
	CU_ASSERT_EQUAL(bell_take(&parked, PARKED), 0);
	CU_ASSERT_EQUAL(parked, AWAKE);
}

static void room_wakes_only_who_waits_for_room(void)
{
	_Atomic uint32_t parked = AWAKE;

	bell_announce(&parked, PARKED);
	CU_ASSERT_EQUAL(bell_ring(&parked, PARKED_FOR_SPACE), 0);
	CU_ASSERT_EQUAL(parked, PARKED);
	bell_announce(&parked, PARKED_FOR_SPACE);
	CU_ASSERT_EQUAL(bell_ring(&parked, PARKED_FOR_SPACE), 1);
	bell_announce(&parked, PARKED_FOR_SPACE);
	CU_ASSERT_EQUAL(bell_ring(&parked, PARKED), 1); /* input ends every sleep */
}

static void a_bell_rung_before_the_sleep_ends_it_at_once(void)
{
	_Atomic uint32_t parked = AWAKE;
	uint64_t began_ns = now_ns();

	bell_announce(&parked, PARKED);
	CU_ASSERT_EQUAL(bell_ring(&parked, PARKED), 1);
	bell_sleep(&parked, PARKED, PARK_NS);
	CU_ASSERT(now_ns() - began_ns < PARK_NS / 2);
}

static void a_sleep_nobody_ends_is_bounded(void)
{
	_Atomic uint32_t parked = AWAKE;
	uint64_t began_ns = now_ns();

	bell_announce(&parked, PARKED);
	bell_sleep(&parked, PARKED, 2 * NS_PER_MS);
	CU_ASSERT(now_ns() - began_ns >= 2 * NS_PER_MS);
	bell_awake(&parked);
	CU_ASSERT_EQUAL(parked, AWAKE);
}

SUITE(bell, TEST(no_wake_is_lost_between_two_threads), TEST(only_one_of_several_ringers_owes_the_wake),
      TEST(room_wakes_only_who_waits_for_room), TEST(a_bell_rung_before_the_sleep_ends_it_at_once),
      TEST(a_sleep_nobody_ends_is_bounded))
