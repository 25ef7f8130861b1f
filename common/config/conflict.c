/* conflict.c - values that are fine alone but cannot work together, or not on this machine. */
#include "conflict.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "copying.h"
#include "cycle.h"
#include "from.h"
#include "guard.h"
#include "proxied.h"
#include "reply.h"
#include "search.h"
#include "sharded.h"
#include "table.h"
#include "via_ports.h"

#define PIPELINE (-1)
#define MAX_OWN 256 /* addresses of this machine that are looked at */

void conflict_say(const struct search *s, int class, const char *key, const char *format, ...)
{
	char reason[REASON_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	s->tell(s->arg, class, key, reason);
}

/* DRR needs each quantum to hold the longest datagram. */
static void quantum(const struct search *s, int class, const char *key, uint32_t bytes)
{
	if (bytes < s->c->payload_bytes)
		conflict_say(s, class, key, "less than payload_bytes, %" PRIu32 "B: the longest datagram must fit",
			     s->c->payload_bytes);
}

static void marks(const struct search *s, uint32_t i)
{
	const struct class_config *class = &s->c->classes[i];

	if (class->ecn == ECN_MARK && class->budget_ns == BUDGET_NONE)
		conflict_say(s, (int)i, "ecn", "class %s has no budget to mark by; give it one, or use keep",
			     class->name);
}

/* guarded drops what is not done by deadline less margin, so nothing would get through. */
static void margin(const struct search *s, uint32_t i)
{
	const struct class_config *one = &s->c->classes[i];
	char budget[VALUE_BYTES];

	if (s->c->policy != POLICY_GUARDED || one->budget_ns == BUDGET_NONE || config_margin_ns(one) < one->budget_ns)
		return;
	value_format(&options[option_find(SCOPE_CLASS, "budget")], one, budget);
	conflict_say(s, (int)i, "margin",
		     "not below the budget of class %s, %.32s: guarded would drop its every packet; lower the margin, "
		     "or use another policy",
		     one->name, budget);
}

/* While a packet is worked on whole, edf cannot beat. */
static void service(const struct search *s, uint32_t i)
{
	const struct config *c = s->c;

	if (c->work != WORK_NONE && c->slice_ns == 0 && c->classes[i].expected_service_ns >= c->hung_ms * NS_PER_MS)
		conflict_say(s, (int)i, "expected_service",
			     "not below hung, %" PRIu32 "ms: edf would be ended in the middle of a packet; raise hung",
			     c->hung_ms);
}

static const char *why_no_way_back(const struct search *s, uint32_t i)
{
	int back = reply_back(s->c, i);

	if (back < 0)
		return "no class is called so; add one that has neither listen nor send";
	if (back == (int)i)
		return "a class cannot be its own way back; add a class that has neither listen nor send";
	if (s->c->classes[back].replies[0])
		return "that class has replies of its own; a way back has none";
	if (reply_forth(s->c, (uint32_t)back) != (int)i)
		return "the replies of another class go back as that one already; each needs its own";
	return NULL;
}

/* A class with replies has a sender to send each back to, and a destination that can answer. */
static void replies(const struct search *s, uint32_t i)
{
	const struct class_config *class = &s->c->classes[i];
	const char *why = class->replies[0] ? why_no_way_back(s, i) : NULL;
	char text[ADDRESS_BYTES];

	if (why)
		conflict_say(s, (int)i, "replies", "%s", why);
	for (uint32_t k = 0; k < class->n_dests && class->replies[0]; k++)
		if (group_is(&class->dests[k]) || (address_traits(&class->dests[k]) & ADDRESS_IS_BROADCAST))
			conflict_say(s, (int)i, "replies",
				     "class %s sends to %s, which is no single destination that answers", class->name,
				     address_format(&class->dests[k], text));
	for (uint32_t k = 1; k < class->n_dests && class->replies[0]; k++)
		if (class->dests[k].at.ss_family != class->dests[0].at.ss_family) {
			conflict_say(
				s, (int)i, "replies",
				"class %s sends by IPv4 and by IPv6; a session has one socket, which is of one family",
				class->name);
			break;
		}
	if (class->replies[0] && conflict_has_group(class))
		conflict_say(s, (int)i, "replies",
			     "class %s listens on a multicast group, from which no reply can be sent", class->name);
}

/* An address must not come round while a reply to the sender before may still be on its way. */
static void via(const struct search *s, uint32_t i)
{
	const struct class_config *class = &s->c->classes[i];

	if (class->via.bits && (!class->replies[0] || class->sessions == 1))
		conflict_say(s, (int)i, "via", "class %s has no %s to tell apart; %s, or remove this", class->name,
			     class->replies[0] ? "sessions" : "replies",
			     class->replies[0] ? "raise `sessions`" : "add `replies`");
	if (class->via.bits && class->sessions > via_addresses(&class->via) / 4)
		conflict_say(s, (int)i, "via",
			     "%" PRIu32 " sessions need four addresses each; use a shorter prefix, or fewer",
			     class->sessions);
	for (uint32_t k = 0; k < class->n_dests && class->via.bits; k++)
		if ((class->dests[k].at.ss_family == AF_INET6) != class->via.is_v6)
			conflict_say(s, (int)i, "via", "not of the family of what class %s sends to", class->name);
}

static void way_back(const struct search *s, uint32_t i)
{
	const struct class_config *class = &s->c->classes[i];
	int forth = reply_forth(s->c, i);
	const char *key = class->n_listen ? "listen" : "send";

	if (forth >= 0 && (class->n_listen || class->n_dests))
		conflict_say(s, (int)i, key,
			     "the replies of class %s go back as this class, so it has no addresses of its own",
			     s->c->classes[forth].name);
	if (forth >= 0 && class->match.n > 0)
		conflict_say(s, (int)i, "match", "the replies of class %s go back as this class, all of them",
			     s->c->classes[forth].name);
}

/* What other files know of. */
static void others(const struct search *s, uint32_t i)
{
	char reason[REASON_BYTES], ports[REASON_BYTES];
	const char *key = "from", *why = from_conflict(s->c, i, reason), *taken = via_ports_conflict(s->c, i, ports);

	why = why ? why : proxied_conflict(s->c, i, &key, reason);
	if (why)
		conflict_say(s, (int)i, key, "%s", why);
	if (taken)
		conflict_say(s, (int)i, "via_ports", "%s", taken);
	why = copying_conflict(s->c, i, &key, reason);
	if (why)
		conflict_say(s, (int)i, key, "%s", why);
	why = sharded_class_conflict(s->c, i, &key);
	if (why)
		conflict_say(s, (int)i, key, "%s", why);
	why = guard_conflict(s->c, i, &key, reason);
	if (why)
		conflict_say(s, (int)i, key, "%s", why);
}

static void sessions(const struct search *s)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < s->c->n_classes; i++) {
		sum += reply_sessions(s->c, i);
		if (sum > MAX_SESSIONS) {
			conflict_say(s, (int)i, "sessions", "more than %d for all classes together", MAX_SESSIONS);
			return;
		}
	}
}

