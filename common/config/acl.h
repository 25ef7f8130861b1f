/*
 * acl.h - whose datagrams a class takes: prefixes that are allowed, and prefixes that are denied.
 *
 * Memory:  plain, no pointers; both lists share ACL_BYTES: one byte of length, then the bytes that the length covers.
 * Rules:   a sender is denied if `deny` names it, or if there is an `allow` that does not name it. In a class that has
 *          an `allow` of one family only, nobody of the other family is allowed.
 *          acl_denies() is the truth; the program that acl_program.h makes decides alike, before the datagram is put
 *          into any receive buffer.
 */
#ifndef ONTIME_CONFIG_ACL_H
#define ONTIME_CONFIG_ACL_H

#include <stdbool.h>
#include <stdint.h>

#define ACL_BYTES 5120 /* 1,024 addresses of IPv4, or 301 of IPv6 */
#define ACL_MOST 1000 /* prefixes of a list */
#define ACL_MOST_RANGES 2048 /* that both lists make together, at most */

enum acl_list { ACL_ALLOW, ACL_DENY, N_ACL_LISTS };

struct acl {
	uint16_t n[N_ACL_LISTS], bytes[N_ACL_LISTS];
	uint8_t packed[ACL_BYTES]; /* what is allowed, then what is denied */
};

/* Addresses from `first` to `last`, both included; those of IPv4 are in the first four bytes. */
struct acl_range {
	uint8_t first[16], last[16];
};

/* acl_add - the prefixes of a text go behind those of a list. 0, or -EINVAL and reason[REASON_BYTES] (value.h). */
int acl_add(struct acl *acl, enum acl_list list, const char *text, char *reason);

/* acl_clear - no prefix is left in a list. */
void acl_clear(struct acl *acl, enum acl_list list);

/* acl_format - as acl_add() would take it, in text[bytes]; "" for an empty list. */
void acl_format(const struct acl *acl, enum acl_list list, char *text, uint32_t bytes);

/* acl_is_asked - is there any prefix? */
static inline bool acl_is_asked(const struct acl *acl)
{
	return acl->n[ACL_ALLOW] || acl->n[ACL_DENY];
}

/* acl_denies - is the sender, 4 or 16 bytes, denied? */
bool acl_denies(const struct acl *acl, bool is_v6, const uint8_t *address);

/* acl_ranges - what is denied of a family, in order, none next to another, in ranges[ACL_MOST_RANGES]; how many. */
uint32_t acl_ranges(const struct acl *acl, bool is_v6, struct acl_range *ranges);

#endif
