/* session_index.c - the index of sessions against a table that is searched from end to end. */
#include <stdlib.h>
#include <sys/socket.h>
#include <string.h>

#include "ingress/session_index.h"
#include "random.h"
#include "suites.h"

#define MOST 16384
#define CHURN 400000
#define MET 64 /* looks that find somebody, at least */

static struct session_key key(uint32_t address, uint16_t port)
{
	struct session_key k = { .port = port, .family = 2 };

	memcpy(k.address, &address, sizeof(address));
	return k;
}

static struct session_index made(uint32_t n)
{
	struct session_index x;

	CU_ASSERT_EQUAL_FATAL(session_index_init(&x, n, 0x1234567), 0);
	for (uint32_t k = 0; k < n; k++)
		session_index_put(&x, k, LIST_FREE);
	return x;
}

static void discard(struct session_index *x)
{
	free(x->places);
	free(x->sources);
	free(x->by_key);
}

static void a_session_is_found_by_all_of_its_key_and_by_nothing_less(void)
{
	struct session_index x = made(8);
	struct session_key k = key(1, 2), other;

	CU_ASSERT_EQUAL(session_index_find(&x, &k), -1);
	session_index_open(&x, 5, &k, 0, 10);
	CU_ASSERT_EQUAL(session_index_find(&x, &k), 5);
	for (size_t i = 0; i < sizeof(k); i++) {
		other = k;
		((uint8_t *)&other)[i] ^= 1;
		CU_ASSERT_EQUAL(session_index_find(&x, &other), -1);
	}
	session_index_close(&x, 5);
	CU_ASSERT_EQUAL(session_index_find(&x, &k), -1);
	discard(&x);
}

static void sessions_of_one_chain_do_not_hide_each_other(void)
{
	struct session_index x = made(64);

	x.mask = 0; /* all keys and all addresses meet */
	for (uint32_t i = 0; i < 64; i++) {
		struct session_key k = key(i / 2, (uint16_t)i);

		session_index_open(&x, i, &k, 0, i);
	}
	for (uint32_t i = 0; i < 64; i += 3)
		session_index_close(&x, i);
	for (uint32_t i = 0; i < 64; i++) {
		struct session_key k = key(i / 2, (uint16_t)i);
		uint32_t pair = i / 2 * 2;

		CU_ASSERT_EQUAL(session_index_find(&x, &k), i % 3 ? (int)i : -1);
		CU_ASSERT_EQUAL(session_index_count(&x, &k), (uint32_t)(pair % 3 != 0) + ((pair + 1) % 3 != 0));
	}
	discard(&x);
}

static void the_oldest_of_a_list_is_the_one_that_was_touched_longest_ago(void)
{
	struct session_index x = made(4);

	CU_ASSERT_EQUAL(session_index_oldest(&x, LIST_FREE), 0);
	for (uint32_t i = 0; i < 4; i++) {
		struct session_key k = key(i, 1);

		session_index_open(&x, i, &k, i == 3, 100 + i);
	}
	CU_ASSERT_EQUAL(session_index_oldest(&x, LIST_FREE), -1);
	CU_ASSERT_EQUAL(session_index_oldest(&x, LIST_UNANSWERED), 0);
	CU_ASSERT_EQUAL(session_index_oldest(&x, LIST_ANSWERED), 3);
	session_index_touch(&x, 0, 0, 200);
	CU_ASSERT_EQUAL(session_index_oldest(&x, LIST_UNANSWERED), 1);
	session_index_touch(&x, 1, 1, 201); /* answered now, behind the other */
	CU_ASSERT_EQUAL(session_index_oldest(&x, LIST_UNANSWERED), 2);
	CU_ASSERT_EQUAL(session_index_oldest(&x, LIST_ANSWERED), 3);
	CU_ASSERT_EQUAL(session_index_last_ns(&x, 1), 201);
	session_index_close(&x, 3);
	CU_ASSERT_EQUAL(session_index_oldest(&x, LIST_ANSWERED), 1);
	CU_ASSERT_EQUAL(session_index_oldest(&x, LIST_CLOSING), 3);
	/* it is nobody's any more, whatever its state in the segment is changed to */
	session_index_touch(&x, 3, 1, 300);
	CU_ASSERT_EQUAL(session_index_oldest(&x, LIST_CLOSING), 3);
	session_index_put(&x, 3, LIST_FREE);
	CU_ASSERT_EQUAL(session_index_oldest(&x, LIST_CLOSING), -1);
	CU_ASSERT_EQUAL(session_index_oldest(&x, LIST_FREE), 3);
	discard(&x);
}

static void an_address_is_forgotten_with_its_last_session_and_its_place_used_again(void)
{
	struct session_index x = made(2);

	for (uint32_t round = 0; round < 1000; round++) {
		struct session_key a = key(round, 1), b = key(round, 2);

		session_index_open(&x, 0, &a, 0, round);
		session_index_open(&x, 1, &b, 0, round);
		CU_ASSERT_EQUAL(session_index_count(&x, &a), 2);
		session_index_close(&x, 1);
		CU_ASSERT_EQUAL(session_index_count(&x, &b), 1);
		session_index_close(&x, 0);
		CU_ASSERT_EQUAL(session_index_count(&x, &a), 0);
	}
	discard(&x);
}

