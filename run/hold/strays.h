/*
 * strays.h - what comes to the one socket of all sessions (`via`), and is no answer of a destination.
 *
 * Rules:   that socket is open to everybody, since it has no peer. A second one has the same port, and a program tells
 *          the kernel which datagrams are the first one's: those that a destination has sent. All others are the second
 *          one's, which takes nothing (stage/answers.h), so that no stranger fills the queue that answers wait in. What
 *          was dropped there is in its count of drops, which egress reads.
 *          The first one is bound alone, to a port of the kernel's choice: with SO_REUSEPORT that could be the port of
 *          another class or instance of the same user, whose datagrams they would share from then on.
 * Source:  socket(7) SO_REUSEPORT, SO_ATTACH_REUSEPORT_CBPF.
 */
#ifndef ONTIME_HOLD_STRAYS_H
#define ONTIME_HOLD_STRAYS_H

#include <linux/filter.h>

#include "config/config.h"

#define STRAYS_MOST_STEPS (MAX_DESTS * 11 + 4) /* instructions */

/* strays_compile - the program: 0 for what a destination of that class has sent, else 1; how long it is. */
uint32_t strays_compile(const struct class_config *c, struct sock_filter *program);

/* strays_bind - the second socket, where `fd` is the first, bound already. 0 or -errno. */
int strays_bind(int second, int fd, const struct class_config *c);

#endif
