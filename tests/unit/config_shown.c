/* config_shown.c - classes whose destinations see the sender: what they go with, and what they do not. */
#include "loads.h"
#include "suites.h"

#define SHOWN "[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2\nsource = "

static void a_sender_can_be_shown(void)
{
	struct config c = accepted(SHOWN "address\n");

	CU_ASSERT_EQUAL(c.classes[0].source, SOURCE_ADDRESS);
	c = accepted(SHOWN "transparent\naccept_proxy = ::1\n");
	CU_ASSERT_EQUAL(c.classes[0].source, SOURCE_TRANSPARENT);
	accepted(SHOWN "address\nreplies = b\n[class b]\n");
	accepted(SHOWN "transparent\nreplies = b\nvia_ports = 7700-7700\n[class b]\n");
}

static void what_sets_the_address_otherwise_is_refused(void)
{
	refused(SHOWN "address\nfrom = 127.0.0.1:9\n", "FILE:5: from = \"127.0.0.1:9\": source = address and "
						       "transparent show the sender's address; leave one of "
						       "them out");
	refused(SHOWN "transparent\nfrom = 127.0.0.1:9\n", "FILE:5: from = \"127.0.0.1:9\": source = address and "
							   "transparent show the sender's address; leave one of "
							   "them out");
	refused(SHOWN "address\nreplies = b\nvia = 127.64.0.0/10\n[class b]\n",
		"FILE:6: via = \"127.64.0.0/10\": source = address and transparent tell sessions apart without; leave "
		"one "
		"of them out");
	refused(SHOWN "address\nproxy_header = first\nreplies = b\n[class b]\n",
		"FILE:5: proxy_header = \"first\": sessions have a first datagram: it takes source = proxy and "
		"replies; "
		"else use every");
	refused(SHOWN "address\nreplies = b\naccept_proxy = ::1\n[class b]\n",
		"FILE:6: accept_proxy = \"::1/128\": with replies the sender that is seen must be the one that they go "
		"to; "
		"leave one of `replies`, `accept_proxy` and `source` out");
	refused(CLASS_TEXT "replies = b\n[class b]\nsource = address\n",
		"FILE:6: source = \"address\": replies go back to their senders as they are; use own");
}

static void a_sender_has_an_address_of_one_family(void)
{
	refused("[class a]\nlisten = [::1]:1\nsend = 127.0.0.1:2\nsource = address\n",
		"FILE:4: source = \"address\": [::1]:1 and 127.0.0.1:2 are of two families, and a sender has an "
		"address "
		"of one");
	refused("[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2 [::1]:2\nsource = transparent\n",
		"FILE:4: source = \"transparent\": [::1]:2 and 127.0.0.1:2 are of two families, and a sender has an "
		"address of one");
	refused("[class a]\nlisten = 127.0.0.1:1\nsend = 239.1.2.3:2\nsource = transparent\n",
		"FILE:4: source = \"transparent\": 239.1.2.3:2 is no single destination; use own or proxy");
}

static void answers_to_a_senders_port_are_brought_to_one_of_ours(void)
{
	refused(SHOWN "transparent\nreplies = b\nvia_ports = 7700-7709\n[class b]\n",
		"FILE:6: via_ports = \"7700-7709\": answers to the senders' ports are brought to one port of this "
		"machine: "
		"name it (for example via_ports = 7700-7700)");
	refused(SHOWN "transparent\nvia_ports = 7700-7700\n",
		"FILE:5: via_ports = \"7700-7700\": without replies there is no port of this machine; leave it out");
}

SUITE(config_shown, TEST(a_sender_can_be_shown), TEST(what_sets_the_address_otherwise_is_refused),
      TEST(a_sender_has_an_address_of_one_family), TEST(answers_to_a_senders_port_are_brought_to_one_of_ours))
