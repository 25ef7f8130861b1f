/* filter.c - from tables of system calls to a program. */
#include "filter.h"

#include <assert.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>

/* Where a jump goes that is settled when its group is whole. No other one is that far. */
#define TO_LISTED 255
#define TO_OTHERS 254
#define GROUP_ROWS 48 /* of up to 5 instructions each: one of the tree, one for the number, three for a condition */
static_assert(FILTER_MOST_CONDITIONS <= GROUP_ROWS, "one number is a group at most");

#define WORD(field) ((uint32_t)offsetof(struct seccomp_data, field))

struct rules {
	struct call rows[FILTER_MOST_RULES]; /* rising by number */
	uint32_t n;
	uint32_t first[FILTER_MOST_CALLS + 1]; /* of each number, the row where it begins; and the end */
	uint32_t n_numbers;
	uint32_t of_listed, of_others; /* what is returned for a call that a row fits, and for all others */
};

static void emit(struct filter *f, uint16_t code, uint32_t k, uint8_t if_true, uint8_t if_false)
{
	f->code[f->n++] = (struct sock_filter){ .code = code, .jt = if_true, .jf = if_false, .k = k };
}

static void emit_load(struct filter *f, uint32_t offset)
{
	emit(f, BPF_LD | BPF_W | BPF_ABS, offset, 0, 0);
}

static void emit_return(struct filter *f, uint32_t what)
{
	emit(f, BPF_RET | BPF_K, what, 0, 0);
}

/* By insertion: each table is short. */
static int add(struct rules *r, const struct call *row)
{
	uint32_t at = r->n;

	if (r->n == FILTER_MOST_RULES)
		return -1;
	for (; at > 0 && r->rows[at - 1].number > row->number; at--)
		r->rows[at] = r->rows[at - 1];
	r->rows[at] = *row;
	r->n++;
	return 0;
}

static int group(struct rules *r)
{
	for (uint32_t i = 0; i < r->n; i++) {
		int is_same = i > 0 && r->rows[i].number == r->rows[i - 1].number;

		if (is_same && i - r->first[r->n_numbers - 1] < FILTER_MOST_CONDITIONS)
			continue;
		if (is_same || r->n_numbers == FILTER_MOST_CALLS)
			return -1;
		r->first[r->n_numbers++] = i;
	}
	r->first[r->n_numbers] = r->n;
	return 0;
}

static int has_condition(const struct rules *r, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		if (r->rows[i].argument == 0)
			return 0;
	return 1;
}

/* What is decided of one number, in a group. The number is loaded, and is not needed any more. */
static void emit_call(struct filter *f, const struct rules *r, uint32_t which)
{
	uint32_t from = r->first[which], to = r->first[which + 1], number = (uint32_t)r->rows[from].number;

	if (!has_condition(r, from, to)) {
		emit(f, BPF_JMP | BPF_JEQ | BPF_K, number, TO_LISTED, TO_OTHERS);
		return;
	}
	emit(f, BPF_JMP | BPF_JEQ | BPF_K, number, 0, TO_OTHERS);
	for (uint32_t i = from; i < to; i++) {
		emit_load(f, WORD(args) + (r->rows[i].argument - 1) * (uint32_t)sizeof(uint64_t));
		emit(f, BPF_ALU | BPF_AND | BPF_K, r->rows[i].mask, 0, 0);
		emit(f, BPF_JMP | BPF_JEQ | BPF_K, r->rows[i].value, TO_LISTED, i + 1 < to ? 0 : TO_OTHERS);
	}
}

/* The numbers from..to-1 of a group: the half that it is in, and so on. */
static void emit_tree(struct filter *f, const struct rules *r, uint32_t from, uint32_t to)
{
	uint32_t middle = from + (to - from) / 2, jump = f->n;

	if (to - from == 1) {
		emit_call(f, r, from);
		return;
	}
	emit(f, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)r->rows[r->first[middle]].number, 0, 0);
	emit_tree(f, r, from, middle);
	f->code[jump].jt = (uint8_t)(f->n - jump - 1);
	emit_tree(f, r, middle, to);
}

static uint8_t settle(uint8_t to, uint32_t at, uint32_t end)
{
	return to == TO_LISTED ? (uint8_t)(end - at - 1) : to == TO_OTHERS ? (uint8_t)(end - at) : to;
}

/* A group has its own ends behind it: a jump with a condition goes no further than 255. */
static void emit_group(struct filter *f, const struct rules *r, uint32_t from, uint32_t to)
{
	uint32_t begin = f->n;

	emit_tree(f, r, from, to);
	for (uint32_t at = begin; at < f->n; at++) {
		f->code[at].jt = settle(f->code[at].jt, at, f->n);
		f->code[at].jf = settle(f->code[at].jf, at, f->n);
	}
	emit_return(f, r->of_listed);
	emit_return(f, r->of_others);
}

static void emit_groups(struct filter *f, const struct rules *r, uint32_t from, uint32_t to)
{
	uint32_t middle = from + (to - from) / 2, jump;

	if (r->first[to] - r->first[from] <= GROUP_ROWS) {
		emit_group(f, r, from, to);
		return;
	}
	emit(f, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)r->rows[r->first[middle]].number, 0, 1);
	jump = f->n;
	emit(f, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_groups(f, r, from, middle);
	f->code[jump].k = f->n - jump - 1;
	emit_groups(f, r, middle, to);
}

static int make(struct filter *f, uint32_t machine, uint32_t other_abi, const struct calls *tables, uint32_t n_tables,
		uint32_t of_listed, uint32_t of_others)
{
	struct rules r;

	r.n = r.n_numbers = f->n = 0;
	r.of_listed = of_listed;
	r.of_others = of_others;
	for (uint32_t t = 0; t < n_tables; t++)
		for (uint32_t i = 0; i < tables[t].n; i++)
			if (add(&r, &tables[t].rows[i]))
				return -1;
	if (group(&r))
		return -1;
	emit_load(f, WORD(arch));
	emit(f, BPF_JMP | BPF_JEQ | BPF_K, machine, 1, 0);
	emit_return(f, SECCOMP_RET_KILL_PROCESS);
	emit_load(f, WORD(nr));
	if (other_abi) {
		emit(f, BPF_JMP | BPF_JGE | BPF_K, other_abi, 0, 1);
		emit_return(f, of_listed == SECCOMP_RET_ALLOW ? of_others : of_listed);
	}
	if (r.n_numbers)
		emit_groups(f, &r, 0, r.n_numbers);
	else
		emit_return(f, of_others);
	return 0;
}

int filter_make(struct filter *f, uint32_t machine, uint32_t other_abi, const struct calls *tables, uint32_t n_tables)
{
	return make(f, machine, other_abi, tables, n_tables, SECCOMP_RET_ALLOW, SECCOMP_RET_TRAP);
}

int filter_make_forbidding(struct filter *f, uint32_t machine, uint32_t other_abi, const struct calls *table)
{
	return make(f, machine, other_abi, table, 1, SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_ALLOW);
}
