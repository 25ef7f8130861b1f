/*
 * hold_directory.h - a directory that only this user can change: for the log, the lock, and what people look up.
 *
 * Rules:   every directory on the way belongs to root or to this user, and others may write to it only if it is sticky, as /tmp
 *          is; the last one is this user's, mode 0700. So no link and no file of somebody else's can be in the way later.
 *          Links on the way are resolved first, and what they lead to is judged.
 */
#ifndef ONTIME_HOLD_DIRECTORY_H
#define ONTIME_HOLD_DIRECTORY_H

#include "config.h"
#include "segment.h"

/* directory_make - make it and what is missing above it. Its true path goes to `path`. 0, or -errno and one line in `why`. */
int directory_make(const char *name, char path[PATH_BYTES], char why[WHY_BYTES]);

#endif
