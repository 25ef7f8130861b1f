/* loops.h - a stage's loop in the test's own process: its segment, and as much of the stage as its steps need. */
#ifndef ONTIME_TESTS_LOOPS_H
#define ONTIME_TESTS_LOOPS_H

#include <stdio.h>
#include <unistd.h>

#include "stage/run.h"
#include "suites.h"

/* begin_loop - with s->config, but for its instance, whose name is made up: the segment has none any more. */
static inline void begin_loop(struct stage *s, const struct stage_ops *ops)
{
	char why[WHY_BYTES];

	snprintf(s->config.instance, sizeof(s->config.instance), "unit-%s-%d", stage_name(ops->id), getpid());
	CU_ASSERT_EQUAL_FATAL(segment_create(&s->seg, &s->config, NULL, 0, why), 0);
	segment_remove(s->config.instance);
	s->id = ops->id;
	s->blocks = s->place.blocks = s->seg.shared->stages;
	s->place.n_cpus = 1;
	s->self = &s->blocks[s->id];
	s->space_fd = -1;
	probe_init(&s->probes, &s->seg, s->id);
	CU_ASSERT_EQUAL_FATAL(ops->open(s), 0);
}

#endif
