/*
 * filter.h - pure: from tables of system calls to the program by which the kernel allows them, and no other.
 *
 * Memory:  the caller's struct filter; nothing else is touched.
 * Rules:   a call is allowed if a row of any table has its number and, where the row has a condition, the lower half of
 *          that argument fits. Every other call, and each of another ABI of the same machine, is trapped: the process
 *          gets SIGSYS. A call of another machine ends the process.
 *          The program is a tree over the numbers, so that it is short on the way to each: the kernel runs it for each
 *          number once when it is loaded, and from then on only for calls that have a condition (Linux 5.11).
 * Source:  seccomp(2); bpf(2), "classic".
 */
#ifndef ONTIME_CAGE_FILTER_H
#define ONTIME_CAGE_FILTER_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#define FILTER_MOST_CALLS 256 /* different numbers in all tables */
#define FILTER_MOST_RULES 512 /* rows in all tables */
#define FILTER_MOST_CONDITIONS 48 /* rows of one number */
#define FILTER_MOST_CODE (6 + 6 * FILTER_MOST_CALLS + 3 * FILTER_MOST_RULES) /* the kernel takes 4096 */

/* One row of a table. */
struct call {
	int number;
	uint32_t argument; /* 1 .. 6: its condition is about this one; 0: it has none */
	uint32_t mask, value; /* the condition: (argument & mask) == value */
};

#define CALL(name)                                                                                                     \
	{                                                                                                              \
		.number = __NR_##name                                                                                  \
	}
#define CALL_IF(name, which, bits, are)                                                                                \
	{                                                                                                              \
		.number = __NR_##name, .argument = (which), .mask = (bits), .value = (are)                             \
	}

struct calls {
	const struct call *rows;
	uint32_t n;
};

#define CALLS(table)                                                                                                   \
	{                                                                                                              \
		.rows = (table), .n = sizeof(table) / sizeof((table)[0])                                               \
	}

struct filter {
	struct sock_filter code[FILTER_MOST_CODE];
	uint32_t n;
};

/*
 * filter_make - of these tables, for the machine that is called `machine` (AUDIT_ARCH_...). other_abi: numbers from
 * this one on are of another ABI (x32); 0: there is none. Returns 0, or -1: there are more rows than it has room for,
 * of all or of one number.
 */
int filter_make(struct filter *f, uint32_t machine, uint32_t other_abi, const struct calls *tables, uint32_t n_tables);

/*
 * filter_make_forbidding - likewise the other way round: a call that a row fits, and each of another ABI of the same
 * machine, is refused with EPERM; all others are made.
 */
int filter_make_forbidding(struct filter *f, uint32_t machine, uint32_t other_abi, const struct calls *table);

#endif
