/* config_conflicts.c - values that cannot work together, or not on this machine. */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <string.h>

#include "config/cycle.h"
#include "loads.h"
#include "shm/segment.h"
#include "suites.h"

static void a_listen_address_belongs_to_one_class_only(void)
{
	refused(CLASS_TEXT "[class b]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2\n",
		"FILE:5: listen = \"127.0.0.1:1\": class a listens on 127.0.0.1:1 already; to share it, that class "
		"needs `match` (for example match = dscp ef)");
	refused(CLASS_TEXT "[class b]\nlisten = [::1]:1 0.0.0.0:1\nsend = 127.0.0.1:2\n",
		"FILE:5: listen = \"[::1]:1 0.0.0.0:1\": class a listens on 127.0.0.1:1 already");
	refused("[class b]\nlisten = [::1]:1 [::1]:1\nsend = 127.0.0.1:2\n",
		"FILE:2: listen = \"[::1]:1 [::1]:1\": class b listens on [::1]:1 already");
	argument_refused("--low.listen=127.0.0.1:8080",
			 "command line: --low.listen=\"127.0.0.1:8080\": class high listens on 127.0.0.1:8080 already; "
			 "to share it, that class needs `match` (for example match = dscp ef)");
	argument_refused("--high.listen=127.0.0.1:8083",
			 "defaults: [class besteffort] listen = \"127.0.0.1:8083\" (the "
			 "default): class high listens on 127.0.0.1:8083 already; to share it, that class needs "
			 "`match` (for example match = dscp ef)");
}

static void classes_share_an_address_if_all_but_the_last_have_a_rule(void)
{
	struct config c = accepted("[class a]\nlisten = 127.0.0.1:1 [::1]:1\nsend = 127.0.0.1:2\nmatch = dscp ef\n"
				   "[class b]\nlisten = [::1]:1\nsend = 127.0.0.1:2\nmatch = size <= 9\n"
				   "[class c]\nlisten = [::1]:1 127.0.0.1:1\nsend = 127.0.0.1:2\n");

	CU_ASSERT_EQUAL(c.classes[0].match.n, 1);
	refused("[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2\nmatch = dscp ef\n",
		"FILE:4: match = \"dscp ef\": no class below a listens on 127.0.0.1:1: what the rule does not name "
		"would "
		"belong to nobody; add a class without match there");
	refused("[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2\nmatch = dscp ef\n"
		"[class b]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2\nmatch = size <= 9\n",
		"FILE:8: match = \"size <= 9\": no class below b listens on 127.0.0.1:1: what the rule does not name "
		"would "
		"belong to nobody; add a class without match there");
	refused("[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2\nmatch = dscp ef\n"
		"[class b]\nlisten = 0.0.0.0:1\nsend = 127.0.0.1:2\n",
		"FILE:4: match = \"dscp ef\": no class below a listens on 127.0.0.1:1: what the rule does not name "
		"would "
		"belong to nobody; add a class without match there\n"
		"FILE:6: listen = \"0.0.0.0:1\": class a listens on 127.0.0.1:1 already");
}

static void a_rule_is_reloaded_and_an_address_is_not(void)
{
	static const char text[] = "[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2\nmatch = %s\n"
				   "[class b]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2\n";
	char was[TEXT_BYTES], is[TEXT_BYTES], said[TEXT_BYTES];
	struct config from, to;

	snprintf(was, sizeof(was), text, "dscp ef");
	snprintf(is, sizeof(is), text, "dscp ef, from 10.0.0.0/8");
	from = accepted(was);
	to = accepted(is);
	CU_ASSERT_EQUAL(changes(&from, &to, said), 0);
	check_equal(said, "a.match: dscp ef -> dscp ef, from 10.0.0.0/8\n");
	CU_ASSERT_EQUAL(config_digest(&from), config_digest(&to));
}

