/* options.h - what the user asked tape for. */
#ifndef ONTIME_TAPE_OPTIONS_H
#define ONTIME_TAPE_OPTIONS_H

#include <stdint.h>

#include "config/ids.h"

struct tape_options {
	char instance[INSTANCE_NAME_BYTES];
	const char *write, *classes; /* classes: NULL: all */
	uint64_t before_ns, n_packets, most_bytes, n_files; /* 0: not given */
	double seconds;
	int late, dropped, headers;
};

/* options_parse - -1: go on, else the exit status. */
int options_parse(struct tape_options *o, int argc, char **argv);

/* options_take_class - is that class wanted? */
int options_take_class(const struct tape_options *o, const char *class);

/*
 * options_unknown_class - the first name asked for that is none of the n, in name[CLASS_NAME_BYTES]; 0: there is none.
 */
int options_unknown_class(const struct tape_options *o, const char *const *classes, uint32_t n,
			  char name[CLASS_NAME_BYTES]);

#endif
