/* config_addresses.c - where classes listen and send: what is an address, and what is none. */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "loads.h"
#include "suites.h"

/* An interface may come later, and come back with another index: neither is a mistake, nor another config. */
static void a_scope_is_kept_as_it_was_written(void)
{
	static const char *const scoped[] = { "[fe80::1%nosuchif]:2", "[fe80::1%fifteen_letters]:2", "[fe80::1%lo]:2",
					      "[fe80::1%77]:2" };
	struct sockaddr_storage now;
	char argument[128];

	for (size_t i = 0; i < sizeof(scoped) / sizeof(scoped[0]); i++) {
		struct config c;
		const struct sockaddr_in6 *at = (const struct sockaddr_in6 *)&now;

		snprintf(argument, sizeof(argument), "--high.send=%s", scoped[i]);
		c = argument_accepted(argument);
		check_address(&c.classes[0].dests[0], scoped[i]);
		CU_ASSERT_EQUAL(address_resolve(&c.classes[0].dests[0], &now), i < 2 ? -ENODEV : 0);
		CU_ASSERT_EQUAL(at->sin6_scope_id, i < 2 ? 0 : i == 2 ? if_nametoindex("lo") : 77);
	}
}

static void an_unset_address_is_printed_as_such(void)
{
	struct address a = { 0 };

	check_address(&a, "unset");
}

#define ADDRESS_USE                                                                                                    \
	"use ADDRESS:PORT or NAME:PORT, several with blanks between (for example 127.0.0.1:8080 [::1]:8080 "           \
	"sink.example:8080)"

static const char *const no_addresses[] = { "localhost:0",
					    "localhost",
					    "-host:80",
					    "host-:80",
					    "a..b:80",
					    ".a:80",
					    "a.:80",
					    "a.1:80",
					    "a+b:80",
					    "127.0.0.1",
					    "127.0.0.1:",
					    "127.0.0.1:0",
					    "127.0.0.1:65536",
					    "127.0.0.1:+1",
					    "127.1:80",
					    "::1:80",
					    "[::1]80",
					    "[]:80",
					    ":80",
					    "*:80",
					    "[fe80::1%]:80",
					    "[fe80::1%0]:80",
					    "[fe80::1%sixteen_letters0]:80",
					    "[fe80::1%a/b]:80",
					    "1.2.3.4:80,",
					    "[::1]:080808" };

static void many_are_refused(void)
{
	char argument[TEXT_BYTES] = "--high.send=";

	for (int i = 0; i <= MAX_DESTS; i++)
		strcat(argument, "1.1.1.1:1 ");
	argument_refused(argument,
			 "command line: --high.send=\"1.1.1.1:1 1.1.1.1:1 1.1.1.1:1 1.1.1.1:1 1.1.1.1:1 1.1.1.1:1 \": "
			 "more than 64 addresses");
}

static void an_address_is_a_number_or_a_name_and_has_a_port(void)
{
	for (size_t i = 0; i < sizeof(no_addresses) / sizeof(no_addresses[0]); i++) {
		char argument[128], line[512];

		snprintf(argument, sizeof(argument), "--high.send=%s", no_addresses[i]);
		snprintf(line, sizeof(line),
			 "command line: --high.send=\"%s\": \"%s\" is neither an address nor a host name with a "
			 "port from 1 to 65535; " ADDRESS_USE,
			 no_addresses[i], no_addresses[i]);
		argument_refused(argument, line);
	}
	refused("[class a]\nsend = 127.0.0.1:2\nlisten = 127.0.0.1:5000-5009\n",
		"FILE:3: listen = \"127.0.0.1:5000-5009\": \"127.0.0.1:5000-5009\" is a range of ports: name each, 4 "
		"in a "
		"class at most, or have the kernel redirect them to one (nft: udp dport 5000-5009 redirect to :5000)");
	refused("[class a]\nsend = 127.0.0.1:2\nlisten =\n", "FILE:3: listen = \"\": a value is missing; " ADDRESS_USE);
	refused("[class a]\nsend = 127.0.0.1:2\nlisten = 1.1.1.1:1 1.1.1.1:2 1.1.1.1:3 1.1.1.1:4 1.1.1.1:5\n",
		"FILE:3: listen = \"1.1.1.1:1 1.1.1.1:2 1.1.1.1:3 1.1.1.1:4 1.1.1.1:5\": more than 4 addresses");
	many_are_refused();
}

