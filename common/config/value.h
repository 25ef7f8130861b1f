/*
 * value.h - one option's value: from text with a unit to a number in range, and back.
 *
 * Memory:  a value is written into the struct the option lies in (`base` + offset); no heap.
 * Rules:   the whole text must be the value: no blanks before a unit, no rounding, no bare number
 *          where a unit exists. A refused text leaves *base untouched and says why in `reason`, with
 *          what would be accepted.
 */
#ifndef ONTIME_CONFIG_VALUE_H
#define ONTIME_CONFIG_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "config.h"

#define REASON_BYTES 320 /* why a text was refused */
#define VALUE_BYTES 640 /* the longest value as text: 8 addresses */

enum value_type {
	VALUE_TIME, /* limits in ns */
	VALUE_SIZE, /* limits in bytes */
	VALUE_RATE, /* limits in bits per second */
	VALUE_COUNT, /* a bare whole number */
	VALUE_PERCENT,
	VALUE_SPIN, /* one time for all stages, or one per stage */
	VALUE_CHOICE, /* one of `words` */
	VALUE_NAME, /* [a-z0-9_-]+ */
	VALUE_WORK, /* fills work and plugin */
	VALUE_CPUS, /* auto, none, one CPU, or one per stage */
	VALUE_LISTEN, /* fills n_listen and listen */
	VALUE_SEND, /* fills n_dests and dests */
};

/* What a changed value needs while an instance lives. */
enum change {
	CHANGE_RELOAD, /* SIGHUP applies it */
	CHANGE_LANE, /* SIGHUP applies it, as long as config_slots_pkts() stays */
	CHANGE_RELAUNCH, /* only a new start applies it */
	CHANGE_IDENTITY, /* likewise, and it is part of config_digest() */
};

enum scope { SCOPE_PIPELINE, SCOPE_CLASS };

struct option {
	enum scope scope; /* base is a struct config, or a struct class_config */
	const char *key;
	enum value_type type;
	size_t offset, bytes; /* the field in base */
	const char *standard; /* default, as text; NULL: must be given */
	uint64_t min, max; /* in the unit of the type */
	uint64_t step; /* what 1 in the field means in the unit of the type: 1000 for a field in us */
	const char *words; /* the choices "a|b", or the one word that means 0 in a number */
	enum change change;
	const char *help;
};

/* value_parse - text into the option's field of *base; 0, or -EINVAL and reason[REASON_BYTES]. */
int value_parse(const struct option *o, void *base, const char *text, char *reason);

/* value_format - the option's field of *base as value_parse() would accept it, in text[VALUE_BYTES]; returns text. */
const char *value_format(const struct option *o, const void *base, char *text);

/* value_format_range - what the option accepts, for a table, in text[VALUE_BYTES]; returns text. */
const char *value_format_range(const struct option *o, char *text);

/* value_check_name - 0 if text is [a-z0-9_-]+ with at most max_chars, else -EINVAL and the reason. */
int value_check_name(const char *text, size_t max_chars, char *reason);

#endif
