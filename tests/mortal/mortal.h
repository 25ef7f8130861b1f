/*
 * mortal.h - the stages, their steps called one by one by a test that lets a stage die between any two stores.
 *
 * Memory:  one stage of each kind per process.
 * Crash:   a stage that dies loses what it held privately, its descriptors and its lock, as if it had been killed. The
 *          next mortal_open() is its successor.
 */
#ifndef ONTIME_MORTAL_H
#define ONTIME_MORTAL_H

#include "config/config.h"

/* mortal_open - start the stage, recovery included. 0, or 1 + the exit status. */
int mortal_open(enum stage_id id, int argc, char **argv);

void mortal_step(enum stage_id id);
void mortal_die(enum stage_id id);

#endif
