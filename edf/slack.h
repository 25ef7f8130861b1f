/*
 * slack.h - pure: how long those that wait in a class can be put off.
 *
 * Memory:  a ring of packets in the class's entries (plan.h): each has less time to spare than any that came later.
 * Rules:   the ring is brought up to date when somebody asks, one addition per packet: nobody does while nothing is
 *          lost.
 */
#ifndef ONTIME_SLACK_H
#define ONTIME_SLACK_H

#include "plan.h"

/*
 * slack_begin_by_ns - when work on those that are not lost must begin for each of them to be in time; INT64_MAX: any
 * time. One that was evicted later is still reckoned with: too early, never too late.
 */
int64_t slack_begin_by_ns(struct plan_class *c);

#endif
