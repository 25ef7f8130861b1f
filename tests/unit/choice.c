/* choice.c - which destination is chosen, by what the scout says; and the scout's pure parts. */
#include "stage/choice.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/destinations.h"
#include "loads.h"
#include "run/scout/look.h"
#include "run/scout/verdict.h"
#include "shm/destination.h"
#include "suites.h"

#define HEAD "[class a]\nlisten = 127.0.0.1:1\n"
#define FOUR "send = 10.0.0.1:7 10.0.0.2:7 10.0.0.3:7 10.0.0.4:7\n"

static struct config config;
static struct lane_view view;
static struct choice *choice;

static struct class_config *begin(const char *lines)
{
	char text[TEXT_BYTES];
	int err;

	snprintf(text, sizeof(text), HEAD "%s", lines);
	config = accepted(text);
	free(view.destinations);
	free(choice);
	view.n_destinations = config.classes[0].n_dests;
	view.destinations = aligned_alloc(LINE, sizeof(*view.destinations) +
							view.n_destinations * sizeof(view.destinations->all[0]));
	memset(view.destinations, 0,
	       sizeof(*view.destinations) + view.n_destinations * sizeof(view.destinations->all[0]));
	choice = choice_make(&config.classes[0], &err);
	if (choice)
		choice_look(choice, &config.classes[0], &view);
	return &config.classes[0];
}

static struct destination_state state_of(uint32_t i)
{
	struct destination_state s = { .name = "x" };

	memcpy(&s.address, &config.classes[0].dests[i].at, sizeof(s.address));
	return s;
}

static void say(uint32_t i, enum destination_is is)
{
	struct destination_state s = state_of(i);

	s.is = is;
	destination_write(&view.destinations->all[i], &s);
	destination_raise(view.destinations);
	CU_ASSERT_EQUAL(choice_look(choice, &config.classes[0], &view), 1);
	CU_ASSERT_EQUAL(choice_look(choice, &config.classes[0], &view), 0);
}

/* A bit for each that senders have. */
static uint64_t used(void)
{
	uint64_t all = 0;

	for (uint32_t hash = 0; hash < 65536; hash++)
		if (choice_of(choice, hash) != CHOICE_NONE)
			all |= 1ULL << choice_of(choice, hash);
	return all;
}

static void without_any_of_it_there_is_nothing_to_choose_by(void)
{
	begin(FOUR);
	CU_ASSERT_PTR_NULL(choice);
}

static void with_all_up_a_hash_chooses_as_without(void)
{
	begin(FOUR "health = icmp\n");
	CU_ASSERT_PTR_NOT_NULL_FATAL(choice);
	for (uint32_t hash = 0; hash < 65536; hash++)
		CU_ASSERT_EQUAL(choice_of(choice, hash), hash % 4);
}

static void one_that_is_down_takes_nothing_until_it_is_up(void)
{
	static const char *const ways[] = { "hash", "maglev", "first" };

	for (size_t w = 0; w < 3; w++) {
		char lines[256];

		snprintf(lines, sizeof(lines), FOUR "health = icmp\nspread = %s\n", ways[w]);
		begin(lines);
		CU_ASSERT_EQUAL(used(), w == 2 ? 1 : 15);
		say(0, DESTINATION_DOWN);
		CU_ASSERT(choice_is_down(choice, 0) && !choice_is_down(choice, 1));
		CU_ASSERT_EQUAL(used(), w == 2 ? 2 : 14);
		say(0, DESTINATION_UP);
		CU_ASSERT_EQUAL(used(), w == 2 ? 1 : 15);
	}
}

static void backups_are_used_while_there_is_no_other(void)
{
	begin("backup = 10.0.1.1:7\nsend = 10.0.0.1:7 10.0.0.2:7\nhealth = icmp\n");
	CU_ASSERT_EQUAL(used(), 3);
	say(0, DESTINATION_DOWN);
	CU_ASSERT_EQUAL(used(), 2);
	say(1, DESTINATION_DOWN);
	CU_ASSERT_EQUAL(used(), 4);
	say(2, DESTINATION_DOWN);
	CU_ASSERT_EQUAL(choice->n_entries, 0);
	CU_ASSERT_EQUAL(choice_of(choice, 5), CHOICE_NONE);
	say(1, DESTINATION_UP);
	CU_ASSERT_EQUAL(used(), 2);
}

static void what_is_drained_takes_no_new_senders_and_is_not_down(void)
{
	begin(FOUR "drain = 10.0.0.2:7\n");
	CU_ASSERT_EQUAL(used(), 13);
	CU_ASSERT(!choice_is_down(choice, 1));
}

static void a_weight_counts_as_that_many(void)
{
	uint32_t shares[2] = { 0 };

	begin("send = 10.0.0.1:7*3 10.0.0.2:7\n");
	for (uint32_t hash = 0; hash < 65536; hash++)
		shares[choice_of(choice, hash)]++;
	CU_ASSERT(shares[0] == 49152 && shares[1] == 16384);
}

static void sixty_four_of_the_largest_weight_fit(void)
{
	char lines[4096] = "send =";

	for (int i = 0; i < MAX_DESTS; i++)
		sprintf(lines + strlen(lines), " 10.0.0.%d:7*%d", i + 1, MOST_WEIGHT);
	strcat(lines, "\n");
	begin(lines);
	CU_ASSERT_EQUAL(choice->n_entries, MAX_DESTS * MOST_WEIGHT);
	CU_ASSERT_EQUAL(used(), UINT64_MAX);
}

