/*
 * csv.h - the results of runs as lines of CSV, one a class, appended to a file.
 *
 * Rules:   the file is opened, and what is in it looked at, before anything is sent: one that cannot take the lines is
 *          refused then. An empty file gets a first line with the columns' names; one with other names is refused. A
 *          last line without its end, of a writer that was killed, is ended first: what follows begins a line of its
 *          own.
 */
#ifndef ONTIME_LOAD_CSV_H
#define ONTIME_LOAD_CSV_H

#include <stdio.h>

#include "run.h"

struct csv {
	const char *file;
	FILE *out; /* NULL: none is wanted */
	int needs_names; /* nothing is in it yet */
};

/* csv_open - file NULL: none. 0, or the exit status after one line. */
int csv_open(struct csv *csv, const char *file);

/* csv_append - what a run found. 0, or 1 after one line. */
int csv_append(struct csv *csv, const struct load *l);

#endif
