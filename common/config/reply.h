/*
 * reply.h - which class the replies of a class go back as.
 *
 * Rules:   `replies = NAME` makes of the class NAME the way back: it has no addresses of its own, and serves one class.
 */
#ifndef ONTIME_CONFIG_REPLY_H
#define ONTIME_CONFIG_REPLY_H

#include "config.h"

/* reply_back - the class that replies to datagrams of `class` go back as; -1: none are asked for. */
int reply_back(const struct config *c, uint32_t class);

/* reply_forth - the class whose replies `class` is for; -1: it is no way back. */
int reply_forth(const struct config *c, uint32_t class);

/* reply_sessions - how many sessions a class has; 0 without replies. */
uint32_t reply_sessions(const struct config *c, uint32_t class);

/* reply_has_one_socket - does one socket serve all sessions of such a class? */
bool reply_has_one_socket(const struct class_config *c);

/*
 * reply_sockets - how many sockets these have: one each, or one that serves all; with `via` a second one beside it
 * (hold/unexpected.h).
 */
uint32_t reply_sockets(const struct config *c, uint32_t class);

#endif