static void a_class_sends_from_a_port_of_its_own(void)
{
	struct config c = accepted(CLASS_TEXT "from = 0.0.0.0:3\n[class b]\nlisten = [::1]:1\nsend = 127.0.0.1:2 "
					      "[::1]:2\nfrom = [::1]:3 127.0.0.1:4\n");

	CU_ASSERT_EQUAL(c.classes[0].n_from, 1);
	CU_ASSERT_EQUAL(c.classes[1].n_from, 2);
	refused(CLASS_TEXT "from = 239.1.2.3%lo:3\n", "FILE:4: from = \"239.1.2.3%lo:3\": \"239.1.2.3%lo:3\": stands "
						      "for many, and a sender is one; name this machine's");
	refused(CLASS_TEXT "from = [::1]:3\n",
		"FILE:4: from = \"[::1]:3\": [::1]:3 is of a family that class a does not send to");
	refused(CLASS_TEXT "from = 127.0.0.1:3 127.0.0.2:3\n",
		"FILE:4: from = \"127.0.0.1:3 127.0.0.2:3\": two of one family; there is one of each at most");
	refused("[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2 [::1]:2\nfrom = 127.0.0.1:3\n",
		"FILE:4: from = \"127.0.0.1:3\": none is of the family of [::1]:2, which class a sends to");
	refused(CLASS_TEXT "from = 0.0.0.0:1\n",
		"FILE:4: from = \"0.0.0.0:1\": class a listens on 127.0.0.1:1; use another port");
	refused(CLASS_TEXT "from = 0.0.0.0:3\n[class b]\nlisten = 127.0.0.1:4\nsend = 127.0.0.1:2\n"
			   "from = 127.0.0.1:3\n",
		"FILE:8: from = \"127.0.0.1:3\": class a sends from 0.0.0.0:3 already; each needs its own");
	accepted(CLASS_TEXT "from = 127.0.0.1:3\nreplies = b\nsessions = 1\n[class b]\n");
	refused(CLASS_TEXT "from = 127.0.0.1:3\nreplies = b\n[class b]\n",
		"FILE:4: from = \"127.0.0.1:3\": one port cannot tell the replies of several senders apart; with "
		"replies, set sessions = 1");
	refused(CLASS_TEXT "from = 127.0.0.1:3\nreplies = b\nsessions = 1\nvia_ports = 7-8\n[class b]\n",
		"FILE:4: from = \"127.0.0.1:3\": via and via_ports choose it already; leave one of them out");
	refused(CLASS_TEXT "replies = b\n[class b]\nfrom = 127.0.0.1:3\n",
		"FILE:6: from = \"127.0.0.1:3\": replies leave from the address that their sender wrote to");
}

static void fronts_are_a_list_of_prefixes(void)
{
	static const char *const wrong[] = { "10.0.0.0/33", "10.0.0/8",	   "::1/129",
					     "10.0.0.0/",   "10.0.0.0/8x", "10.0.0.0/-1" };
	struct config c = accepted(CLASS_TEXT "accept_proxy = 10.1.2.3/8 192.0.2.7 2001:db8::1/20\n");
	const struct prefixes *list = &c.classes[0].accept_proxy;
	const struct {
		const char *address;
		bool is_held;
	} cases[] = { { "10.255.0.1:1", true },	  { "11.0.0.1:1", false },    { "192.0.2.7:1", true },
		      { "192.0.2.6:1", false },	  { "[2001:dff::]:1", true }, { "[2001:1db8::]:1", false },
		      { "[a01:203::]:1", false }, { "32.1.13.184:1", false } };
	char line[256], text[256], value[VALUE_BYTES];

	CU_ASSERT_EQUAL(list->n, 3);
	value_format(&options[option_find(SCOPE_CLASS, "accept_proxy")], &c.classes[0], value);
	check_equal(value, "10.0.0.0/8 192.0.2.7/32 2001::/20");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sockaddr_in6 at;
		struct address a;

		CU_ASSERT_FATAL(address_parse(cases[i].address, strlen(cases[i].address), &a));
		memcpy(&at, &a.at, sizeof(at));
		CU_ASSERT_EQUAL(prefixes_hold(list, &at), cases[i].is_held);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(text, sizeof(text), CLASS_TEXT "accept_proxy = 127.0.0.1 %s\n", wrong[i]);
		snprintf(line, sizeof(line),
			 "FILE:4: accept_proxy = \"127.0.0.1 %s\": \"%s\" is no address or prefix (for example "
			 "10.0.0.0/8 "
			 "or 2001:db8::7)",
			 wrong[i], wrong[i]);
		refused(text, line);
	}
	refused(CLASS_TEXT "accept_proxy = 1.1.1.1 2.2.2.2 3.3.3.3 4.4.4.4 5.5.5.5 6.6.6.6 7.7.7.7 8.8.8.8 9.9.9.9\n",
		"FILE:4: accept_proxy = \"1.1.1.1 2.2.2.2 3.3.3.3 4.4.4.4 5.5.5.5 6.6.6.6 7.7.7.7 8.8.\": more than 8");
	refused(CLASS_TEXT "replies = b\n[class b]\naccept_proxy = ::1\n",
		"FILE:6: accept_proxy = \"::1/128\": replies come from where this instance has sent to, with no "
		"header");
}

