/*
 * atomics.h - in place of the compiler's atomic operations: each becomes a step that explore.c orders, and may let see
 * any store that C's memory model allows. Included before all else (-include) in a build of its own (build/weak).
 */
#ifndef ONTIME_TESTS_MODELS_ATOMICS_H
#define ONTIME_TESTS_MODELS_ATOMICS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

uint64_t weak_load(const volatile void *at, size_t bytes, memory_order order);
void weak_store(volatile void *at, size_t bytes, uint64_t value, memory_order order);
uint64_t weak_exchange(volatile void *at, size_t bytes, uint64_t value, memory_order order);
uint64_t weak_add(volatile void *at, size_t bytes, uint64_t more);
void weak_fence(memory_order order);

#undef atomic_load_explicit
#undef atomic_store_explicit
#undef atomic_exchange_explicit
#undef atomic_fetch_add_explicit
#undef atomic_thread_fence
#define atomic_load_explicit(at, order) ((__typeof__(+*(at)))weak_load((at), sizeof(*(at)), (order)))
#define atomic_store_explicit(at, value, order) weak_store((at), sizeof(*(at)), (uint64_t)(value), (order))
#define atomic_exchange_explicit(at, value, order)                                                                     \
	((__typeof__(+*(at)))weak_exchange((at), sizeof(*(at)), (uint64_t)(value), (order)))
#define atomic_fetch_add_explicit(at, more, order) ((__typeof__(+*(at)))weak_add((at), sizeof(*(at)), (uint64_t)(more)))
#define atomic_thread_fence(order) weak_fence(order)

#endif
