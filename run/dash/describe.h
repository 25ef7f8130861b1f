/*
 * describe.h - what the page must know to name what it shows: drop reasons, spans, percentiles, stages.
 *
 * Rules:   the page imports it as the module counters.js, so that it has no list of its own: all of it is read off
 *          common/fate.h and run/look/view.h.
 */
#ifndef ONTIME_DASH_DESCRIBE_H
#define ONTIME_DASH_DESCRIBE_H

#include <stdio.h>

#define DESCRIPTION_PATH "/counters.js"
#define DESCRIPTION_TYPE "text/javascript; charset=utf-8"

/*
 * describe_print - HOST: the machine; VERSION: of this program; SHOWS_OTHERS: the page of another instance that runs is
 * /?instance=NAME. REASONS and SPANS: [{name, by, help}]; PERCENTILES and STAGES: [name]; each in its order.
 */
void describe_print(FILE *out, int shows_others);

#endif
