/*
 * way.h - which sockets the packets of a class leave by.
 *
 * Memory:  the outputs of sessions are allocated at start, one for each, and made when a session's first packet leaves.
 * Rules:   a class with replies sends by the sockets of its sessions (ingress/sessions.h), which it takes as ingress
 *          left them: one that another sender has by now is another output. Its packets keep a session from being
 *          given away. A way back sends by the listen sockets, and says with each packet where to.
 */
#ifndef ONTIME_EGRESS_WAY_H
#define ONTIME_EGRESS_WAY_H

#include "sender.h"

/* way_open - the outputs of a class. 0, or the exit status after one line. */
int way_open(struct sender *s, uint32_t class);

/* way_forget - after a reload: each session's output is made anew. */
void way_forget(struct sender *s);

/* way_look - what came back to output i of all, and nobody asked for, is counted. */
void way_look(struct sender *s, uint32_t i);

#endif
