/*
 * rights.h - what this process may do to sockets, and what its successors need not.
 *
 * Rules:   a right is for making a socket. No process that has a packet, or a plugin, has it.
 */
#ifndef ONTIME_HOLD_RIGHTS_H
#define ONTIME_HOLD_RIGHTS_H

/* rights_drop - the sockets are there: neither this process nor one that it starts has those rights from now on. */
void rights_drop(void);

#endif
