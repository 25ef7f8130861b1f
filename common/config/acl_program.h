/*
 * acl_program.h - the prefixes of a class as a part of the program by which the kernel chooses a socket.
 *
 * Rules:   pure. The sender's address is compared word by word with where what is denied begins and ends, by halving:
 *          with 1,000 prefixes of IPv4 some eleven comparisons. IPv6 has a tree for each word that several addresses
 *          share.
 */
#ifndef ONTIME_CONFIG_ACL_PROGRAM_H
#define ONTIME_CONFIG_ACL_PROGRAM_H

#include <stdbool.h>

#include "acl.h"
#include "program.h"

/* acl_program - returns `denied` for a sender that is denied; for any other the program goes on behind this part. */
void acl_program(struct program *p, const struct acl *acl, bool is_v6, uint32_t denied);

#endif
