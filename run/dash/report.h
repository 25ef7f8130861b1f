/*
 * report.h - what the eBPF histograms of an instance have counted (run/latency/README.md), so that an alert can tell
 * when they count no more.
 *
 * Rules:   read-only: the pinned report, if this user may read it. Nothing is known of an instance without one.
 */
#ifndef ONTIME_DASH_REPORT_H
#define ONTIME_DASH_REPORT_H

#include "look/view.h"

#define REPORT_NONE UINT64_MAX

/* report_look - per class of v, the packets in its histogram of the whole way; REPORT_NONE: there is none. */
void report_look(const char *instance, const struct view *v, uint64_t counted_pkts[MAX_CLASSES]);

#endif