static void everywhere_is_both_families(void)
{
	struct config c = argument_accepted("--high.listen=*:7");

	check_address(&c.classes[0].listen[0], "0.0.0.0:7");
	if (c.classes[0].n_listen == 2)
		check_address(&c.classes[0].listen[1], "[::]:7");
	CU_ASSERT_EQUAL(c.classes[0].n_listen, access("/proc/net/if_inet6", F_OK) == 0 ? 2 : 1);
}

static void a_group_is_received_by_the_interface_it_names(void)
{
	static const char *const groups[] = { "224.0.0.1:1", "239.255.255.255:1", "[ff05::2]:1" };
	struct config c = argument_accepted("--high.listen=239.1.2.3%lo:1 [ff02::1%1]:1 [ff05::2%lo]:1");

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		char argument[128], line[512];

		snprintf(argument, sizeof(argument), "--high.listen=127.0.0.1:5 %s", groups[i]);
		snprintf(line, sizeof(line),
			 "command line: --high.listen=\"127.0.0.1:5 %s\": \"%s\": is a group, which comes in by an "
			 "interface: name it (for example 239.1.2.3%%eth0:8080 or [ff05::2%%eth0]:8080)",
			 groups[i], groups[i]);
		argument_refused(argument, line);
	}
	check_address(&c.classes[0].listen[0], "239.1.2.3%lo:1");
	check_address(&c.classes[0].listen[2], "[ff05::2%lo]:1");
	CU_ASSERT_EQUAL(group_interface(&c.classes[0].listen[0]), 1);
	CU_ASSERT_EQUAL(group_interface(&c.classes[0].listen[2]), 1);
	argument_refused(
		"--high.send=10.0.0.1%eth0:1",
		"command line: --high.send=\"10.0.0.1%eth0:1\": \"10.0.0.1%eth0:1\" is neither an address nor a "
		"host name with a port from 1 to 65535; " ADDRESS_USE);
	argument_refused(
		"--high.send=239.1.2.3%1:1",
		"command line: --high.send=\"239.1.2.3%1:1\": \"239.1.2.3%1:1\" is neither an address nor a host "
		"name with a port from 1 to 65535; " ADDRESS_USE);
}

static void only_a_group_has_sources_and_no_rules(void)
{
	struct config c = accepted("[class a]\nlisten = 239.1.2.3%lo:1\nsend = 127.0.0.1:2\n"
				   "group_sources = 10.0.0.9 2001:db8::9\n");
	char text[VALUE_BYTES];

	CU_ASSERT_EQUAL(c.classes[0].group_sources.n, 2);
	check_equal(value_format(&options[option_find(SCOPE_CLASS, "group_sources")], &c.classes[0], text),
		    "10.0.0.9 2001:db8::9");
	refused(CLASS_TEXT "group_sources = 10.0.0.9\n",
		"FILE:4: group_sources = \"10.0.0.9\": class a listens on no multicast group");
	refused(CLASS_TEXT "group_sources = 239.1.1.1\n",
		"FILE:4: group_sources = \"239.1.1.1\": \"239.1.1.1\" is no sender's address (for example 10.0.0.9)");
	refused("[class a]\nlisten = 239.1.2.3%lo:1\nsend = 127.0.0.1:2\nmatch = dscp ef\n"
		"[class b]\nlisten = 239.1.2.3%lo:1\nsend = 127.0.0.1:2\n",
		"FILE:4: match = \"dscp ef\": class a listens on a multicast group, of which each socket gets each "
		"datagram; rules do not hold there");
}

