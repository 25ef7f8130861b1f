/* filter.c - the program that is made of tables of system calls, run as the kernel runs it. */
#include "cage/filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>

#include "calls.h"
#include "random.h"
#include "suites.h"

#define MACHINE 0xc000003eU
#define OTHER_ABI 0x40000000U

static struct filter filter;
static uint64_t random_state;

static uint32_t random_below(uint32_t n)
{
	return (uint32_t)((random_next(&random_state) >> 32) % n);
}

static uint32_t n_steps; /* of the last run */

/* What of classic BPF such a program uses; anything else fails. */
static uint32_t run_with(const struct seccomp_data *data)
{
	uint32_t a = 0;

	n_steps = 0;
	for (uint32_t i = 0; i < filter.n; i++) {
		const struct sock_filter *c = &filter.code[i];

		n_steps++;
		switch (c->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)data + c->k, sizeof(a));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= c->k;
			break;
		case BPF_JMP | BPF_JA:
			i += c->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			i += a == c->k ? c->jt : c->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			i += a >= c->k ? c->jt : c->jf;
			break;
		case BPF_RET | BPF_K:
			return c->k;
		default:
			CU_FAIL_FATAL("an instruction that is not expected");
		}
	}
	CU_FAIL("it goes beyond its end");
	return 0;
}

static uint32_t run(uint32_t machine, int number, uint64_t first, uint64_t third)
{
	return run_with(&(struct seccomp_data){ .nr = number, .arch = machine, .args = { first, 0, third } });
}

static void only_what_a_table_has_is_allowed(void)
{
	static const struct call one[] = { { .number = 7 }, { .number = 300 }, { .number = 0 } };
	static const struct call other[] = { { .number = 8 }, { .number = 7 } };
	const struct calls tables[] = { CALLS(one), CALLS(other) };

	CU_ASSERT_EQUAL_FATAL(filter_make(&filter, MACHINE, OTHER_ABI, tables, 2), 0);
	for (int number = 0; number < 400; number++)
		CU_ASSERT_EQUAL(run(MACHINE, number, 0, 0), number == 0 || number == 7 || number == 8 || number == 300
								    ? SECCOMP_RET_ALLOW
								    : SECCOMP_RET_TRAP);
	CU_ASSERT_EQUAL(run(MACHINE, -1, 0, 0), SECCOMP_RET_TRAP);
}

static void another_machine_ends_it_and_another_abi_is_trapped(void)
{
	static const struct call one[] = { { .number = 7 }, { .number = (int)OTHER_ABI + 7 } };
	const struct calls table = CALLS(one);

	CU_ASSERT_EQUAL_FATAL(filter_make(&filter, MACHINE, OTHER_ABI, &table, 1), 0);
	CU_ASSERT_EQUAL(run(0x40000003, 7, 0, 0), SECCOMP_RET_KILL_PROCESS);
	CU_ASSERT_EQUAL(run(MACHINE, (int)OTHER_ABI + 7, 0, 0), SECCOMP_RET_TRAP);
	CU_ASSERT_EQUAL_FATAL(filter_make(&filter, MACHINE, 0, &table, 1), 0);
	CU_ASSERT_EQUAL(run(MACHINE, (int)OTHER_ABI + 7, 0, 0), SECCOMP_RET_ALLOW);
}

/* Of several rows one is enough, and one without a condition is always. */
static void a_condition_is_about_the_lower_half_of_an_argument(void)
{
	static const struct call rows[] = {
		{ .number = 9, .argument = 3, .mask = 4, .value = 0 },
		{ .number = 41, .argument = 1, .mask = UINT32_MAX, .value = 2 },
		{ .number = 41, .argument = 1, .mask = UINT32_MAX, .value = 10 },
		{ .number = 50, .argument = 1, .mask = UINT32_MAX, .value = 1 },
		{ .number = 50 },
	};
	const struct calls table = CALLS(rows);

	CU_ASSERT_EQUAL_FATAL(filter_make(&filter, MACHINE, OTHER_ABI, &table, 1), 0);
	CU_ASSERT_EQUAL(run(MACHINE, 9, 4, 3), SECCOMP_RET_ALLOW);
	CU_ASSERT_EQUAL(run(MACHINE, 9, 0, 7), SECCOMP_RET_TRAP);
	CU_ASSERT_EQUAL(run(MACHINE, 41, 2, 0), SECCOMP_RET_ALLOW);
	CU_ASSERT_EQUAL(run(MACHINE, 41, 10, 0), SECCOMP_RET_ALLOW);
	CU_ASSERT_EQUAL(run(MACHINE, 41, 3, 0), SECCOMP_RET_TRAP);
	CU_ASSERT_EQUAL(run(MACHINE, 41, 1ULL << 32 | 2, 0), SECCOMP_RET_ALLOW);
	CU_ASSERT_EQUAL(run(MACHINE, 50, 3, 0), SECCOMP_RET_ALLOW);
}

