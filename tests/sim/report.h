/* report.h - what became of a simulated world, in two lines. */
#ifndef ONTIME_TESTS_SIM_REPORT_H
#define ONTIME_TESTS_SIM_REPORT_H

#include "sim.h"

/* report_calls_per_packet - system calls of all stages. */
double report_calls_per_packet(const struct sim_result *r);

/* report_print - to stdout; took_ns: on the wall's clock. */
void report_print(const struct sim_setup *setup, const struct sim_result *r, uint64_t took_ns);

#endif
