/*
 * pipeline.h - what the tests of the real pipeline share: one rig, and the ways to start stages on it.
 *
 * Rules:   each file has a table of its tests, ended by one without a name; pipeline.c runs them all.
 */
#ifndef ONTIME_TESTS_PIPELINE_H
#define ONTIME_TESTS_PIPELINE_H

#include "harness/harness.h"
#include "hold/sockets.h"

#define LOCAL "127.0.0.1"
#define SMALL_LANE "ingress_to_edf = 64\nedf_to_egress = 64\n"
#define UDP4_BYTES 28 /* IPv4 and UDP headers, as the shaper counts them */
#define TEST(test)                                                                                                     \
	{                                                                                                              \
#test, test                                                                                            \
	}

extern struct rig rig; /* of the test that runs: each runs in a process of its own */
extern const char *build_dir; /* where the stages are */

extern const struct harness_test relay_tests[];
extern const struct harness_test drops_tests[];
extern const struct harness_test errors_tests[];
extern const struct harness_test shaper_tests[];
extern const struct harness_test reload_tests[];
extern const struct harness_test damage_tests[];
extern const struct harness_test failing_tests[];
extern const struct harness_test restart_tests[];
extern const struct harness_test marks_tests[];
extern const struct harness_test from_tests[];
extern const struct harness_test source_tests[];
extern const struct harness_test accept_tests[];

/* failing_rows - a test for each error of each row of tests/operate/calls.table that is about traffic; how many. */
size_t failing_rows(struct harness_test *to, size_t room);

/* hold - what hold does before it hands on. pmtu_do: refuse to fragment on the way out. */
void hold(struct rig *r, int pmtu_do);

/* start - hold, then the stages. */
void start(struct rig *r);

void begin_four_classes(const char *pipeline);

/* start_one_class - of a pipeline with these lines, a class `only` with those. */
void start_one_class(const char *pipeline, const char *lines);

/* preload - stages started from now on have the object loaded before the C library. */
void preload(const char *object);

/* dropped - how many packets of the first class were dropped for that reason. */
uint64_t dropped(enum drop_reason reason);

/* errors_of - how many datagrams of the first class the kernel refused with that errno. */
uint64_t errors_of(int err);

/* freeze_egress_past_the_deadline - send n packets of class `only`, and let egress see them when they are late. */
void freeze_egress_past_the_deadline(uint32_t n);

/* expect_abort - the stage ends by abort(), with one line. */
void expect_abort(enum stage_id id);

/* cpu_ns - what a process has used, user and system. */
uint64_t cpu_ns(pid_t pid);

/* expect_little_cpu - of that much CPU on a machine, or of that many wakes in an emulator. */
void expect_little_cpu(int line, uint64_t used_ns, uint64_t most_ns, uint64_t most_wakes);

#endif
