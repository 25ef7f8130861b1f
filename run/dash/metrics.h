/*
 * metrics.h - the last look as metrics for Prometheus: OpenMetrics 1.0, or its older text format 0.0.4.
 *
 * Rules:   names begin with ontime_; seconds and bytes; counters end in _total. `le` edges are exact: the histogram's
 *          own edges less 1 ns (times are whole nanoseconds), and each class's budget, where the count is that of
 *          the packets sent in time.
 * Source:  OpenMetrics 1.0, prometheus.io/docs/specs/om/open_metrics_spec/.
 */
#ifndef ONTIME_DASH_METRICS_H
#define ONTIME_DASH_METRICS_H

#include <stdio.h>

#include "feed.h"

#define OPEN_METRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define PLAIN_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

/* metrics_print - everything; open: 1 OpenMetrics, 0 the older format. n_streams: clients of /events. */
void metrics_print(FILE *out, const struct feed *f, uint32_t n_streams, int open);

#endif
