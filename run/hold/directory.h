/*
 * directory.h - a directory that only this user can change: for the log, the lock, and what people look up.
 *
 * Rules:   every directory on the way belongs to root or to this user, and others may write to it only if it is sticky,
 *          as /tmp is; the last one is this user's, and nobody else may write to it at all. So no link and no file of
 *          somebody else's can be in the way later. A link on the way is followed if it is root's or this user's own.
 *          What is made here has mode 0700. What was there keeps its mode: it may be a directory that others need.
 */
#ifndef ONTIME_HOLD_DIRECTORY_H
#define ONTIME_HOLD_DIRECTORY_H

#include "config/config.h"
#include "shm/segment.h"

#define DIRECTORY_LOCK ".lock" /* no instance has a name with a dot */

/*
 * directory_make - make it and what is missing above it. Its true path goes to `path`. 0, or -errno and one line in
 * `why`.
 */
int directory_make(const char *name, char path[PATH_BYTES], char why[WHY_BYTES]);

/* directory_make_lock - and in it a file for flock(1) that only this user can open. */
int directory_make_lock(const char *name, char path[PATH_BYTES], char why[WHY_BYTES]);

#endif
