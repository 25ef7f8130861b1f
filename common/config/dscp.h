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

#endif