static void broadcasts_are_asked_for(void)
{
	struct config c = accepted("[class a]\nlisten = 255.255.255.255:1\nsend = 255.255.255.255:2\nbroadcast = on\n");

	CU_ASSERT_EQUAL(c.classes[0].broadcast, 1);
	refused("[class a]\nlisten = 255.255.255.255:1\nsend = 255.255.255.255:2\n",
		"FILE:2: listen = \"255.255.255.255:1\": a broadcast address; that is asked for by broadcast = on\n"
		"FILE:3: send = \"255.255.255.255:2\": a broadcast address; that is asked for by broadcast = on");
	CU_ASSERT_EQUAL(argument_accepted("--high.listen=223.255.255.255:1").classes[0].n_listen, 1);
	CU_ASSERT_EQUAL(argument_accepted("--high.listen=240.0.0.1:1").classes[0].n_listen, 1);
	CU_ASSERT_EQUAL(argument_accepted("--high.listen=[::]:1 0.0.0.0:1").classes[0].n_listen, 2);
	everywhere_is_both_families();
}

static void what_cannot_be_sent_to_is_refused_with_what_to_do(void)
{
	argument_refused("--high.send=0.0.0.0:1",
			 "command line: --high.send=\"0.0.0.0:1\": \"0.0.0.0:1\": stands for any "
			 "address, which is none to send to; name the receiver's");
	argument_refused("--high.send=[::]:1", "command line: --high.send=\"[::]:1\": \"[::]:1\": stands for any "
					       "address, which is none to send to; name the receiver's");
	CU_ASSERT_EQUAL(argument_accepted("--high.send=239.1.2.3:1 [ff05::2]:1").classes[0].n_dests, 2);
}

/* address_refused - as a place to listen and as one to send to, for the same reason. */
static void address_refused(const char *address, const char *reason)
{
	static const char *const keys[] = { "listen", "send" };
	char argument[128], line[512];

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		snprintf(argument, sizeof(argument), "--high.%s=%s", keys[i], address);
		snprintf(line, sizeof(line), "command line: --high.%s=\"%s\": \"%s\": %s", keys[i], address, address,
			 reason);
		argument_refused(argument, line);
	}
}

static void an_address_has_its_own_form_and_a_link_is_named(void)
{
	static const char link[] = "is on each link another; add %INTERFACE (for example [fe80::1%eth0]:8080)";

	address_refused("[::ffff:127.0.0.1]:1",
			"is an IPv4 address in IPv6 form; write it as IPv4 (for example 127.0.0.1:8080)");
	address_refused("[::ffff:a00:1]:1",
			"is an IPv4 address in IPv6 form; write it as IPv4 (for example 127.0.0.1:8080)");
	address_refused("[fe80::1]:1", link);
	address_refused("[febf::1]:1", link);
	argument_refused("--high.send=[ff02::5]:1",
			 "command line: --high.send=\"[ff02::5]:1\": \"[ff02::5]:1\": is on each link another; add "
			 "%INTERFACE (for example [fe80::1%eth0]:8080)");
	CU_ASSERT_EQUAL(argument_accepted("--high.send=[ff02::5%1]:1 [ff05::5]:1 [fec0::1]:1").classes[0].n_dests, 3);
	CU_ASSERT_EQUAL(argument_accepted("--high.listen=[fe80::1%1]:1").classes[0].n_listen, 1);
}

#define LONG_ADDRESS "[2001:db8:1111:2222:3333:4444:5555:7777]:6100"

