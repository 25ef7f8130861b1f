/*
 * report.h - what a run found: as a table, as JSON.
 */
#ifndef ONTIME_LOAD_REPORT_H
#define ONTIME_LOAD_REPORT_H

#include "run.h"

void report_table(const struct load *l);
void report_json(const struct load *l);

/* report_percentile_ns - no longer than the longest there was. */
uint64_t report_percentile_ns(const uint64_t *histogram, uint64_t max_ns, uint32_t per_million);

/* report_on_time_percent - of what was sent with a time. */
double report_on_time_percent(const struct flow *f);

#endif
