/*
 * calls.h - what edf, and each of its workers, may do once it is shut in (cage/cage.h).
 *
 * Rules:   a plugin is opened before, with all that the user may do, and works with the calls of the stage and those
 *          that `plugin_calls` names. It reads files while it works only if it is allowed a call that opens them, and
 *          writes none. What it executes, where it may, is shut in likewise.
 *          With workers the stage itself makes the calls that start one, and that open a plugin. So an open() in a
 *          worker reads files, and writes none; else it has the calls that `plugin_calls` names.
 */
#ifndef ONTIME_EDF_CALLS_H
#define ONTIME_EDF_CALLS_H

#include "stage/run.h"

/* edf_allow - of the stage: with workers it has no plugin itself. */
void edf_allow(const struct stage *s, struct cage *cage);

/* edf_allow_worker - of a worker that has opened its plugin. */
void edf_allow_worker(const struct stage *s, struct cage *cage);

#endif
