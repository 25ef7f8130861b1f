/*
 * icmp.h - what ICMP tells a socket of datagrams that left by it earlier.
 *
 * Rules:   each socket that a stage sends by asks for it: only then does a send that this machine's full queue refused
 *          fail (ENOBUFS), which would pass for sent otherwise.
 *          An error is kept in a queue, and fails the next call on the socket, a send or a receive, whoever makes it
 *          and whatever datagram it is about. While the queue has one, epoll tells of the socket each time, so whoever
 *          is told empties it.
 *          Ingress and egress share the sockets of sessions, and those that replies leave by. There one may find the
 *          queue empty because the other has taken the error, and counted it. So both count what they take out of the
 *          queue, and nothing else: an error is counted once, or not at all if the queue had no room for it.
 * Source:  ip(7) IP_RECVERR, ipv6(7) IPV6_RECVERR; Linux's own tables
 *          of what errno each ICMP message becomes.
 */
#ifndef ONTIME_STAGE_ICMP_H
#define ONTIME_STAGE_ICMP_H

#include <stdint.h>

/* icmp_ask - on: the socket is to be told. */
void icmp_ask(int fd, int family, int on);

/* icmp_is_told - may a call fail with err because of a datagram that left earlier? */
int icmp_is_told(int err);

/* icmp_may_be_own - of such an err: may a send fail with it because of its own datagram, too? */
int icmp_may_be_own(int err);

/*
 * icmp_take - take up to 64 errors out of the queue, and with them the failure of the next call. Returns how many were
 * ICMP's.
 */
uint32_t icmp_take(int fd);

/*
 * icmp_take_all - likewise, and where the queue had no room for an error the failure of the next call too, which is not
 * counted.
 */
uint32_t icmp_take_all(int fd);

#endif