static void without_a_table_nothing_is_allowed(void)
{
	CU_ASSERT_EQUAL_FATAL(filter_make(&filter, MACHINE, OTHER_ABI, NULL, 0), 0);
	for (int number = 0; number < 400; number++)
		CU_ASSERT_EQUAL(run(MACHINE, number, 0, 0), SECCOMP_RET_TRAP);
}

static int is_allowed(const struct calls *tables, uint32_t n_tables, const struct seccomp_data *data)
{
	for (uint32_t t = 0; t < n_tables; t++)
		for (uint32_t i = 0; i < tables[t].n; i++) {
			const struct call *row = &tables[t].rows[i];

			if (row->number == data->nr &&
			    (!row->argument || ((uint32_t)data->args[row->argument - 1] & row->mask) == row->value))
				return 1;
		}
	return 0;
}

/* Rows of random numbers below `most`, about half of them with a condition. */
static void draw_rows(struct call *rows, uint32_t n, uint32_t most)
{
	for (uint32_t i = 0; i < n; i++) {
		uint32_t mask = 1 + random_below(7);

		rows[i] = (struct call){ .number = (int)random_below(most) };
		if (random_below(2))
			rows[i] = (struct call){ rows[i].number, 1 + random_below(6), mask, random_below(8) & mask };
	}
}

static void what_the_program_says_is_what_the_tables_say(void)
{
	uint32_t n_wrong = 0, n_allowed = 0, n_trapped = 0;

	random_state = 0x9e3779b97f4a7c15;
	for (int round = 0; round < 400; round++) {
		static struct call rows[3][FILTER_MOST_RULES / 3];
		struct calls tables[3];
		uint32_t most = 1 + random_below(round % 4 ? 60 : FILTER_MOST_CALLS), n_tables = 1 + random_below(3);

		for (uint32_t t = 0; t < n_tables; t++) {
			tables[t] = (struct calls){ rows[t], random_below(round % 4 ? 12 : FILTER_MOST_RULES / 3) };
			tables[t].n = tables[t].n < 8 * most ? tables[t].n : 8 * most;
			draw_rows(rows[t], tables[t].n, most);
		}
		CU_ASSERT_EQUAL_FATAL(filter_make(&filter, MACHINE, OTHER_ABI, tables, n_tables), 0);
		CU_ASSERT_FATAL(filter.n <= FILTER_MOST_CODE);
		for (uint32_t i = 0; i < 4 * most; i++) {
			struct seccomp_data data = { .nr = (int)(i % most), .arch = MACHINE };
			uint32_t said;

			for (int k = 0; k < 6; k++)
				data.args[k] = (uint64_t)random_below(2) << 32 | random_below(8);
			said = run_with(&data);
			n_wrong += (said == SECCOMP_RET_ALLOW) != is_allowed(tables, n_tables, &data);
			n_allowed += said == SECCOMP_RET_ALLOW;
			n_trapped += said == SECCOMP_RET_TRAP;
		}
	}
	CU_ASSERT_EQUAL(n_wrong, 0);
	CU_ASSERT(n_allowed > 10000 && n_trapped > 10000);
}

