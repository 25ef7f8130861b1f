/* maglev.c - the table from a sender's hash to a destination: shares, and what changes when one comes or goes. */
#include "maglev.h"

#include <stdio.h>
#include <string.h>

#include "suites.h"

#define SETS 40

static char names[MAGLEV_MOST][32];
static uint8_t before[MAGLEV_ENTRIES], after[MAGLEV_ENTRIES];

/* n members with the names of one set, all up but one; n: all. */
static void fill(uint8_t *table, uint32_t set, uint32_t n, uint32_t down)
{
	struct maglev_member members[MAGLEV_MOST];

	for (uint32_t i = 0; i < n; i++) {
		snprintf(names[i], sizeof(names[i]), "10.%u.0.%u:7777", set, i + 1);
		members[i] = (struct maglev_member){ names[i], 1, (uint8_t)i, i != down };
	}
	maglev_fill(table, members, n);
}

static void equal_weights_have_equal_shares(void)
{
	for (uint32_t n = 1; n <= MAGLEV_MOST; n++) {
		uint32_t shares[MAGLEV_MOST] = { 0 };

		fill(before, 1, n, n);
		for (uint32_t e = 0; e < MAGLEV_ENTRIES; e++) {
			CU_ASSERT_FATAL(before[e] < n);
			shares[before[e]]++;
		}
		for (uint32_t i = 0; i < n; i++)
			CU_ASSERT(shares[i] == MAGLEV_ENTRIES / n || shares[i] == MAGLEV_ENTRIES / n + 1);
	}
}

static void when_one_of_n_goes_no_other_sender_moves(void)
{
	for (uint32_t n = 2; n <= MAGLEV_MOST; n += n < 8 ? 1 : 7)
		for (uint32_t set = 0; set < SETS; set++) {
			uint32_t moved = 0, gone = set % n, shares[MAGLEV_MOST] = { 0 }, most = 0,
				 least = MAGLEV_ENTRIES;

			fill(before, set, n, n);
			fill(after, set, n, gone);
			for (uint32_t e = 0; e < MAGLEV_ENTRIES; e++) {
				CU_ASSERT_NOT_EQUAL_FATAL(after[e], gone);
				moved += before[e] != after[e];
				CU_ASSERT(before[e] == gone || before[e] == after[e]);
				shares[after[e]]++;
			}
			CU_ASSERT((double)moved / MAGLEV_ENTRIES < 1.0 / n + 0.001);
			for (uint32_t i = 0; i < n; i++) {
				most = i != gone && shares[i] > most ? shares[i] : most;
				least = i != gone && shares[i] < least ? shares[i] : least;
			}
			CU_ASSERT(most - least <= 2);
		}
}

/* A name that is taken out of the configuration, or comes into it: that is another table, and others move too. */
static void when_one_of_n_is_named_no_more_few_others_move(void)
{
	double worst = 0;

	for (uint32_t n = 2; n <= 16; n++)
		for (uint32_t set = 0; set < SETS; set++) {
			uint32_t moved = 0;

			fill(before, set, n, n);
			fill(after, set, n - 1, n);
			for (uint32_t e = 0; e < MAGLEV_ENTRIES; e++)
				moved += before[e] != after[e];
			if ((double)moved / MAGLEV_ENTRIES - 1.0 / n > worst)
				worst = (double)moved / MAGLEV_ENTRIES - 1.0 / n;
		}
	printf("      at most %.1f %% of the senders moved beside those that had to\n", 100 * worst);
	CU_ASSERT(worst < 0.12);
}

static void the_order_in_which_they_are_named_does_not_count(void)
{
	struct maglev_member one_way[] = {
		{ "a:1", 1, 0, 1 }, { "b:1", 2, 1, 1 }, { "c:1", 1, 2, 0 }, { "d:1", 3, 3, 1 }
	};
	struct maglev_member turned[] = { one_way[2], one_way[3], one_way[1], one_way[0] };

	maglev_fill(before, one_way, 4);
	maglev_fill(after, turned, 4);
	CU_ASSERT_EQUAL(memcmp(before, after, sizeof(before)), 0);
}

static void a_weight_is_a_share(void)
{
	struct maglev_member members[] = { { "a:1", 1, 0, 1 }, { "b:1", 2, 1, 1 }, { "c:1", 5, 2, 1 } };
	uint32_t shares[3] = { 0 };

	maglev_fill(before, members, 3);
	for (uint32_t e = 0; e < MAGLEV_ENTRIES; e++)
		shares[before[e]]++;
	for (uint32_t i = 0; i < 3; i++)
		CU_ASSERT(shares[i] * 8 >= MAGLEV_ENTRIES * (i == 2 ? 5 : i + 1) * 99 / 100 &&
			  shares[i] * 8 <= MAGLEV_ENTRIES * (i == 2 ? 5 : i + 1) * 101 / 100);
}

SUITE(maglev, TEST(equal_weights_have_equal_shares), TEST(when_one_of_n_goes_no_other_sender_moves),
      TEST(when_one_of_n_is_named_no_more_few_others_move), TEST(the_order_in_which_they_are_named_does_not_count),
      TEST(a_weight_is_a_share))
