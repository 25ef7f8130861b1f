/*
 * layout_guard.h - THE shared segment, the part of it that a class has which is protected from its sources. By the
 * rules of layout.h, which includes it: whoever changes this changes the layout.
 */
#ifndef ONTIME_LAYOUT_GUARD_H
#define ONTIME_LAYOUT_GUARD_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#include "config/ids.h"

#define SOURCES 4096 /* that a class with `source_rate` knows at one time */
#define SOURCES_OF_SET 8 /* those that could stand in each other's place */

/*
 * A source that a class limits: when it has used up what it was allowed until then (quota.h). Writer: ingress, before
 * the packets are published that it counts.
 */
struct guard_source {
	_Atomic uint64_t key[2]; /* its address, of IPv4 in the form ::ffff:0:0/96, cut to `source_prefix` */
	_Atomic uint64_t until_ns;
	_Atomic uint64_t was_ns; /* until_ns before the batch of `word` */
	_Atomic uint64_t word; /* commit word that the batch began with which last changed it */
};

/* Of a class with `source_rate` or `fair`. Writer: ingress. */
struct guard {
	alignas(LINE) struct guard_source sources[SOURCES]; /* sets, one behind the other */
	/* by each socket of a class with `fair`, as of the last commit about it (drops.h) */
	alignas(LINE) uint64_t drops_seen[MAX_LISTEN * (MOST_BUCKETS + 1)];
};

#endif
