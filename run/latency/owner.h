/*
 * owner.h - root attaches the histograms of another user's instance as that user.
 *
 * Rules:   root prepares two things in the bpffs, a way in and a directory of the user's. Then this process is the
 *          user's, with CAP_BPF and CAP_PERFMON only: what that user wrote into segment and files can do no more than
 *          he could.
 */
#ifndef ONTIME_LATENCY_OWNER_H
#define ONTIME_LATENCY_OWNER_H

#include "shm/segment.h"

/* owner_become - of the segment; for root only, else nothing changes. 0, or -1 after one line. */
int owner_become(const struct segment *seg);

#endif
