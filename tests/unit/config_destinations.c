/* config_destinations.c - names, weights, backups and health in the configuration. */
#include "config/destinations.h"

#include <string.h>

#include "loads.h"
#include "suites.h"

#define HEAD "[class a]\nlisten = 127.0.0.1:1\nsend = 10.0.0.1:7 10.0.0.2:7\n"

static void check_health(const char *text, enum alive_kind kind)
{
	char lines[512], again[VALUE_BYTES];
	struct config c;

	snprintf(lines, sizeof(lines), "%s%shealth = %s\n%s", HEAD, kind == ALIVE_QUIET ? "replies = b\n" : "", text,
		 kind == ALIVE_QUIET ? "[class b]\n" : "");
	c = accepted(lines);
	CU_ASSERT_EQUAL(c.classes[0].alive.kind, kind);
	alive_format(&c.classes[0].alive, again);
	CU_ASSERT_STRING_EQUAL(again, text);
}

static void each_kind_of_health_is_read_and_printed_alike(void)
{
	check_health("off", ALIVE_OFF);
	check_health("icmp", ALIVE_ICMP);
	check_health("tcp:8080", ALIVE_TCP);
	check_health("http:80/a/b?c=d", ALIVE_HTTP);
	check_health("udp:70696e67=", ALIVE_UDP);
	check_health("udp:=00ff", ALIVE_UDP);
	check_health("quiet:2s", ALIVE_QUIET);
}

#define USE "use off, icmp, tcp:PORT, http:PORT/PATH, udp:HEX=HEX or quiet:TIME (for example tcp:8080)"

static void what_is_no_health_is_refused_with_what_is(void)
{
	refused(HEAD "health = ping\n", "FILE:4: health = \"ping\": unknown choice; " USE);
	refused(HEAD "health = tcp:0\n", "FILE:4: health = \"tcp:0\": not a port; " USE);
	refused(HEAD "health = tcp:80x\n", "FILE:4: health = \"tcp:80x\": not a port; " USE);
	refused(HEAD "health = http:80\n", "FILE:4: health = \"http:80\": not a port with a path; " USE);
	refused(HEAD "health = udp:7=\n", "FILE:4: health = \"udp:7=\": not a question and how its answer begins, each "
					  "up to 64 bytes as pairs of "
					  "hex digits (for example udp:70696e67=706f6e67)");
	refused(HEAD "health = quiet:2s\n", "FILE:4: health = \"quiet:2s\": class a has no replies to be missed; add "
					    "`replies`, or use another");
}

static void a_weight_is_a_number_behind_a_star(void)
{
	struct config c =
		accepted("[class a]\nlisten = 127.0.0.1:1\nsend = 10.0.0.1:7*3\n\t10.0.0.2:7 10.0.0.3:7*64\n");
	char text[VALUE_BYTES];

	CU_ASSERT(destinations_weight(&c.classes[0], 0) == 3 && destinations_weight(&c.classes[0], 1) == 1 &&
		  destinations_weight(&c.classes[0], 2) == 64);
	value_format(&options[option_find(SCOPE_CLASS, "send")], &c.classes[0], text);
	CU_ASSERT_STRING_EQUAL(text, "10.0.0.1:7*3 10.0.0.2:7 10.0.0.3:7*64");
	refused("[class a]\nlisten = 127.0.0.1:1\nsend = 10.0.0.1:7*65\n",
		"FILE:3: send = \"10.0.0.1:7*65\": \"10.0.0.1:7*65\": the weight after * is a number from 1 to 64");
}

static void what_is_drained_or_a_backup_fits_the_rest(void)
{
	char many[TEXT_BYTES] = "[class a]\nlisten = 127.0.0.1:1\nsend =";

	CU_ASSERT_EQUAL(
		accepted(HEAD "backup = 10.0.1.1:7 10.0.1.2:7\ndrain = 10.0.0.2:7 10.0.1.1:7\n").classes[0].n_dests, 4);
	refused(HEAD "drain = 10.0.0.3:7\n", "FILE:4: drain = \"10.0.0.3:7\": 10.0.0.3:7 is no destination of class a; "
					     "write it as `send` has it");
	for (int i = 0; i < MAX_DESTS; i++)
		sprintf(many + strlen(many), " 10.0.0.%d:7", i + 1);
	strcat(many, "\nbackup = 10.0.1.1:7\n");
	refused(many, "FILE:4: backup = \"10.0.1.1:7\": more than 64 destinations with those of `send`");
}

static void a_group_has_nobody_to_ask(void)
{
	refused("[class a]\nlisten = 127.0.0.1:1\nsend = 239.1.2.3:7\nhealth = icmp\n",
		"FILE:4: health = \"icmp\": class a sends to 239.1.2.3:7, which is no single destination");
}

/* With resolve a destination is its name: another address is no other configuration. */
static void names_stay_when_addresses_change(void)
{
	static const char text[] =
		"[class a]\nlisten = 127.0.0.1:1\nsend = sink.example:7*2\n%s\n[hosts]\nsink.example = %s\n";
	struct config c[2];
	char lines[512];

	for (int resolves = 0; resolves < 2; resolves++) {
		for (int i = 0; i < 2; i++) {
			snprintf(lines, sizeof(lines), text, resolves ? "resolve = 30s" : "budget = 1ms",
				 i ? "10.0.0.9" : "10.0.0.8");
			c[i] = accepted(lines);
		}
		CU_ASSERT_EQUAL(config_digest(&c[0]) == config_digest(&c[1]), resolves);
		CU_ASSERT_EQUAL(config_log_changes(&c[0], &c[1], false), !resolves);
	}
}

SUITE(config_destinations, TEST(each_kind_of_health_is_read_and_printed_alike),
      TEST(what_is_no_health_is_refused_with_what_is), TEST(a_weight_is_a_number_behind_a_star),
      TEST(what_is_drained_or_a_backup_fits_the_rest), TEST(a_group_has_nobody_to_ask),
      TEST(names_stay_when_addresses_change))
