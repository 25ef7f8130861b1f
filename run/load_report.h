/*
 * load_report.h - what a run found: as a table, as JSON, as lines of CSV.
 */
#ifndef ONTIME_LOAD_REPORT_H
#define ONTIME_LOAD_REPORT_H

#include "load_run.h"

void report_table(const struct load *l);
void report_json(const struct load *l);

/* report_csv - append a line per class, after a first line with names in an empty file. 0, or 1 after one line. */
int report_csv(const struct load *l, const char *file);

/* report_percentile_ns - no longer than the longest there was. */
uint64_t report_percentile_ns(const uint64_t *histogram, uint64_t max_ns, uint32_t per_million);

#endif