static void destinations(const struct search *s)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < s->c->n_classes; i++) {
		sum += s->c->classes[i].n_dests;
		if (sum > MAX_ALL_DESTS) {
			conflict_say(s, (int)i, "send", "more than %d destinations for all classes together",
				     MAX_ALL_DESTS);
			return;
		}
	}
}

/* Nobody can promise more than there is. */
static void shares(const struct search *s)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < s->c->n_classes; i++) {
		sum += s->c->classes[i].share_percent;
		if (sum > 100) {
			conflict_say(s, (int)i, "share", "the shares of all classes exceed 100%%");
			return;
		}
	}
}

static void loop(const struct search *s, const struct address *own, uint32_t n_own)
{
	const struct config *c = s->c;
	struct loop_found l;
	char text[ADDRESS_BYTES];

	if (loop_find(c, own, n_own, &l))
		conflict_say(
			s, (int)l.class, "send",
			"class %s listens there (%s): each datagram would go round for ever, %s; send it elsewhere",
			c->classes[l.next].name, address_format(&c->classes[l.class].dests[l.dest], text), l.text);
}

static void plugin(const struct search *s, const char *top) /* a relative one counts from there */
{
	struct stat status = { 0 };
	int err = 0, dir, fd;

	if (s->c->work != WORK_PLUGIN)
		return;
	dir = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fd = openat(dir, s->c->plugin, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &status) < 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	if (err)
		conflict_say(s, PIPELINE, "work", "the plugin cannot be opened: %s; build it, or correct the path%s",
			     strerror(err),
			     s->c->plugin[0] == '/' ? "" : " (it counts from the directory that run and build lie in)");
	else if (!S_ISREG(status.st_mode))
		conflict_say(s, PIPELINE, "work", "the plugin is no regular file");
}

/* This machine's addresses; when they cannot be read, none: then nothing is said of them. */
static uint32_t read_own(struct address own[MAX_OWN])
{
	struct ifaddrs *all;
	uint32_t n = 0;

	if (getifaddrs(&all) < 0)
		return 0;
	for (const struct ifaddrs *at = all; at && n < MAX_OWN; at = at->ifa_next) {
		int family = at->ifa_addr ? at->ifa_addr->sa_family : AF_UNSPEC;

		if (family != AF_INET && family != AF_INET6)
			continue;
		own[n] = (struct address){ .len = family == AF_INET ? sizeof(struct sockaddr_in)
								    : sizeof(struct sockaddr_in6) };
		memcpy(&own[n].at, at->ifa_addr, own[n].len);
		n++;
	}
	freeifaddrs(all);
	return n;
}

void conflict_find(const struct config *c, const char *top, conflict_tell *tell, void *arg)
{
	const struct search s = { c, tell, arg };
	struct address own[MAX_OWN];
	const char *key, *why = sharded_conflict(c, &key);

	if (why)
		conflict_say(&s, PIPELINE, key, "%s", why);
	quantum(&s, PIPELINE, "burst", c->burst_bytes);
	/* An idle stage beats once per heartbeat; two must fit, or it looks hung when it is asleep. */
	if (c->hung_ms < 2 * c->heartbeat_ms)
		conflict_say(&s, PIPELINE, "hung", "less than twice the heartbeat");
	if (c->workers > 1 && c->slice_ns)
		conflict_say(&s, PIPELINE, "workers", "work in a process is not interrupted; remove it, or slice");
	if (top)
		plugin(&s, top);
	for (uint32_t i = 0; i < c->n_classes; i++) {
		conflict_find_addresses(&s, i);
		conflict_find_destinations(&s, i);
		marks(&s, i);
		replies(&s, i);
		via(&s, i);
		way_back(&s, i);
		others(&s, i);
		quantum(&s, (int)i, "ingress_quantum", c->classes[i].ingress_quantum_bytes);
		quantum(&s, (int)i, "egress_quantum", c->classes[i].egress_quantum_bytes);
		margin(&s, i);
		service(&s, i);
	}
	sessions(&s);
	destinations(&s);
	shares(&s);
	loop(&s, own, top ? read_own(own) : 0);
}