static void a_header_needs_room_and_a_first_datagram_sessions(void)
{
	accepted("[pipeline]\npayload_bytes = 65455B\n" CLASS_TEXT "source = proxy\n");
	refused("[pipeline]\npayload_bytes = 65456B\nburst = 64KiB\n" CLASS_TEXT
		"source = proxy\ningress_quantum = 1MiB\negress_quantum = 1MiB\n",
		"FILE:7: source = \"proxy\": with a header of 52 bytes in front, payload_bytes is 65455 at most");
	accepted(CLASS_TEXT "source = proxy\nproxy_header = first\nreplies = b\n[class b]\n");
	refused(CLASS_TEXT "source = proxy\nproxy_header = first\n",
		"FILE:5: proxy_header = \"first\": sessions have a first datagram: it takes source = proxy and "
		"replies; else use every");
	refused(CLASS_TEXT "source = proxy\nproxy_header = first\nreplies = b\naccept_proxy = ::1\n[class b]\n",
		"FILE:5: proxy_header = \"first\": a front of accept_proxy has many senders in one session; use every");
	refused(CLASS_TEXT "replies = b\n[class b]\nsource = proxy\n",
		"FILE:6: source = \"proxy\": replies go back to their senders as they are; use own");
}

static void what_a_class_sends_to_itself_is_a_loop(void)
{
	refused("[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2 127.0.0.1:1\n",
		"FILE:3: send = \"127.0.0.1:2 127.0.0.1:1\": class a listens there (127.0.0.1:1): each datagram would "
		"go "
		"round for ever, a -> a; send it elsewhere");
	refused("[class a]\nlisten = [fe80::1%lo]:1\nsend = [fe80::1%lo]:1\n",
		"FILE:3: send = \"[fe80::1%lo]:1\": class a listens there ([fe80::1%lo]:1): each datagram would go "
		"round for ever, a -> a; send it elsewhere");
	argument_refused("--low.send=127.0.0.1:8082",
			 "command line: --low.send=\"127.0.0.1:8082\": class low listens there (127.0.0.1:8082): each "
			 "datagram would go round for ever, low -> low; send it elsewhere");
	argument_refused("--low.listen=127.0.0.1:9082",
			 "defaults: [class low] send = \"127.0.0.1:9082\" (the default): class low listens there "
			 "(127.0.0.1:9082): each datagram would go round for ever, low -> low; send it elsewhere");
}

