/* config_dash.c - section [dash]: where the dashboard serves. */
#include <CUnit/CUnit.h>
#include <string.h>

#include "loads.h"
#include "suites.h"

static void without_the_section_no_dashboard_is_asked_for(void)
{
	struct config c = accepted(CLASS_TEXT);

	CU_ASSERT_EQUAL(c.n_dash_listen, 0);
	check_equal(c.dash_allow_host, "");
	check_equal(c.dash_token, "");
}

static void the_section_says_where_and_by_which_names(void)
{
	struct config c =
		accepted("[dash]\nlisten = [::1]:9999 ; loopback\nallow_host = Relay.example \t r2\n" CLASS_TEXT);

	CU_ASSERT_EQUAL(c.n_dash_listen, 1);
	check_address(&c.dash_listen, "[::1]:9999");
	check_equal(c.dash_allow_host, "Relay.example r2");
	CU_ASSERT_EQUAL(c.n_classes, 1);
}

static void what_cannot_be_is_refused(void)
{
	refused("[dash]\nlisten = 127.0.0.1:1 127.0.0.1:2\n",
		"FILE:2: listen = \"127.0.0.1:1 127.0.0.1:2\": more than 1 addresses");
	refused("[dash]\nallow_host = a/b\n",
		"FILE:2: allow_host = \"a/b\": \"a/b\" is no host name; use letters, digits, . and -");
	refused("[dash]\nallow_host = a b c d e f g h i\n",
		"FILE:2: allow_host = \"a b c d e f g h i\": more than 8 names");
	refused("[dash]\nallow_host =\n",
		"FILE:2: allow_host = \"\": a value is missing; use names, with a blank between two");
	refused("[dash]\n[dash]\n", "FILE:2: [dash]: given twice, first on line 1");
	refused("[dash]\nlisten = 127.0.0.1:1\nlisten = 127.0.0.1:2\n",
		"FILE:3: listen = \"127.0.0.1:2\": given twice, first on line 2");
}

static void a_token_is_a_file_from_the_root_on(void)
{
	struct config c = accepted("[dash]\ntoken = /etc/ontime/token\n" CLASS_TEXT);

	check_equal(c.dash_token, "/etc/ontime/token");
	refused("[dash]\ntoken = token\n",
		"FILE:2: token = \"token\": not from the root; use the whole name of a file, from "
		"/ on");
	refused("[dash]\ntoken =\n",
		"FILE:2: token = \"\": a value is missing; use the whole name of a file, from / on");
}

static void as_whom_it_runs_is_a_name_and_no_part_of_what_it_is(void)
{
	struct config with = accepted("[pipeline]\nuser = relay\nobservers = watchers\n" CLASS_TEXT),
		      without = accepted(CLASS_TEXT);

	check_equal(with.user, "relay");
	check_equal(with.observers, "watchers");
	check_equal(without.user, "auto");
	check_equal(without.observers, "none");
	CU_ASSERT_EQUAL(config_digest(&with), config_digest(&without));
	refused("[pipeline]\nuser = a b\n", "FILE:2: user = \"a b\": not a name; use 1 to 32 of a-z, 0-9, _ and -");
}

static void a_key_elsewhere_is_told_where_it_belongs(void)
{
	refused("[dash]\nbudget = 1ms\n", "FILE:2: budget = \"1ms\": a key of a class, not of [dash]");
	refused("[dash]\npolicy = edf\n", "FILE:2: policy = \"edf\": a key of [pipeline], not of [dash]");
	refused("[pipeline]\nallow_host = a\n", "FILE:2: allow_host = \"a\": a key of [dash], not of [pipeline]");
	refused("[dash]\nallow_hosts = a\n", "FILE:2: allow_hosts = \"a\": unknown key; did you mean allow_host?");
}

static void the_command_line_has_it_too_and_a_class_of_that_name_goes_first(void)
{
	char why[TEXT_BYTES] = "", words[2][40] = { "x", "--dash.listen=127.0.0.1:7" };
	char *argv[] = { words[0], words[1], NULL };
	char text[] = "[class dash]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2\n";
	struct config c;

	CU_ASSERT_EQUAL_FATAL(config_load(&c, NULL, 2, argv, why, sizeof(why)), 0);
	check_address(&c.dash_listen, "127.0.0.1:7");
	CU_ASSERT_EQUAL(here(text, words[1], why), 0);
	check_equal(why, "");
}

static void it_is_no_part_of_what_an_instance_is(void)
{
	struct config with = accepted("[dash]\nlisten = 127.0.0.1:9\n" CLASS_TEXT), without = accepted(CLASS_TEXT);
	char text[TEXT_BYTES];

	CU_ASSERT_EQUAL(config_digest(&with), config_digest(&without));
	CU_ASSERT_EQUAL(changes(&without, &with, text), 0);
	check_equal(text, "dash.listen: none -> 127.0.0.1:9\n");
}

SUITE(config_dash, TEST(without_the_section_no_dashboard_is_asked_for), TEST(the_section_says_where_and_by_which_names),
      TEST(what_cannot_be_is_refused), TEST(a_token_is_a_file_from_the_root_on),
      TEST(as_whom_it_runs_is_a_name_and_no_part_of_what_it_is), TEST(a_key_elsewhere_is_told_where_it_belongs),
      TEST(the_command_line_has_it_too_and_a_class_of_that_name_goes_first), TEST(it_is_no_part_of_what_an_instance_is))
