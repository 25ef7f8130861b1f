/*
 * stream.h - looks at an instance as lines of JSON, one an interval, until asked to end: `--record`, `--json
 * --interval`.
 *
 * Rules:   a line is written whole, or taken back: a reader finds no torn one. While the instance does not run nothing
 *          is written; a line on standard error says so, once. `recent` is absent in the first line after each launch.
 */
#ifndef ONTIME_STAT_STREAM_H
#define ONTIME_STAT_STREAM_H

#include <stdint.h>

struct recorder {
	const char *instance;
	const char *file; /* appended to; NULL: standard output */
	uint64_t interval_ns;
	int buckets; /* 1: with the histograms */
	int shard; /* the one that is watched; -1: all together */
};

/* stat_stream - 0: asked to end, or the reader is gone. 1: it cannot be written; one line says why. */
int stat_stream(const struct recorder *s);

#endif
