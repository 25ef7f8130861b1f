/*
 * unexpected.h - datagrams that come to the one socket of all sessions (`via`), and are not from a destination.
 *
 * Rules:   that socket is open to everybody, since it has no peer. A second one has the same port, and a program has
 *          the kernel give the first one only what a destination has sent. The second one takes nothing
 *          (stage/answers.h), so that no stranger fills the queue of the answers; its count of drops, which egress
 *          reads, is that of unexpected replies. The same program is a filter of the first one: a broadcast comes to
 *          both.
 *          The first one is bound alone, to a port of the kernel's choice: with SO_REUSEPORT that could be the port of
 *          another class or instance of the same user, whose datagrams they would share from then on. A stranger of the
 *          same user who joins later has a place that the program never returns; one that attaches a program of its own
 *          breaks ours.
 *          The kernel asks no program whom an ICMP error is for: it comes to either of the two, so both are told.
 * Source:  socket(7) SO_REUSEPORT, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_FILTER.
 */
#ifndef ONTIME_HOLD_UNEXPECTED_H
#define ONTIME_HOLD_UNEXPECTED_H

#include "config/config.h"

/* unexpected_bind - the second socket, where `fd` is the first, bound already. 0 or -errno: then `fd` is alone. */
int unexpected_bind(int second, int fd, const struct class_config *c);

#endif
