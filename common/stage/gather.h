/*
 * gather.h - bind the sockets that the shards have for one listen address, as a group in which the kernel picks by the
 * sender (spread.h).
 *
 * Memory:  fd[k] is the socket of shard k. It belongs to its group, at place k, until the instance ends: holder and
 *          stages keep it open, and none is closed before.
 * Rules:   the first one is bound alone, so that a port that anybody else has is refused. Until the group is complete
 *          and has its program each socket drops what comes (counted `kernel`): a sender's first datagrams must not get
 *          into one shard, and its next ones into another.
 *          A stranger of the same user who joins later has a place that the program never returns.
 *          A broadcast datagram goes to each socket of a wildcard address, as the kernel does with any group.
 * Crash:   a death between two steps leaves a group that gather_bind() goes on with.
 * Errors:  0 or -errno; -ENODEV when the address has an interface that is not there.
 */
#ifndef ONTIME_STAGE_GATHER_H
#define ONTIME_STAGE_GATHER_H

#include "config/address.h"

/* gather_bind - to its address as of now; those that are bound stay so. */
int gather_bind(const struct address *a, const int *fd, uint32_t n);

/* gather_shut - drop what comes to the socket: the first step of gather_bind(). */
int gather_shut(int fd);

/* gather_rule - put the program there once more, and let datagrams in: the last step of gather_bind(). */
int gather_rule(const struct address *a, const int *fd, uint32_t n);

#endif
