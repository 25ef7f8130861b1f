/*
 * begin.h - an instance begins: sockets are bound, the segment is created, and a command goes on with both. Or new
 * processes go on with what an instance has.
 *
 * Rules:   what needs a name is done before anything is bound or created, and a second launch of a running instance
 *          ends before it has touched anything.
 *          kept: what a service manager has kept (store.h), or NULL; it is told of what is handed on.
 */
#ifndef ONTIME_HOLD_BEGIN_H
#define ONTIME_HOLD_BEGIN_H

#include "options.h"
#include "sockets.h"

/* From a launch of root: why all stays root's; that it does not, but is the user's now. */
#define ROOT_VARIABLE "ONTIME_AS_ROOT"
#define AS_USER_VARIABLE "ONTIME_AS_USER"

/* begin_new - returns the exit status when it fails, or when the command has ended that it stays for (--keep). */
int begin_new(const struct hold_options *o, const struct config *c, struct kept *kept);

/* begin_adopted - likewise: the sockets are a running stage's, or those that were kept. */
int begin_adopted(const struct hold_options *o, const struct config *c, const struct segment *seg, struct kept *kept);

/* begin_segment - the segment alone, for stages in containers of their own (run/deploy). */
int begin_segment(const struct config *c);

/* begin_bound - the input sockets alone, for a segment that another container has made, and exec the command. */
int begin_bound(const struct hold_options *o, const struct config *c);

#endif
