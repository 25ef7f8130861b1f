/*
 * files.h - the page and what it loads, inside the program: an installed dash needs no file beside it.
 */
#ifndef ONTIME_DASH_FILES_H
#define ONTIME_DASH_FILES_H

#include <stddef.h>

struct dash_file {
	const char *path; /* of the URL */
	const char *type;
	const char *bytes, *end;
};

#define DASH_FILES 14
extern const struct dash_file dash_files[DASH_FILES];

#endif