static void the_way_to_each_call_is_short(void)
{
	static struct call rows[FILTER_MOST_CALLS];
	struct calls table = CALLS(rows);

	for (uint32_t i = 0; i < FILTER_MOST_CALLS; i++)
		rows[i].number = (int)i;
	CU_ASSERT_EQUAL_FATAL(filter_make(&filter, MACHINE, OTHER_ABI, &table, 1), 0);
	for (int number = 0; number < FILTER_MOST_CALLS; number++) {
		CU_ASSERT_EQUAL(run(MACHINE, number, 0, 0), SECCOMP_RET_ALLOW);
		/* five until the tree, two for each of 3 halves, one for each of 5 more, the number, the end */
		CU_ASSERT(n_steps <= 5 + 2 * 3 + 5 + 2);
	}
}

static void a_condition_takes_three_instructions(void)
{
	static const struct call rows[] = {
		{ .number = 41, .argument = 1, .mask = UINT32_MAX, .value = 2 },
		{ .number = 41, .argument = 1, .mask = UINT32_MAX, .value = 10 },
		{ .number = 42 },
	};
	struct calls table = { rows, 1 };

	CU_ASSERT_EQUAL_FATAL(filter_make(&filter, MACHINE, OTHER_ABI, &table, 1), 0);
	CU_ASSERT_EQUAL(filter.n, 6 + 1 + 3 + 2); /* before all numbers, the number, its condition, the two ends */
	table.n = 2;
	CU_ASSERT_EQUAL_FATAL(filter_make(&filter, MACHINE, OTHER_ABI, &table, 1), 0);
	CU_ASSERT_EQUAL(filter.n, 6 + 1 + 3 + 3 + 2);
	table.n = 3;
	CU_ASSERT_EQUAL_FATAL(filter_make(&filter, MACHINE, OTHER_ABI, &table, 1), 0);
	CU_ASSERT_EQUAL(filter.n, 6 + 1 + 1 + 3 + 3 + 1 + 2);
}

static void a_number_has_room_for_its_conditions_wherever_it_is(void)
{
	static struct call rows[2 * FILTER_MOST_CONDITIONS];
	struct calls table = { rows, 20 + FILTER_MOST_CONDITIONS };

	for (uint32_t i = 0; i < 2 * FILTER_MOST_CONDITIONS; i++)
		rows[i] = (struct call){ i < 20 ? (int)i : 20, 1, UINT32_MAX, i };
	CU_ASSERT_EQUAL_FATAL(filter_make(&filter, MACHINE, OTHER_ABI, &table, 1), 0);
	for (uint32_t i = 20; i < table.n; i++)
		CU_ASSERT_EQUAL(run(MACHINE, 20, i, 0), SECCOMP_RET_ALLOW);
	CU_ASSERT_EQUAL(run(MACHINE, 20, table.n, 0), SECCOMP_RET_TRAP);
	table.n++;
	CU_ASSERT_EQUAL(filter_make(&filter, MACHINE, OTHER_ABI, &table, 1), -1);
}

static void all_rows_together_have_room_for_512(void)
{
	static struct call rows[FILTER_MOST_RULES + 1];
	struct calls table = { .rows = rows, .n = FILTER_MOST_RULES };

	for (uint32_t i = 0; i < FILTER_MOST_RULES + 1; i++)
		rows[i] = (struct call){ (int)(i % 128), 1, UINT32_MAX, i };
	CU_ASSERT_EQUAL_FATAL(filter_make(&filter, MACHINE, OTHER_ABI, &table, 1), 0);
	CU_ASSERT(filter.n <= FILTER_MOST_CODE);
	for (uint32_t i = 0; i < FILTER_MOST_RULES; i++)
		CU_ASSERT_EQUAL(run(MACHINE, (int)(i % 128), i, 0), SECCOMP_RET_ALLOW);
	table.n++;
	CU_ASSERT_EQUAL(filter_make(&filter, MACHINE, OTHER_ABI, &table, 1), -1);
}

