/* config_replies.c - which ways back there can be, and which there cannot. */
#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

#include "config/reply.h"
#include "loads.h"
#include "suites.h"

#define ASK "[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2\nreplies = b\n" /* four lines */
#define BACK "[class b]\n"

static void replies_go_back_as_a_class_without_addresses(void)
{
	struct config c = accepted(ASK "sessions = 7\nvia_ports = 4000-4006\n" BACK "budget = 1ms\n");

	CU_ASSERT_EQUAL(reply_back(&c, 0), 1);
	CU_ASSERT_EQUAL(reply_forth(&c, 1), 0);
	CU_ASSERT_EQUAL(reply_back(&c, 1), -1);
	CU_ASSERT_EQUAL(reply_forth(&c, 0), -1);
	CU_ASSERT_EQUAL(reply_sessions(&c, 0), 7);
	CU_ASSERT_EQUAL(reply_sessions(&c, 1), 0);
	CU_ASSERT_EQUAL(c.classes[0].via_first_port, 4000);
	CU_ASSERT_EQUAL(c.classes[0].via_last_port, 4006);
	c = accepted(CLASS_TEXT "sessions = 7\n"); /* says nothing without replies */
	CU_ASSERT_EQUAL(reply_sessions(&c, 0), 0);
	CU_ASSERT_EQUAL(c.classes[0].via_first_port, 0);
}

static void a_way_back_is_another_class_that_has_none_itself(void)
{
	refused(ASK, "FILE:4: replies = \"b\": no class is called so; add one that has neither listen nor send");
	refused("[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2\nreplies = a\n",
		"FILE:4: replies = \"a\": a class cannot be its own way back; add a class that has neither listen nor "
		"send\n"
		"FILE:2: listen = \"127.0.0.1:1\": the replies of class a go back as this class, so it has no "
		"addresses of its own");
	refused(ASK "[class b]\nreplies = c\n[class c]\n",
		"FILE:4: replies = \"b\": that class has replies of its own; a way back has none");
	refused(ASK "[class c]\nlisten = 127.0.0.1:3\nsend = 127.0.0.1:2\nreplies = b\n" BACK,
		"FILE:8: replies = \"b\": the replies of another class go back as that one already; each needs its "
		"own");
}

static void a_way_back_has_no_addresses_and_no_rules(void)
{
	refused(ASK BACK "listen = 127.0.0.1:3\n",
		"FILE:6: listen = \"127.0.0.1:3\": the replies of class a go back as this class, so it has no "
		"addresses of its own");
	refused(ASK BACK "send = 127.0.0.1:3\n",
		"FILE:6: send = \"127.0.0.1:3\": the replies of class a go back as this class, so it has no addresses "
		"of its own");
	refused(ASK BACK "match = dscp ef\n",
		"FILE:6: match = \"dscp ef\": the replies of class a go back as this class, all of them");
}

static void who_is_many_does_not_reply(void)
{
	refused("[class a]\nlisten = 127.0.0.1:1\nsend = 239.0.0.1%lo:2\nreplies = b\n" BACK,
		"FILE:4: replies = \"b\": class a sends to 239.0.0.1%lo:2, which is no single destination that "
		"answers");
	refused("[class a]\nlisten = 239.0.0.1%lo:2\nsend = 127.0.0.1:1\nreplies = b\n" BACK,
		"FILE:4: replies = \"b\": class a listens on a multicast group, from which no reply can be sent");
	refused("[class a]\nlisten = 127.0.0.1:1\nsend = 255.255.255.255:2\nbroadcast = on\nreplies = b\n" BACK,
		"FILE:5: replies = \"b\": class a sends to 255.255.255.255:2, which is no single destination that "
		"answers");
}

static void a_session_has_one_socket_of_one_family(void)
{
	struct config c =
		accepted("[class a]\nlisten = 127.0.0.1:1 [::1]:1\nsend = [::1]:2 [::1]:3\nreplies = b\n" BACK);

	CU_ASSERT_EQUAL(c.classes[0].n_dests, 2);
	refused("[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2 [::1]:2\nreplies = b\n" BACK,
		"FILE:4: replies = \"b\": class a sends by IPv4 and by IPv6; a session has one socket, which is of one "
		"family");
	accepted("[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2 [::1]:2\n");
}

