/*
 * once.h - reads of what another process may change at any time: once, into what is checked and only then used.
 *
 * Rules:   an index, a length or a reason that another process can have written is read with one of these; the check
 *          and the use are both of the private copy. A compiler may else load a plain word again for each use.
 */
#ifndef ONTIME_ONCE_H
#define ONTIME_ONCE_H

#include <stdatomic.h>
#include <string.h>

/* once - a word. */
#define once(word) (*(const volatile __typeof__(word) *)&(word))

/* once_copy - a struct: whole fields, not all of one instant. */
static inline void once_copy(void *to, const void *from, size_t bytes)
{
	memcpy(to, from, bytes);
	atomic_signal_fence(memory_order_seq_cst); /* what follows knows nothing of `from` any more */
}

#endif
