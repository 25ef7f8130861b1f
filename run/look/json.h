/*
 * json.h - a look at an instance as one line of JSON: `stat --json`, `stat --record`, and the dashboard's events.
 *
 * Rules:   counts are cumulative since launch and only grow, so a reader takes differences. Times are in ns.
 *          `latency_ns` and `latency_buckets` are of all sent so far; `recent` of what was sent since the look before
 *          (absent without one). Keys are only ever added.
 *
 *   {"instance":"default","at_ns":N,"at_unix_ms":N,"created_at_ns":N,"balanced":true,
 *    "healthy":true,"causes":[{"cause":"stuck","text":"class a has sent nothing for 7 s ..."},...],"supervised":true,
 *    "classes":[{"class":"high","budget_ns":N|null,"received":N,"sent":N, and so on: each counter in
 *      common/shm/counter.c under its key,
 *      "dropped":{REASON:N,...all},"send_errors":{ERRNO:N},"span_ns":{SPAN:N,...all},
 *      "latency_ns":{"p50":N,"p95":N,"p99":N,"p999":N,"sum":N,"max":N}, "latency_buckets":[[LOWER_EDGE_NS,COUNT],...],
 *      "recent":{"ns":N,"sent":N,"p50":N,"p95":N,"p99":N,"p999":N,"max":N}},...],
 *    "stages":[{"stage":"ingress","pid":N,"state":"ready","sched":"fifo","up_ns":N, and so on: each counter in
 *      stage_counters.c under its key,"failing_errno":"ENOMEM"|null},...]}
 */
#ifndef ONTIME_STAT_JSON_H
#define ONTIME_STAT_JSON_H

#include <stdio.h>

#include "health.h"
#include "view.h"

/* The parts of one line. */
struct stat_line {
	const char *instance;
	const struct view *now;
	const struct view *before; /* an earlier look, or NULL */
	const struct health *health; /* as of `now` */
	int buckets; /* 1: with the histograms */
};

/* stat_json - one object, and a newline. */
void stat_json(FILE *out, const struct stat_line *line);

/* json_string - text in quotes; quotes and control characters in it do no harm. */
void json_string(FILE *out, const char *text);

#endif