static void an_address_is_taken_where_names_are_asked_for(void)
{
	struct class_config *c = begin("send = sink.example:7 10.0.0.2:7\nresolve = 30s\n");
	struct destination_state s;
	struct sockaddr_in *at = (struct sockaddr_in *)&s.address;

	CU_ASSERT_PTR_NOT_NULL_FATAL(choice);
	choice->moved = 0;
	for (int i = 0; i < 2; i++) {
		s = state_of((uint32_t)i);
		inet_pton(AF_INET, "10.9.9.9", &at->sin_addr);
		destination_write(&view.destinations->all[i], &s);
	}
	destination_raise(view.destinations);
	choice_look(choice, c, &view);
	CU_ASSERT_EQUAL(choice->moved, 1);
	CU_ASSERT_EQUAL(((struct sockaddr_in *)&c->dests[0].at)->sin_addr.s_addr, at->sin_addr.s_addr);
	CU_ASSERT_NOT_EQUAL(((struct sockaddr_in *)&c->dests[1].at)->sin_addr.s_addr, at->sin_addr.s_addr);
	at->sin_port = htons(9); /* no scout says that */
	inet_pton(AF_INET, "10.9.9.8", &at->sin_addr);
	destination_write(&view.destinations->all[0], &s);
	destination_raise(view.destinations);
	choice_look(choice, c, &view);
	CU_ASSERT_NOT_EQUAL(((struct sockaddr_in *)&c->dests[0].at)->sin_addr.s_addr, at->sin_addr.s_addr);
}

static void a_name_is_what_a_destination_is_known_by(void)
{
	struct class_config *c = begin("send = sink.example:7*2 127.0.0.2:7\nbackup = sink.example:8\nresolve = 1s\n");
	char text[VALUE_BYTES];

	CU_ASSERT_STRING_EQUAL(destinations_name(c, 0, text), "sink.example:7");
	CU_ASSERT_STRING_EQUAL(destinations_name(c, 1, text), "127.0.0.2:7");
	CU_ASSERT_STRING_EQUAL(destinations_name(c, 2, text), "sink.example:8");
	CU_ASSERT(destinations_is_backup(c, 2) && !destinations_is_backup(c, 1));
}

/* Half of a block is never read: what was written before is there until the last store. */
static void a_scout_that_dies_in_the_middle_leaves_what_it_said_before(void)
{
	struct destination d;
	struct destination_state s = { .is = DESTINATION_DOWN, .address.sin6_family = AF_INET }, seen;

	memset(&d, 0, sizeof(d));
	CU_ASSERT_EQUAL(destination_read(&d, &seen), 0);
	destination_write(&d, &s);
	for (size_t w = 0; w < DESTINATION_WORDS; w++) {
		atomic_store_explicit(&d.banks[~d.serial & 1][w], UINT64_MAX, memory_order_relaxed);
		CU_ASSERT_EQUAL(destination_read(&d, &seen), 1);
		CU_ASSERT_EQUAL(seen.is, DESTINATION_DOWN);
	}
	s.is = N_DESTINATION_STATES;
	destination_write(&d, &s);
	CU_ASSERT_EQUAL(destination_read(&d, &seen), 0); /* it makes no sense */
}

static void a_row_of_looks_makes_a_verdict(void)
{
	struct verdict v = { 0 };
	static const char looks[] = "+--+---+++-+-++", down[] = "000000111000000";

	for (size_t i = 0; i < sizeof(looks) - 1; i++) {
		verdict_note(&v, looks[i] == '+', 3, 2);
		if (i < 6)
			CU_ASSERT_EQUAL(v.is_down, 0);
	}
	CU_ASSERT_EQUAL(v.is_down, 0);
	v = (struct verdict){ 0 };
	for (size_t i = 0; i < sizeof(looks) - 1; i++) {
		verdict_note(&v, looks[i] == '+', 3, 2);
		CU_ASSERT_EQUAL(v.is_down, (uint32_t)(down[i] - '0') && i != 8);
	}
	v = (struct verdict){ 0 };
	CU_ASSERT_EQUAL(verdict_note(&v, 0, 3, 2), 1); /* the first decides alone */
}

static void an_http_status_is_read(void)
{
	static const struct {
		const char *text;
		uint32_t status;
	} cases[] = { { "HTTP/1.1 200 OK", 200 }, { "HTTP/1.0 503 no", 503 }, { "HTTP/1.1 20", 0 },
		      { "HTTP/1.1 2x0 OK", 0 },	  { "SSH-2.0-OpenSSH", 0 },   { "", 0 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_EQUAL(look_status(cases[i].text, (uint32_t)strlen(cases[i].text)), cases[i].status);
}

SUITE(choice, TEST(without_any_of_it_there_is_nothing_to_choose_by), TEST(with_all_up_a_hash_chooses_as_without),
      TEST(one_that_is_down_takes_nothing_until_it_is_up), TEST(backups_are_used_while_there_is_no_other),
      TEST(what_is_drained_takes_no_new_senders_and_is_not_down), TEST(a_weight_counts_as_that_many),
      TEST(sixty_four_of_the_largest_weight_fit), TEST(an_address_is_taken_where_names_are_asked_for),
      TEST(a_name_is_what_a_destination_is_known_by), TEST(a_scout_that_dies_in_the_middle_leaves_what_it_said_before),
      TEST(a_row_of_looks_makes_a_verdict), TEST(an_http_status_is_read))
