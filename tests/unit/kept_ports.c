/* kept_ports.c - a port that a session had before a restart rests after it. */
#include <arpa/inet.h>
#include <sys/socket.h>

#include "hold/kept.h"
#include "segments.h"
#include "stage/session_port.h"

static struct kept kept;

static void create_with_replies(struct segment *seg, struct config *c, const char *instance)
{
	make_config(c);
	snprintf(c->instance, sizeof(c->instance), "unit-%s-%d", instance, getpid());
	snprintf(c->classes[0].replies, sizeof(c->classes[0].replies), "%s", c->classes[1].name);
	c->classes[0].sessions = 1;
	CU_ASSERT_EQUAL_FATAL(segment_create(seg, c, NULL, 0, why), 0);
}

/* One was in use, one rested by the word of each stage, and one had its rest. */
static void ports_of_before_rest_on(void)
{
	struct config was, is;
	struct segment now;
	uint64_t at = now_ns();

	create_with_replies(&kept.sessions.seg, &was, "was");
	create_with_replies(&now, &is, "is");
	kept.sessions.ports[kept.sessions.n_ports++] = htons(41000);
	session_port_note(kept.sessions.seg.views[0].ports->ended_s, htons(41001), at);
	session_port_note(kept.sessions.seg.views[0].ports->changed_s, htons(41002), at);
	session_port_note(kept.sessions.seg.views[0].ports->ended_s, htons(41003), at - 70 * NS_PER_S);
	kept_sessions_remember_ports(NULL, &now);
	CU_ASSERT(!session_port_is_resting(now.views[0].ports, htons(41001), at));
	kept_sessions_remember_ports(&kept, &now);
	for (uint16_t port = 41000; port < 41005; port++)
		CU_ASSERT_EQUAL(session_port_is_resting(now.views[0].ports, htons(port), at), port < 41003);
	drop(&kept.sessions.seg, &was);
	drop(&now, &is);
}

/* Without classes with replies there is nothing to remember, or no place for it. */
static void without_sessions_nothing_is_remembered(void)
{
	struct config plain, is;
	struct segment with, without;

	create(&without, &plain);
	create_with_replies(&with, &is, "is");
	kept.sessions.seg = without;
	kept_sessions_remember_ports(&kept, &with);
	kept.sessions.seg = with;
	kept_sessions_remember_ports(&kept, &without);
	CU_ASSERT_PTR_NULL(without.views[0].ports);
	drop(&with, &is);
	drop(&without, &plain);
}

SUITE(kept_ports, TEST(ports_of_before_rest_on), TEST(without_sessions_nothing_is_remembered))
