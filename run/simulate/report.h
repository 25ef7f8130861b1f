/*
 * report.h - what became of the packets of a trace: as a table, as JSON, one by one, on standard output.
 */
#ifndef ONTIME_SIMULATE_REPORT_H
#define ONTIME_SIMULATE_REPORT_H

#include "model.h"

/* report_percent - of nothing it is 0. */
double report_percent(uint64_t part, uint64_t whole);

/*
 * report_table, report_json - a row, or an object, for each class that has packets; of one that copies also what its
 * copies are on the wire, over the time of the trace. No line end after the JSON.
 */
void report_table(const struct config *c, const struct outcome *outcomes, const struct trace *t);
void report_json(const struct config *c, const struct outcome *outcomes, const char *policy);

/* report_packets - a line of CSV for each packet: its fate and its latency. */
void report_packets(const struct config *c, const struct trace *t);

#endif
