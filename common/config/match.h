/*
 * match.h - which datagrams of an address that several classes listen on are this class's: the rule as text, and as a
 * decision.
 *
 * Memory:  struct match is plain memory, no pointers.
 * Rules:   text: alternatives with commas between them, each of terms with `and` between them:
 *              dscp ef, from 10.1.0.0/16 and size <= 200, byte 0 = 0x80/0xc0
 *          match_eval() is the truth; the program that port.h makes of the rules decides alike, before the datagram is
 *          put into any receive buffer.
 *          A term about the other family never holds. Neither does one about a byte behind the end.
 */
#ifndef ONTIME_CONFIG_MATCH_H
#define ONTIME_CONFIG_MATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define MAX_TERMS 12 /* of a class */
#define MATCH_BYTES 768 /* the longest rule as text */

enum term_kind { TERM_DSCP, TERM_FROM, TERM_SIZE_MOST, TERM_SIZE_LEAST, TERM_BYTE };

struct match_term {
	uint8_t kind; /* enum term_kind */
	uint8_t begins; /* 1: it is the first of its alternative */
	uint8_t value, mask; /* dscp: of six bits; byte: of eight */
	uint8_t is_v6, prefix_bits; /* from */
	uint16_t bytes; /* size: the limit; byte: its place in the payload */
	uint8_t prefix[16]; /* from: an IPv4 address has the first four; zero behind prefix_bits */
};

struct match {
	uint32_t n; /* 0: no rule */
	struct match_term terms[MAX_TERMS];
};

/* A datagram as the rules see it. */
struct match_datagram {
	uint8_t tos; /* or the IPv6 traffic class: DSCP and ECN */
	bool is_v6;
	const uint8_t *source; /* 4 or 16 bytes */
	const uint8_t *payload;
	uint32_t len_bytes;
};

/* match_parse - 0, or -EINVAL and reason[REASON_BYTES] (value.h); then *m is untouched. */
int match_parse(struct match *m, const char *text, char *reason);

/* match_format - as match_parse() would accept it, in text[MATCH_BYTES]; "" without a rule. Returns text. */
const char *match_format(const struct match *m, char *text);

/* match_eval - whether the datagram is one that the rule names; no rule names none. */
bool match_eval(const struct match *m, const struct match_datagram *d);

/*
 * match_dscp - the code point that each datagram of the rule's first alternative has, or -1 when it names none; *only:
 * whether that alternative names nothing else. For a source that is to meet the rule.
 */
int match_dscp(const struct match *m, bool *only);

#endif
