/* huge_pages.c - where the segment lies in memory. */
#include "harness/emulated.h"
#include "segments.h"

/* Of the mapping that begins at `at`: how much of it is mapped by huge pages, in KiB; -1: the kernel does not say. */
static long huge_kib(const void *at)
{
	char line[256], first[32];
	FILE *smaps = fopen("/proc/self/smaps", "r");
	int is_ours = 0;
	long kib = -1;

	CU_ASSERT_PTR_NOT_NULL_FATAL(smaps);
	snprintf(first, sizeof(first), "%lx-", (unsigned long)(uintptr_t)at);
	while (kib < 0 && fgets(line, sizeof(line), smaps)) {
		is_ours |= strncmp(line, first, strlen(first)) == 0;
		if (is_ours && sscanf(line, "ShmemPmdMapped: %ld", &kib) != 1)
			kib = -1;
	}
	fclose(smaps);
	return kib;
}

static void all_of_it_lies_in_huge_pages_where_the_kernel_can(void)
{
	struct segment made, seen;
	struct config c;

	if (is_emulated())
		SKIP("an emulator does not pass on all that a kernel says");
	create(&made, &c);
	segment_populate(&made);
	CU_ASSERT_EQUAL((uintptr_t)made.shared % (2u << 20), 0);
	if (madvise(made.shared, made.size_bytes, 25 /* MADV_COLLAPSE */) < 0) {
		drop(&made, &c);
		SKIP("the kernel makes no huge pages of shared memory (Linux 6.1 with transparent huge pages does)");
	}
	CU_ASSERT_EQUAL_FATAL(segment_attach(&seen, &c, why), 0);
	segment_touch(seen.shared, seen.size_bytes);
	CU_ASSERT_EQUAL((uintptr_t)seen.shared % (2u << 20), 0);
	CU_ASSERT_EQUAL(huge_kib(made.shared), (long)(made.size_bytes / 1024));
	CU_ASSERT_EQUAL(huge_kib(seen.shared), (long)(seen.size_bytes / 1024));
	segment_close(&seen);
	drop(&made, &c);
}

SUITE(huge_pages, TEST(all_of_it_lies_in_huge_pages_where_the_kernel_can))
