/*
 * listen.h - bind the input sockets, those of an address that several classes listen on as one group.
 *
 * Memory:  fd[] are the input sockets in the order they are handed on: class by class, address by address, bucket by
 *          bucket (`fair`); then one for each address, for what is denied there.
 * Rules:   the first of a group is bound alone, so that a port that anybody else has is refused; only then may others
 *          join. The kernel gives each the next place of the group, and closing one would move the last into its
 *          place: so members are bound in the order of port.h, and none is closed while an instance lives.
 *          A stranger of the same user who joins later has a place that the program never returns.
 *          Those for what is denied are bound behind all others, when the first of a group has `allow` or `deny`; then
 *          they stay. Each has a filter that takes nothing, so that it counts what is denied, exactly, as drops.
 *          Until the last member is bound and the program is there, the kernel spreads datagrams over those there are:
 *          for some microseconds of a launch, or of the reload that brings the first `allow` or `deny` of an address.
 * Crash:   a death between two steps leaves a group that listen_bind() goes on with. The program is the socket's: it
 *          lives as long as one process has it open. listen_rule() puts the same one there again, in one step.
 * Errors:  0 or -errno.
 */
#ifndef ONTIME_STAGE_LISTEN_H
#define ONTIME_STAGE_LISTEN_H

#include <stdbool.h>

#include "config/config.h"

/*
 * listen_socket - which of fd[] is a flow's first; of as many flows as there are: where those for what is denied begin.
 */
uint32_t listen_socket(const struct config *c, uint32_t flow);

/* listen_denied - which of fd[] is for what is denied at the address of a flow. */
uint32_t listen_denied(const struct config *c, uint32_t flow);

/* listen_share - others of the same user may be bound where this socket is. */
int listen_share(int fd);

/* listen_is_bound - does it have a port? */
bool listen_is_bound(int fd);

/* listen_may_bind - whether all are bound that come before it in its group; bit `flow` of unbound: that one is not. */
bool listen_may_bind(const struct config *c, uint32_t flow, uint64_t unbound);

/* listen_bind - to its address as of now. -ENODEV when that has an interface that is not there. */
int listen_bind(const struct config *c, const int *fd, uint32_t flow);

/* listen_completes - whether it is the last to be bound of a group: once it is, all are. */
bool listen_completes(const struct config *c, uint32_t flow);

/*
 * listen_has_rule - likewise, and also of a group that has sockets for what was denied before. fd[]: -1, none is there.
 */
bool listen_has_rule(const struct config *c, const int *fd, uint32_t flow);

/* listen_rule - put the rules in force for the group of this flow, which is bound and completes it. */
int listen_rule(const struct config *c, const int *fd, uint32_t flow);

/*
 * listen_follow - for a group: a member by the interface of its name, whatever its index is now. *joined: the index it
 * is a member by, as far as this process knows; 0: it does not. 1 when it has become one, 0 when all is as it was,
 * -ENODEV when there is no such interface. Any other address: 0.
 */
int listen_follow(const struct config *c, int fd, uint32_t flow, uint32_t *joined);

#endif
