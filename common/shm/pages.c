/* pages.c - the pages of a segment. */
#include "pages.h"

#include <sys/mman.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; later headers than those of Debian 12 have it */
#endif

/*
 * Where there is room at a multiple of HUGE_PAGE, which huge pages need: left alone, the kernel chooses any page. NULL:
 * it may do so.
 */
void *pages_place(const struct segment *seg)
{
	size_t room_bytes = seg->size_bytes + HUGE_PAGE;
	/* cppcheck-suppress invalidFunctionArg ; -1 is what MAP_ANONYMOUS wants */
	char *room = mmap(NULL, room_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (room == MAP_FAILED)
		return NULL;
	munmap(room, room_bytes);
	return room + -(uintptr_t)room % HUGE_PAGE;
}

void segment_touch(void *at, size_t bytes)
{
	uintptr_t first = (uintptr_t)at & ~(uintptr_t)(PAGE - 1), end = (uintptr_t)at + bytes;

	for (uintptr_t page = first; page < end; page += PAGE) {
		_Atomic uint8_t *byte = (_Atomic uint8_t *)(page < (uintptr_t)at ? (uintptr_t)at : page);

		/* relaxed: changes nothing, but must be a write */
		atomic_fetch_or_explicit(byte, 0, memory_order_relaxed);
	}
}

void segment_populate(const struct segment *seg)
{
	madvise(seg->shared, seg->size_bytes, MADV_COLLAPSE); /* refused: pages stay as small as they are */
	segment_touch(seg->shared, seg->size_bytes);
}