static void a_wildcard_receives_what_is_sent_to_loopback(void)
{
	static const char *const pairs[][2] = { { "0.0.0.0:1", "127.0.0.1:1" },
						{ "0.0.0.0:1", "127.255.0.9:1" },
						{ "0.0.0.0:1", "224.0.0.1:1" },
						{ "[::]:1", "[::1]:1" },
						{ "[::]:1", "[ff02::1%1]:1" } };
	static const char *const apart[][2] = { { "0.0.0.0:1", "127.0.0.1:2" }, { "0.0.0.0:1", "[::1]:1" },
						{ "[::]:1", "127.0.0.1:1" },	{ "0.0.0.0:1", "10.0.0.1:1" },
						{ "0.0.0.0:1", "239.0.0.1:1" }, { "[::]:1", "[2001:db8::1]:1" },
						{ "[::]:1", "[ff02::2%1]:1" },	{ "127.0.0.1:1", "127.0.0.2:1" } };
	char text[TEXT_BYTES], why[TEXT_BYTES];
	struct config c;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		snprintf(text, sizeof(text), "[class a]\nlisten = %s\nsend = %s\n", pairs[i][0], pairs[i][1]);
		CU_ASSERT_EQUAL(load_bytes(&c, text, strlen(text), why), -EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(why, "round for ever, a -> a; "));
	}
	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++) {
		snprintf(text, sizeof(text), "[class a]\nlisten = %s\nsend = %s\n", apart[i][0], apart[i][1]);
		CU_ASSERT_EQUAL(accepted(text).n_classes, 1);
	}
}

static void classes_that_send_to_each_other_in_a_circle_are_a_loop_and_a_chain_is_none(void)
{
	char text[TEXT_BYTES] = "";

	append_class(text, "a", 1, "127.0.0.1:2");
	append_class(text, "b", 2, "127.0.0.1:9 127.0.0.1:3");
	append_class(text, "c", 3, "127.0.0.1:8");
	CU_ASSERT_EQUAL(accepted(text).n_classes, 3);
	strcpy(strstr(text, "127.0.0.1:8"), "127.0.0.1:2\n");
	refused(text, "FILE:6: send = \"127.0.0.1:9 127.0.0.1:3\": class c listens there (127.0.0.1:3): each datagram "
		      "would go round for ever, b -> c -> b; send it elsewhere");
	strcpy(strstr(text, "send = 127.0.0.1:2\n[class b]"), "send = 127.0.0.1:2\n");
	append_class(text, "b", 2, "127.0.0.1:1");
	refused(text,
		"FILE:3: send = \"127.0.0.1:2\": class b listens there (127.0.0.1:2): each datagram would go round "
		"for ever, a -> b -> a; send it elsewhere");
}

static void a_circle_of_all_classes_is_found(void)
{
	char text[TEXT_BYTES] = "", name[16], to[32], why[TEXT_BYTES];
	struct config c;

	for (int i = 0; i < MAX_CLASSES; i++) {
		snprintf(name, sizeof(name), "a-long-name-%d", i);
		snprintf(to, sizeof(to), "127.0.0.1:%d", 100 + (i + 1) % MAX_CLASSES);
		append_class(text, name, 100 + i, to);
	}
	CU_ASSERT_EQUAL(load_bytes(&c, text, strlen(text), why), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "class a-long-name-1 listens there (127.0.0.1:101)"));
	CU_ASSERT(strlen(why) < WHY_BYTES);
}

static void an_address_of_this_machine_behind_a_wildcard_is_a_loop_too(void)
{
	struct config c = argument_accepted("--high.listen=0.0.0.0:1");
	struct address own[2] = { c.classes[1].dests[0], c.classes[2].dests[0] };
	struct loop_found found;

	c = argument_accepted("--high.listen=0.0.0.0:1 [::]:1");
	c.classes[0].dests[0] = argument_accepted("--high.send=10.9.0.1:1").classes[0].dests[0];
	CU_ASSERT_FALSE(loop_find(&c, own, 2, &found));
	own[1] = argument_accepted("--high.send=10.9.0.1:77").classes[0].dests[0];
	CU_ASSERT_TRUE(loop_find(&c, own, 2, &found));
	check_equal(found.text, "high -> high");
	c.classes[0].dests[0] = argument_accepted("--high.send=[fe80::7%1]:1").classes[0].dests[0];
	CU_ASSERT_FALSE(loop_find(&c, own, 2, &found));
	own[0] = argument_accepted("--high.send=[fe80::7%2]:1").classes[0].dests[0];
	CU_ASSERT_FALSE(loop_find(&c, own, 2, &found));
	own[0] = argument_accepted("--high.send=[fe80::7%1]:9").classes[0].dests[0];
	CU_ASSERT_TRUE(loop_find(&c, own, 2, &found));
}

