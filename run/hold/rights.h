/*
 * rights.h - what this process may do to sockets, and what its successors need not.
 *
 * Rules:   a right is for making a socket. No process that has a packet, or a plugin, has it, unless it is root's.
 */
#ifndef ONTIME_HOLD_RIGHTS_H
#define ONTIME_HOLD_RIGHTS_H

/*
 * rights_end_with_this - what this process starts, or becomes by exec, has none of these rights. No more is called than
 * a unit's filter of system calls allows.
 */
void rights_end_with_this(void);

/* rights_drop - nor has this process from now on. Others may look at it again, as at one that never had them. */
void rights_drop(void);

#endif
