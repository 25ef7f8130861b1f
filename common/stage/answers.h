/*
 * answers.h - what comes back to a socket that only sends: nobody reads it, so the kernel drops it, and counts.
 *
 * Rules:   a filter that takes nothing stands before the receive buffer, so that answers cost no memory and no wake-up.
 *          What it dropped is in the socket's count of drops, exactly; a super-datagram counts as its parts.
 * Source:  socket(7) SO_ATTACH_FILTER; sock_diag(7) SK_MEMINFO_DROPS.
 */
#ifndef ONTIME_STAGE_ANSWERS_H
#define ONTIME_STAGE_ANSWERS_H

/* answers_refuse - from now on. 0 or -errno. */
int answers_refuse(int fd);

/* answers_accept - no longer. */
void answers_accept(int fd);

#endif
