/*
 * counter.h - the one description of what an observer can read of a class: names, unit, help, and where it lies.
 *
 * Rules:   the account is copied by it, JSON and metrics are printed by it: a counter that is added to counter.c is in
 *          them. Names are for ever: they are in recordings and in other people's queries.
 */
#ifndef ONTIME_COUNTER_H
#define ONTIME_COUNTER_H

#include <stddef.h>

#include "account.h"

enum counter_kind {
	KIND_COUNT, /* only grows */
	KIND_NOW, /* may fall again */
	KIND_LIMIT, /* what the class is held to; a time of 0: to nothing */
	KIND_OFF, /* signed: 0, or something is broken */
};

enum counter_unit { UNIT_NONE, UNIT_PACKETS, UNIT_BYTES, UNIT_NS };

/* How many values a counter has. */
enum counter_by { BY_NOTHING, BY_REASON, BY_ERRNO, BY_SPAN };

/* Whose tally it lies in. TALLY_NONE: account_read() works it out. */
enum counter_tally { TALLY_NONE, TALLY_INGRESS, TALLY_EDF, TALLY_EGRESS };

struct counter {
	const char *key; /* in JSON; NULL: it is part of another object */
	const char *metric; /* for Prometheus, without _total; NULL: none. Rows with one metric are neighbours */
	const char *label; /* queue="...": tells the rows of one metric apart; NULL: there is one row */
	const char *help;
	enum counter_kind kind;
	enum counter_unit unit;
	enum counter_by by;
	size_t at; /* in struct account: a uint64_t, or one for each reason, errno or span */
	enum counter_tally tally;
	size_t from; /* in that tally, as many */
};

/* counter_next - the one after `c`; NULL begins with the first, and is what comes after the last. */
const struct counter *counter_next(const struct counter *c);

/*
 * counter_values - how many it has, DROP_NONE not counted; counter_values_of - its values in an account, the first one
 * real.
 */
int counter_values(const struct counter *c);
const uint64_t *counter_values_of(const struct counter *c, const struct account *a);

/* counter_is_absent - is it a limit that the class does not have (BUDGET_NONE)? */
int counter_is_absent(const struct counter *c, uint64_t value);

#define ERRNO_NAME_BYTES 16

/* send_errno_name - of place i of the account's errnos; the last place counts all that had none of their own. */
const char *send_errno_name(const struct account *a, int i, char text[ERRNO_NAME_BYTES]);

/* counter_value_name - of value i: a reason, an errno, a span. */
const char *counter_value_name(const struct counter *c, const struct account *a, int i, char text[ERRNO_NAME_BYTES]);

#endif