static void addresses_go_on_in_an_indented_line(void)
{
	struct config c = accepted("[class a]\nlisten = 127.0.0.1:1 ; one\n\t127.0.0.2:1 [::1]:1 ; two, three\n"
				   "send = " LONG_ADDRESS "1 " LONG_ADDRESS "2\n ; none\n  " LONG_ADDRESS
				   "3 " LONG_ADDRESS "4 " LONG_ADDRESS "5\n\n\t" LONG_ADDRESS "6 " LONG_ADDRESS
				   "7 " LONG_ADDRESS "8\n  budget = 7ms\n  [class b]\n\tlisten = 127.0.0.1:3\r\n"
				   "\tsend = 127.0.0.1:4\r\n\t127.0.0.1:5\r\n");
	char expected[ADDRESS_BYTES];

	CU_ASSERT_EQUAL_FATAL(c.classes[0].n_listen, 3);
	check_address(&c.classes[0].listen[1], "127.0.0.2:1");
	CU_ASSERT_EQUAL_FATAL(c.classes[0].n_dests, 8);
	for (int i = 0; i < 8; i++) {
		snprintf(expected, sizeof(expected), LONG_ADDRESS "%d", i + 1);
		check_address(&c.classes[0].dests[i], expected);
	}
	CU_ASSERT_EQUAL(c.classes[0].budget_ns, 7000000);
	CU_ASSERT_EQUAL_FATAL(c.n_classes, 2);
	CU_ASSERT_EQUAL(c.classes[1].n_dests, 2);
}

static void as_many_of_the_longest_addresses_as_there_can_be_fit(void)
{
	static const char one[] = "[fe80:1111:2222:3333:4444:5555:6666:77%02d%%fifteen_letters]:610%02d";
	char text[TEXT_BYTES] = "[class a]\nlisten = 127.0.0.1:1\nsend = ";
	struct config c;

	for (int i = 0; i < MAX_DESTS; i++) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, one, i, i);
		strcat(text, i % 2 ? "\n " : " ");
	}
	strcat(text, "\n");
	c = accepted(text);
	CU_ASSERT_EQUAL(c.classes[0].n_dests, MAX_DESTS);
}

static void a_list_of_addresses_that_goes_on_is_judged_as_one(void)
{
	char text[TEXT_BYTES] = CLASS_TEXT;

	for (int i = 1; i < MAX_DESTS; i++)
		strcat(text, " 1.1.1.1:1\n");
	accepted(text);
	strcat(text, " 1.1.1.1:6 1.1.1.1:7 1.1.1.1:8\n");
	refused(text, "FILE:67: send = \"1.1.1.1:6 1.1.1.1:7 1.1.1.1:8\": more than 64 addresses");
	refused(CLASS_TEXT " 1.1.1.1:1 1.1.1.1\n", "FILE:4: send = \"1.1.1.1:1 1.1.1.1\": \"1.1.1.1\" is neither an "
						   "address nor a host name with a port from 1 to "
						   "65535; " ADDRESS_USE);
	refused(CLASS_TEXT " 127.0.0.1:1\n", "FILE:3: send = \"127.0.0.1:2 127.0.0.1:1\": class a listens there "
					     "(127.0.0.1:1): each datagram would go "
					     "round for ever, a -> a; send it elsewhere");
	refused(CLASS_TEXT "budget = 1ms\n 127.0.0.1:7\n",
		"FILE:5: addresses, but the line before is none of listen, send, allow and deny");
	refused("[class a]\n 127.0.0.1:7\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2\n",
		"FILE:2: addresses, but the line before is none of listen, send, allow and deny");
	refused(CLASS_TEXT "127.0.0.1:7\n", "FILE:4: 127.0.0.1 = \"7\": unknown key; ontime options shows all keys");
}

SUITE(config_addresses, TEST(a_scope_is_kept_as_it_was_written), TEST(an_unset_address_is_printed_as_such),
      TEST(an_address_is_a_number_or_a_name_and_has_a_port), TEST(a_group_is_received_by_the_interface_it_names),
      TEST(only_a_group_has_sources_and_no_rules), TEST(broadcasts_are_asked_for),
      TEST(what_cannot_be_sent_to_is_refused_with_what_to_do), TEST(an_address_has_its_own_form_and_a_link_is_named),
      TEST(addresses_go_on_in_an_indented_line), TEST(as_many_of_the_longest_addresses_as_there_can_be_fit),
      TEST(a_list_of_addresses_that_goes_on_is_judged_as_one))
