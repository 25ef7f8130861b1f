/*
 * find.h - the highest rate at which nothing is lost: doubling, then halving the interval.
 *
 * Rules:   a rate holds if all of a step came, once, in order and unchanged, and no queue grew: the last datagrams came
 *          soon after they were sent. A rate that fails is tried a second time before it is believed. When the source
 *          itself cannot keep to a rate, that is said: the relay may be able to do more.
 */
#ifndef ONTIME_LOAD_FIND_H
#define ONTIME_LOAD_FIND_H

#include "csv.h"
#include "run.h"

/* find_max - 0 found, 1 cannot run, or no rate holds, or stopped. */
int find_max(struct load *l, struct csv *csv);

#endif
