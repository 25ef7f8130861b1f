/*
 * lives.h - a stage works until it dies before a given store, and so does its successor; for a test that says what is
 * left to do.
 *
 * Memory:  `lives` is the process's own, as trap is. The test fills in the upper part first.
 * Crash:   whoever dies is replaced by the test: lives_open_until() or lives_open().
 */
#ifndef ONTIME_TESTS_MORTAL_LIVES_H
#define ONTIME_TESTS_MORTAL_LIVES_H

#include "mortal.h"
#include "shm/lane.h"

struct lives {
	int (*has_work)(enum stage_id id); /* whether anything waits for that stage */
	void (*never_ends)(void); /* told when a stage goes on for ever, before the process ends */
	char **arguments; /* of each stage */
	int n_arguments;
	uint64_t deaths, recovery_deaths;
};

extern struct lives lives;

/* lives_open - a stage starts, recovery included; one that cannot ends the test. */
void lives_open(enum stage_id id);

/* lives_step_until - a stage works off all that waits for it, and dies before that store. 1: it died. */
int lives_step_until(enum stage_id id, uint32_t store);

/* lives_open_until - its successor starts, and dies before that store. 1: it died. */
int lives_open_until(enum stage_id id, uint32_t store);

/* lives_work_before - the stages before that one work off what waits for them. */
void lives_work_before(enum stage_id id);

/* lives_turn - the first stage that has something to do; -1: none. */
int lives_turn(void);

/* lives_waits_in_lane - for edf or egress, in that lane. */
int lives_waits_in_lane(const struct lane *l, enum stage_id id);

int lives_is_readable(int fd);

#endif