/* The same as an array of what each session is: state, sender, and when it was touched. */
static struct model {
	enum session_list list;
	uint32_t sender;
	uint64_t at;
} model[MOST];

static uint64_t state, steps;

static uint32_t below(uint32_t n)
{
	return (uint32_t)((random_next(&state) >> 32) % n);
}

/* 30,000 senders at 500 addresses: more than there are sessions. */
static struct session_key sender_key(uint32_t sender)
{
	return key(sender % 500, (uint16_t)(sender / 500));
}

static int model_find(uint32_t sender)
{
	for (int k = 0; k < MOST; k++)
		if (model[k].sender == sender && (model[k].list == LIST_UNANSWERED || model[k].list == LIST_ANSWERED))
			return k;
	return -1;
}

static int model_oldest(enum session_list list)
{
	int oldest = -1;

	for (int k = 0; k < MOST; k++)
		if (model[k].list == list && (oldest < 0 || model[k].at < model[oldest].at))
			oldest = k;
	return oldest;
}

static uint32_t model_count(uint32_t sender)
{
	uint32_t n = 0;

	for (int k = 0; k < MOST; k++)
		n += model[k].sender % 500 == sender % 500 &&
		     (model[k].list == LIST_UNANSWERED || model[k].list == LIST_ANSWERED);
	return n;
}

static void churn(struct session_index *x)
{
	uint32_t sender = below(30000);
	struct session_key k = sender_key(sender);
	int found = session_index_find(x, &k), oldest;

	steps++;
	if (found >= 0 && below(4)) {
		model[found].list = below(2) ? LIST_ANSWERED : model[found].list;
		model[found].at = steps;
		session_index_touch(x, (uint32_t)found, model[found].list == LIST_ANSWERED, steps);
	} else if (found >= 0) {
		model[found] = (struct model){ LIST_CLOSING, sender, steps };
		session_index_close(x, (uint32_t)found);
	} else if (below(8) == 0) {
		oldest = session_index_oldest(x, LIST_CLOSING);
		if (oldest >= 0) {
			model[oldest] = (struct model){ LIST_FREE, 0, steps };
			session_index_put(x, (uint32_t)oldest, LIST_FREE);
		}
	} else {
		oldest = session_index_oldest(x, LIST_FREE);
		if (oldest < 0)
			return;
		model[oldest] = (struct model){ LIST_UNANSWERED, sender, steps };
		session_index_open(x, (uint32_t)oldest, &k, 0, steps);
	}
}

static void sessions_by_the_thousand_are_as_a_table_says_that_is_searched_from_end_to_end(void)
{
	struct session_index x = made(MOST);
	uint32_t wrong = 0, met = 0;

	state = 7;
	steps = 0;
	for (int k = 0; k < MOST; k++)
		model[k] = (struct model){ LIST_FREE, 0, steps++ };
	for (uint32_t i = 0; i < CHURN; i++) {
		uint32_t sender = below(30000);
		struct session_key k = sender_key(sender);

		churn(&x);
		if (i % (CHURN / 1000) >= 1)
			continue;
		wrong += session_index_find(&x, &k) != model_find(sender);
		wrong += session_index_count(&x, &k) != model_count(sender);
		for (enum session_list list = LIST_FREE; list < N_SESSION_LISTS; list++)
			wrong += session_index_oldest(&x, list) != model_oldest(list);
		met += model_find(sender) >= 0;
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT(met > MET);
	discard(&x);
}

/* One host may have all of a network of 64 bits. */
static void of_ipv6_a_network_counts_as_one_address(void)
{
	struct session_index x = made(8);
	struct session_key global = { .port = 1, .family = AF_INET6, .address = { 0x20, 0x01, 0xd, 0xb8 } };
	struct session_key local = { .port = 1, .family = AF_INET6, .address = { 0xfe, 0x80 }, .scope = 2 }, other;

	session_index_open(&x, 0, &global, 0, 1);
	session_index_open(&x, 1, &local, 0, 1);
	other = global;
	other.address[15] = 9;
	CU_ASSERT_EQUAL(session_index_find(&x, &other), -1);
	CU_ASSERT_EQUAL(session_index_count(&x, &other), 1);
	session_index_open(&x, 2, &other, 0, 2);
	CU_ASSERT_EQUAL(session_index_count(&x, &global), 2);
	session_index_close(&x, 0);
	CU_ASSERT_EQUAL(session_index_count(&x, &global), 1);
	other.address[7] = 1;
	CU_ASSERT_EQUAL(session_index_count(&x, &other), 0);
	other = local;
	other.address[15] = 9;
	CU_ASSERT_EQUAL(session_index_count(&x, &other), 0);
	discard(&x);
}

SUITE(session_index, TEST(of_ipv6_a_network_counts_as_one_address),
      TEST(a_session_is_found_by_all_of_its_key_and_by_nothing_less),
      TEST(sessions_of_one_chain_do_not_hide_each_other),
      TEST(the_oldest_of_a_list_is_the_one_that_was_touched_longest_ago),
      TEST(an_address_is_forgotten_with_its_last_session_and_its_place_used_again),
      TEST(sessions_by_the_thousand_are_as_a_table_says_that_is_searched_from_end_to_end))
