/*
 * rights.h - what this process may do to sockets, and what its successors need not.
 *
 * Rules:   a right is for making a socket. No process that has a packet, or a plugin, has it. Of
 *          root's power the holder and the supervisor keep what they and the stages need, and stages nothing
 *          (stage/run.h).
 */
#ifndef ONTIME_HOLD_RIGHTS_H
#define ONTIME_HOLD_RIGHTS_H

#include "config/config.h"

/*
 * rights_end_with_this - what this process starts, or becomes by exec, has none of these rights. No more is called than
 * a unit's filter of system calls allows.
 */
void rights_end_with_this(void);

/*
 * rights_keep_from_rising - no program that this process starts, or becomes, gets a right from its file. Where
 * ONTIME_BUILD/latency has some (setcap), all is as it was: the supervisor starts that.
 */
void rights_keep_from_rising(void);

/*
 * rights_forbid - with `cage`, system calls that nothing of an instance needs are refused from now on, to this process
 * and to all that it starts, but those that `plugin_calls` names. Before the holder, or a supervisor that has none.
 */
void rights_forbid(const struct config *c);

/* rights_drop - nor has this process from now on. Others may look at it again, as at one that never had them. */
void rights_drop(void);

#endif
