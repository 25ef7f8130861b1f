/*
 * dscp.h - differentiated services code points: their names, and what a class's datagrams leave with.
 *
 * Source:  RFC 2474, 2597, 3246, 5865, 8622; ECN: RFC 3168.
 */
#ifndef ONTIME_CONFIG_DSCP_H
#define ONTIME_CONFIG_DSCP_H

#include <stdbool.h>
#include <stdint.h>

#define DSCP_KEEP 64 /* dscp = keep: each datagram's own */
#define USE_DSCP "ef, va, le, cs0 to cs7, af11 to af43, or 0 to 63"

enum ecn { ECN_OFF, ECN_KEEP, ECN_MARK };

/* The low two bits of the type of service. */
enum { TOS_NOT_ECT, TOS_ECT_1, TOS_ECT_0, TOS_CE, TOS_ECN = 3 };

/* dscp_parse - a name or a number; false: it is none. */
bool dscp_parse(const char *text, uint8_t *value);

/* dscp_name - or NULL if it has none. */
const char *dscp_name(uint8_t value);

/*
 * ecn_is_due - does a datagram with these bits leave with CE, were it sent now? Congestion that it met before is kept
 * elsewhere; one whose sender does not know ECN is never marked.
 */
static inline int ecn_is_due(uint8_t tos, uint64_t arrived_at_ns, uint64_t budget_ns, uint32_t percent, uint64_t now)
{
	uint8_t ecn = tos & TOS_ECN;

	return (ecn == TOS_ECT_0 || ecn == TOS_ECT_1) && now >= arrived_at_ns + budget_ns / 100 * percent;
}

#endif
