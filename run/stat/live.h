/*
 * live.h - the monitor on a terminal: look, draw, wait, obey keys.
 *
 * Rules:   survives that stages, or the instance, end and come again. The terminal is restored on q, SIGINT, SIGTERM
 *          and SIGHUP. Without a keyboard (standard input elsewhere) it ends by a signal.
 */
#ifndef ONTIME_STAT_LIVE_H
#define ONTIME_STAT_LIVE_H

#include <stdint.h>

/*
 * stat_live - of one shard, or (-1) of all together, until asked to end: 0. 2: the terminal cannot do it (one line says
 * why).
 */
int stat_live(const char *instance, int shard, uint64_t interval_ns);

#endif
