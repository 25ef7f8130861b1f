/*
 * proxied.h - headers of the PROXY protocol (proxy.h): which classes send or take them, and what stands in their way.
 */
#ifndef ONTIME_CONFIG_PROXIED_H
#define ONTIME_CONFIG_PROXIED_H

#include "config.h"

/* proxied_needs_origin - whether what is known of a packet's sender goes with it. */
bool proxied_needs_origin(const struct class_config *c);

/* proxied_conflict - what is wrong with the key *key of a class, in reason[REASON_BYTES] (value.h); NULL: nothing. */
const char *proxied_conflict(const struct config *c, uint32_t class, const char **key, char *reason);

#endif