static void a_class_needs_to_listen_and_to_send(void)
{
	refused("\n[class a]\nsend = 127.0.0.1:1\n",
		"FILE:2: [class a]: listen is missing (for example listen = 127.0.0.1:8080)");
	refused("\n[class a]\nlisten = 127.0.0.1:1\n",
		"FILE:2: [class a]: send is missing (for example send = 127.0.0.1:9080)");
}

static void a_quantum_holds_the_longest_datagram(void)
{
	refused(CLASS_TEXT "egress_quantum = 1KiB\n",
		"FILE:4: egress_quantum = \"1KiB\": less than payload_bytes, 1536B: the longest datagram must fit");
	refused("[pipeline]\npayload_bytes = 20kB\n" CLASS_TEXT "ingress_quantum = 16KiB\n",
		"FILE:6: ingress_quantum = \"16KiB\": less than payload_bytes, 20000B: the longest datagram must fit");
	argument_refused("--high.ingress_quantum=1kB", "command line: --high.ingress_quantum=\"1kB\": less than "
						       "payload_bytes, 1536B: the longest datagram must fit");
	argument_refused("--burst=1KiB", "command line: --burst=\"1KiB\": less than payload_bytes, 1536B: the longest "
					 "datagram must fit");
}

static void a_sleeping_stage_must_not_look_hung(void)
{
	refused("[pipeline]\nhung = 399ms\n", "FILE:2: hung = \"399ms\": less than twice the heartbeat");
	refused("[pipeline]\nheartbeat = 1s\nhung = 1s\n", "FILE:3: hung = \"1s\": less than twice the heartbeat");
	CU_ASSERT_EQUAL(argument_accepted("--hung=400ms").hung_ms, 400);
}

static void a_margin_leaves_some_of_the_budget(void)
{
	refused(CLASS_TEXT "budget = 1ms\nmargin = 1ms\n", "FILE:5: margin = \"1ms\": not below the budget of class a, "
							   "1ms: guarded would drop its every packet; lower "
							   "the margin, or use another policy");
	refused(CLASS_TEXT "budget = 50us\nmargin = 50us\n",
		"FILE:5: margin = \"50us\": not below the budget of class a, 50us: guarded would drop its every "
		"packet; lower the margin, or use another policy");
	CU_ASSERT_EQUAL(accepted(CLASS_TEXT "budget = 51us\nmargin = 50us\n").classes[0].budget_ns, 51000);
	CU_ASSERT_EQUAL(argument_accepted("--besteffort.margin=1s").classes[3].margin_ns, 1000000000);
	CU_ASSERT_EQUAL(accepted("[pipeline]\npolicy = edf-drop\n" CLASS_TEXT "budget = 10us\n").classes[0].budget_ns,
			10000);
}

static void work_that_takes_longer_than_a_hang_is_refused_unless_it_is_sliced(void)
{
	static const char work[] = "[pipeline]\nwork = plugin:./a.so\nhung = 500ms\n";
	char text[TEXT_BYTES];

	snprintf(text, sizeof(text), "%s%sexpected_service = 500ms\n", work, CLASS_TEXT);
	refused(text,
		"FILE:7: expected_service = \"500ms\": not below hung, 500ms: edf would be ended in the middle of a "
		"packet; raise hung");
	snprintf(text, sizeof(text), "%s%sexpected_service = 499ms\n", work, CLASS_TEXT);
	CU_ASSERT_EQUAL(accepted(text).hung_ms, 500);
	snprintf(text, sizeof(text), "%sslice = 50us\n%sexpected_service = 500ms\n", work, CLASS_TEXT);
	CU_ASSERT_EQUAL(accepted(text).hung_ms, 500);
	CU_ASSERT_EQUAL(accepted("[pipeline]\nhung = 500ms\n" CLASS_TEXT "expected_service = 1s\n").hung_ms, 500);
}

