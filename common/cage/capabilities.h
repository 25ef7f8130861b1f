/*
 * capabilities.h - what of root's power a process goes on with.
 *
 * Rules:   a set is a mask, bit N for capability N of capabilities(7). What is left out is gone for good, from what the
 *          process has and, where it may say so, from what a program that it executes could get (the bounding set).
 *          Under another filter of system calls, as of a unit, who is not root keeps what it was given: that may not
 *          let it say so.
 * Source:  capabilities(7), prctl(2) PR_CAPBSET_DROP.
 */
#ifndef ONTIME_CAGE_CAPABILITIES_H
#define ONTIME_CAGE_CAPABILITIES_H

#include <linux/capability.h>
#include <stdint.h>

#define CAPABILITY(number) (1ULL << (number))

/* capabilities_keep - those of the mask that it has, and no other. Of the calling thread. */
void capabilities_keep(uint64_t mask);

#endif
