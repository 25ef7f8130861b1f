/* bell.c - futex doorbell; the only place that names futex(2). */
#include "bell.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "layout.h"

void bell_announce(_Atomic uint32_t *parked, uint32_t how)
{
	atomic_store_explicit(parked, how, memory_order_relaxed); /* relaxed: the fence orders it */
	/* ORDER bell: full fence; pairs with the full fence in bell_take(). Announce, then look at the counts. */
	atomic_thread_fence(memory_order_seq_cst);
}

int bell_sleep(_Atomic uint32_t *parked, uint32_t how, uint64_t timeout_ns)
{
	struct timespec t = { .tv_sec = (time_t)(timeout_ns / NS_PER_S), .tv_nsec = (long)(timeout_ns % NS_PER_S) };

	if (syscall(SYS_futex, parked, FUTEX_WAIT, how, &t, NULL, 0) == 0 || errno == ETIMEDOUT)
		return 0;
	/*
	 * Rung before it slept, or by a signal's handler: then the word says so too. relaxed: that is all that is asked
	 */
	if ((errno == EAGAIN || errno == EINTR) && atomic_load_explicit(parked, memory_order_relaxed) != how)
		return 0;
	return -errno;
}

void bell_awake(_Atomic uint32_t *parked)
{
	atomic_store_explicit(parked, AWAKE, memory_order_relaxed); /* relaxed: a late wake is harmless */
}

int bell_take(_Atomic uint32_t *parked, uint32_t how)
{
	/* ORDER bell: full fence; pairs with the full fence in bell_announce(). Publish, then look who sleeps. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(parked, memory_order_relaxed) < how) /* relaxed: behind the fence */
		return 0;
	return atomic_exchange_explicit(parked, AWAKE, memory_order_relaxed) != AWAKE;
}

int bell_ring(_Atomic uint32_t *parked, uint32_t how)
{
	if (!bell_take(parked, how))
		return 0;
	syscall(SYS_futex, parked, FUTEX_WAKE, 1, NULL, NULL, 0);
	return 1;
}

void bell_ring_hard(_Atomic uint32_t *parked)
{
	atomic_store_explicit(parked, AWAKE, memory_order_relaxed); /* relaxed: the system call follows */
	syscall(SYS_futex, parked, FUTEX_WAKE, 1, NULL, NULL, 0);
}