static void more_than_there_is_room_for_is_refused(void)
{
	static struct call rows[FILTER_MOST_RULES + 1];
	struct calls table = { .rows = rows, .n = FILTER_MOST_CALLS };

	for (uint32_t i = 0; i < FILTER_MOST_CALLS + 1; i++)
		rows[i] = (struct call){ .number = (int)i * 3, .argument = 1, .mask = 1, .value = 1 };
	CU_ASSERT_EQUAL_FATAL(filter_make(&filter, MACHINE, OTHER_ABI, &table, 1), 0);
	CU_ASSERT(filter.n <= BPF_MAXINSNS && filter.n <= FILTER_MOST_CODE);
	for (int number = 0; number < 3 * FILTER_MOST_CALLS; number++)
		CU_ASSERT_EQUAL(run(MACHINE, number, 1, 0), number % 3 ? SECCOMP_RET_TRAP : SECCOMP_RET_ALLOW);
	table.n = FILTER_MOST_CALLS + 1;
	CU_ASSERT_EQUAL(filter_make(&filter, MACHINE, OTHER_ABI, &table, 1), -1);
	memset(rows, 0, sizeof(rows));
	table.n = FILTER_MOST_RULES + 1;
	CU_ASSERT_EQUAL(filter_make(&filter, MACHINE, OTHER_ABI, &table, 1), -1);
	table.n = FILTER_MOST_CONDITIONS + 1; /* all of number 0 */
	CU_ASSERT_EQUAL(filter_make(&filter, MACHINE, OTHER_ABI, &table, 1), -1);
	table.n = FILTER_MOST_CONDITIONS;
	CU_ASSERT_EQUAL(filter_make(&filter, MACHINE, OTHER_ABI, &table, 1), 0);
	CU_ASSERT(FILTER_MOST_CODE <= BPF_MAXINSNS);
}

static void what_is_forbidden_is_refused_and_all_else_made(void)
{
	static const struct call rows[] = { { .number = 7 }, { .number = 300 }, { .number = 0 } };
	const struct calls table = CALLS(rows);

	CU_ASSERT_EQUAL_FATAL(filter_make_forbidding(&filter, MACHINE, OTHER_ABI, &table), 0);
	for (int number = 0; number < 400; number++)
		CU_ASSERT_EQUAL(run(MACHINE, number, 0, 0), number == 0 || number == 7 || number == 300
								    ? (SECCOMP_RET_ERRNO | EPERM)
								    : SECCOMP_RET_ALLOW);
	CU_ASSERT_EQUAL(run(MACHINE, (int)OTHER_ABI + 7, 0, 0), SECCOMP_RET_ERRNO | EPERM);
	CU_ASSERT_EQUAL(run(MACHINE, (int)OTHER_ABI + 8, 0, 0), SECCOMP_RET_ERRNO | EPERM);
	CU_ASSERT_EQUAL(run(0x40000003, 8, 0, 0), SECCOMP_RET_KILL_PROCESS);
}

static void calls_have_names_and_names_are_of_calls(void)
{
	CU_ASSERT_STRING_EQUAL(call_name(__NR_openat), "openat");
	CU_ASSERT_STRING_EQUAL(call_name(__NR_recvmmsg), "recvmmsg");
	CU_ASSERT_STRING_EQUAL(call_name(-1), "unknown");
	CU_ASSERT_STRING_EQUAL(call_name(100000), "unknown");
	CU_ASSERT_EQUAL(call_number("openat", 6), __NR_openat);
	CU_ASSERT_EQUAL(call_number("openat2 and more", 7), __NR_openat2);
	CU_ASSERT_EQUAL(call_number("open_at", 7), -1);
	CU_ASSERT_EQUAL(call_number("", 0), -1);
	for (int number = 0; number < 500; number++)
		if (strcmp(call_name(number), "unknown") != 0)
			CU_ASSERT_EQUAL(call_number(call_name(number), strlen(call_name(number))), number);
}

SUITE(filter, TEST(only_what_a_table_has_is_allowed), TEST(another_machine_ends_it_and_another_abi_is_trapped),
      TEST(a_condition_is_about_the_lower_half_of_an_argument), TEST(without_a_table_nothing_is_allowed),
      TEST(what_the_program_says_is_what_the_tables_say), TEST(the_way_to_each_call_is_short),
      TEST(a_condition_takes_three_instructions), TEST(a_number_has_room_for_its_conditions_wherever_it_is),
      TEST(all_rows_together_have_room_for_512), TEST(more_than_there_is_room_for_is_refused),
      TEST(what_is_forbidden_is_refused_and_all_else_made), TEST(calls_have_names_and_names_are_of_calls))
