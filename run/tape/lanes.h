/*
 * lanes.h - the lanes of a recording, one after the other: each packet is captured, kept for a while, filtered, or
 * missed.
 */
#ifndef ONTIME_TAPE_LANES_H
#define ONTIME_TAPE_LANES_H

#include "record.h"

/* lanes_follow - all of them in turn, some packets of each. Returns whether one of them has much more. */
int lanes_follow(struct record *r);

/* lanes_follow_to_end - what has been released by now. */
void lanes_follow_to_end(struct record *r);

/* lanes_give_up - what has been released, and cannot be written any more. */
void lanes_give_up(struct record *r);

#endif
