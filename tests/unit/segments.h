/* segments.h - a segment for the tests of it: made, and dropped again. */
#ifndef ONTIME_TESTS_SEGMENTS_H
#define ONTIME_TESTS_SEGMENTS_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "shm/segment.h"
#include "shm/find.h"
#include "shm/lock.h"
#include "suites.h"

#define LOCK_TRY_NS (2 * NS_PER_MS)

static char why[WHY_BYTES];

static inline void make_config(struct config *c)
{
	config_defaults(c);
	snprintf(c->instance, sizeof(c->instance), "unit-segment-%d", getpid());
	for (uint32_t i = 0; i < c->n_classes; i++)
		c->classes[i].ingress_to_edf_pkts = c->classes[i].edf_to_egress_pkts = 16;
}

static inline void create(struct segment *seg, struct config *c)
{
	static const uint64_t cookies[2] = { 11, 22 };

	make_config(c);
	CU_ASSERT_EQUAL_FATAL(segment_create(seg, c, cookies, 2, why), 0);
}

static inline void drop(struct segment *seg, const struct config *c)
{
	segment_close(seg);
	segment_remove(c->instance);
}

#endif