static void a_launch_is_refused_for_a_plugin_that_is_not_there_and_a_load_is_not(void)
{
	char why[TEXT_BYTES];

	CU_ASSERT_EQUAL(argument_accepted("--work=plugin:/nonexistent/x.so").work, WORK_PLUGIN);
	CU_ASSERT_EQUAL(here("[pipeline]\nwork = plugin:/nonexistent/x.so\n", "--late=drop", why), -EINVAL);
	check_equal(
		why,
		"FILE:2: work = \"plugin:/nonexistent/x.so\": the plugin cannot be opened: No such file or directory; "
		"build it, or correct the path");
	CU_ASSERT_EQUAL(here("", "--work=plugin:nonexistent/x.so", why), -EINVAL);
	check_equal(
		why,
		"command line: --work=\"plugin:nonexistent/x.so\": the plugin cannot be opened: No such file or "
		"directory; build it, or correct the path (it counts from the directory that run and build lie in)");
	CU_ASSERT_EQUAL(here("", "--work=plugin:/dev/null", why), -EINVAL);
	check_equal(why, "command line: --work=\"plugin:/dev/null\": the plugin is no regular file");
	CU_ASSERT_EQUAL(here("", "--work=plugin:Makefile", why), 0);
	CU_ASSERT_EQUAL(here("", "--work=none", why), 0);
	CU_ASSERT_EQUAL(here("", "--policy=x", why), -EINVAL);
	check_equal(why, "command line: --policy=\"x\": unknown choice; use edf, edf-drop or guarded");
}

static void a_share_is_a_percentage_and_all_fit_into_one_whole(void)
{
	struct config c = argument_accepted("--high.share=70%");

	CU_ASSERT_EQUAL(c.classes[0].share_percent, 70);
	argument_refused("--high.share=70",
			 "command line: --high.share=\"70\": a unit is missing; use a percentage, from 0% to "
			 "100% (for example 0%)");
	argument_refused("--high.share=101%",
			 "command line: --high.share=\"101%\": too large; use a percentage, from 0% to "
			 "100% (for example 0%)");
	c = accepted(CLASS_TEXT "share = 40%\n[class b]\nlisten = 127.0.0.1:3\nsend = 127.0.0.1:4\nshare = 60%\n");
	CU_ASSERT_EQUAL(c.classes[1].share_percent, 60);
	refused(CLASS_TEXT "share = 40%\n[class b]\nlisten = 127.0.0.1:3\nsend = 127.0.0.1:4\nshare = 61%\n",
		"FILE:8: share = \"61%\": the shares of all classes exceed 100%");
}

SUITE(config_conflicts, TEST(a_listen_address_belongs_to_one_class_only),
      TEST(classes_share_an_address_if_all_but_the_last_have_a_rule), TEST(a_rule_is_reloaded_and_an_address_is_not),
      TEST(a_class_sends_from_a_port_of_its_own), TEST(fronts_are_a_list_of_prefixes),
      TEST(a_header_needs_room_and_a_first_datagram_sessions), TEST(what_a_class_sends_to_itself_is_a_loop),
      TEST(a_wildcard_receives_what_is_sent_to_loopback),
      TEST(classes_that_send_to_each_other_in_a_circle_are_a_loop_and_a_chain_is_none),
      TEST(a_circle_of_all_classes_is_found), TEST(an_address_of_this_machine_behind_a_wildcard_is_a_loop_too),
      TEST(a_class_needs_to_listen_and_to_send), TEST(a_quantum_holds_the_longest_datagram),
      TEST(a_sleeping_stage_must_not_look_hung), TEST(a_margin_leaves_some_of_the_budget),
      TEST(work_that_takes_longer_than_a_hang_is_refused_unless_it_is_sliced),
      TEST(a_launch_is_refused_for_a_plugin_that_is_not_there_and_a_load_is_not),
      TEST(a_share_is_a_percentage_and_all_fit_into_one_whole))