static void there_is_a_port_for_each_session(void)
{
	refused(ASK "sessions = 8\nvia_ports = 4000-4006\n" BACK,
		"FILE:6: via_ports = \"4000-4006\": 7 ports for 8 sessions, each of which needs one; give more, or "
		"lower `sessions`");
	refused(ASK "via_ports = 4000-4006\n" BACK,
		"FILE:5: via_ports = \"4000-4006\": 7 ports for 1024 sessions, each of which needs one; give more, or "
		"lower `sessions`");
	accepted(CLASS_TEXT "via_ports = 4000-4006\n");
	accepted(ASK "via_ports = any\n" BACK);
}

static void ports_of_one_class_are_enough_whatever_another_one_gets(void)
{
	static const char more[] =
		"[class c]\nlisten = 127.0.0.1:3\nsend = 127.0.0.1:4\nreplies = d\nsessions = 50\n%s[class d]\n";
	char text[TEXT_BYTES];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), ASK "sessions = 20\nvia_ports = 4000-4099\n" BACK);
	snprintf(text + n, sizeof(text) - n, more, "via_ports = 4030-4099\n");
	accepted(text);
	snprintf(text + n, sizeof(text) - n, more, "via_ports = 4031-4099\n");
	refused(text, "FILE:13: via_ports = \"4031-4099\": 69 ports for 50 sessions, and other classes may have 20 of "
		      "these (via_ports, listen, from); give more, or ranges that do not overlap");
	snprintf(text + n, sizeof(text) - n, more, "via_ports = 4099-4148\n");
	refused(text, "FILE:13: via_ports = \"4099-4148\": 50 ports for 50 sessions, and other classes may have 1 of "
		      "these (via_ports, listen, from); give more, or ranges that do not overlap");
	snprintf(text + n, sizeof(text) - n, more, "via_ports = 4100-4149\n");
	accepted(text);
	snprintf(text + n, sizeof(text) - n, more, "via = 127.64.0.0/10\nvia_ports = 4098-4099\n");
	refused(text, "FILE:14: via_ports = \"4098-4099\": 2 ports for 1 sessions, and other classes may have 2 of "
		      "these (via_ports, listen, from); give more, or ranges that do not overlap");
}

static void ports_that_the_instance_has_are_nobodys_sessions(void)
{
	refused("[class a]\nlisten = 127.0.0.1:4003\nsend = 127.0.0.1:1\nreplies = b\nsessions = 7\n"
		"via_ports = 4000-4006\n" BACK,
		"FILE:6: via_ports = \"4000-4006\": 7 ports for 7 sessions, and other classes may have 1 of these "
		"(via_ports, listen, from); give more, or ranges that do not overlap");
}

static void sessions_of_all_classes_together_have_a_limit(void)
{
	static const char more[] = "[class c]\nlisten = 127.0.0.1:3\nsend = 127.0.0.1:4\nreplies = d\nsessions = %u\n"
				   "[class d]\n";
	char text[TEXT_BYTES];
	size_t n;

	n = (size_t)snprintf(text, sizeof(text), ASK "sessions = 16000\n" BACK);
	snprintf(text + n, sizeof(text) - n, more, 384U);
	CU_ASSERT_EQUAL(reply_sessions(&(const struct config){ 0 }, 0), 0);
	accepted(text);
	snprintf(text + n, sizeof(text) - n, more, 385U);
	refused(text, "FILE:11: sessions = \"385\": more than 16384 for all classes together");
}

SUITE(config_replies, TEST(replies_go_back_as_a_class_without_addresses),
      TEST(a_way_back_is_another_class_that_has_none_itself), TEST(a_way_back_has_no_addresses_and_no_rules),
      TEST(who_is_many_does_not_reply), TEST(a_session_has_one_socket_of_one_family),
      TEST(ports_of_one_class_are_enough_whatever_another_one_gets),
      TEST(ports_that_the_instance_has_are_nobodys_sessions), TEST(there_is_a_port_for_each_session),
      TEST(sessions_of_all_classes_together_have_a_limit))
