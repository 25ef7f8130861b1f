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

#include "address.h"
#include "clock.h"
#include "cycle.h"
#include "table.h"

#define PIPELINE (-1)
#define MAX_OWN 256 /* addresses of this machine that are looked at */

__attribute__((format(printf, 4, 5))) static bool conflict(struct conflict *found, int class, const char *key,
							   const char *format, ...)
{
	va_list args;

	found->class = class;
	found->key = key;
	va_start(args, format);
	vsnprintf(found->reason, sizeof(found->reason), format, args);
	va_end(args);
	return true;
}

/* DRR needs each quantum to hold the longest datagram. */
static bool quantum(const struct config *c, int class, const char *key, uint32_t bytes, struct conflict *found)
{
	return bytes < c->payload_bytes &&
	       conflict(found, class, key, "less than payload_bytes, %" PRIu32 "B: the longest datagram must fit",
			c->payload_bytes);
}

/* Is an address of class i taken by an address before it? */
static bool listens(const struct config *c, uint32_t i, struct conflict *found)
{
	char text[ADDRESS_BYTES];

	for (uint32_t flow = 0; flow < c->classes[i].n_listen; flow++)
		for (uint32_t other = 0; other < i * MAX_LISTEN + flow; other++) {
			const struct class_config *class = &c->classes[other / MAX_LISTEN];
			uint32_t at = other % MAX_LISTEN;

			if (at < class->n_listen && address_overlap(&c->classes[i].listen[flow], &class->listen[at]))
				return conflict(found, (int)i, "listen", "class %s listens on %s already", class->name,
						address_format(&class->listen[at], text));
		}
	return false;
}

/* guarded drops what is not done by deadline less margin, so nothing would get through. */
static bool margin(const struct config *c, uint32_t i, struct conflict *found)
{
	const struct class_config *class = &c->classes[i];
	char budget[VALUE_BYTES];

	if (c->policy != POLICY_GUARDED || class->budget_ns == BUDGET_NONE || class->margin_ns < class->budget_ns)
		return false;
	value_format(&options[option_find(SCOPE_CLASS, "budget")], class, budget);
	return conflict(
		found, (int)i, "margin",
		"not below the budget of class %s, %.32s: guarded would drop its every packet; lower the margin, "
		"or use another policy",
		class->name, budget);
}

/* While a packet is worked on whole, edf cannot beat. */
static bool service(const struct config *c, uint32_t i, struct conflict *found)
{
	const struct class_config *class = &c->classes[i];

	return c->work != WORK_NONE && c->slice_ns == 0 && class->expected_service_ns >= c->hung_ms * NS_PER_MS &&
	       conflict(found, (int)i, "expected_service",
			"not below hung, %" PRIu32 "ms: edf would be ended in the middle of a packet; raise hung",
			c->hung_ms);
}

static bool in_class(const struct config *c, uint32_t i, struct conflict *found)
{
	const struct class_config *class = &c->classes[i];

	return listens(c, i, found) || quantum(c, (int)i, "ingress_quantum", class->ingress_quantum_bytes, found) ||
	       quantum(c, (int)i, "egress_quantum", class->egress_quantum_bytes, found) || margin(c, i, found) ||
	       service(c, i, found);
}

/* Nobody can promise more than there is. */
static bool shares(const struct config *c, struct conflict *found)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < c->n_classes; i++) {
		sum += c->classes[i].share_percent;
		if (sum > 100)
			return conflict(found, (int)i, "share", "the shares of all classes exceed 100%%");
	}
	return false;
}

static bool loop(const struct config *c, const struct address *own, uint32_t n_own, struct conflict *found)
{
	struct loop_found l;
	char text[ADDRESS_BYTES];

	if (!loop_find(c, own, n_own, &l))
		return false;
	address_format(&c->classes[l.class].dests[l.dest], text);
	return conflict(found, (int)l.class, "send",
			"class %s listens there (%s): each datagram would go round for ever, %s; send it elsewhere",
			c->classes[l.next].name, text, l.text);
}

bool conflict_find(const struct config *c, struct conflict *found)
{
	if (quantum(c, PIPELINE, "burst", c->burst_bytes, found))
		return true;
	/* An idle stage beats once per heartbeat; two must fit, or it looks hung when it is asleep. */
	if (c->hung_ms < 2 * c->heartbeat_ms)
		return conflict(found, PIPELINE, "hung", "less than twice the heartbeat");
	for (uint32_t i = 0; i < c->n_classes; i++)
		if (in_class(c, i, found))
			return true;
	return shares(c, found) || loop(c, NULL, 0, found);
}

static bool plugin(const struct config *c, struct conflict *found)
{
	struct stat status;
	int fd, err;

	if (c->work != WORK_PLUGIN)
		return false;
	fd = open(c->plugin, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	err = fd < 0 || fstat(fd, &status) < 0 ? errno : 0;
	if (fd >= 0)
		close(fd);
	if (err)
		return conflict(found, PIPELINE, "work",
				"the plugin cannot be opened: %s; build it, or correct the path%s", strerror(err),
				c->plugin[0] == '/' ? "" : " (it counts from the directory that run and build lie in)");
	return !S_ISREG(status.st_mode) && conflict(found, PIPELINE, "work", "the plugin is no regular file");
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

bool conflict_find_here(const struct config *c, struct conflict *found)
{
	struct address own[MAX_OWN];

	return plugin(c, found) || loop(c, own, read_own(own), found);
}
