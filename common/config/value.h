/*
 * value.h - one option's value: from text with a unit to a number in range, and back.
 *
 * Memory:  a value is written into the struct the option is of (`base` + offset); no heap.
 * Rules:   the whole text must be the value: a number, one blank at most, a unit; no bare number where a unit exists. A
 *          number may have a point as long as the result is whole in the unit of the field: 0.5ms is 500us, 0.0000001ms
 *          is nothing.
 *          A refused text leaves *base untouched and says why in `reason`, with what would be accepted.
 */
#ifndef ONTIME_CONFIG_VALUE_H
#define ONTIME_CONFIG_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "hosts.h"

#define REASON_BYTES 400 /* why a text was refused */
#define VALUE_BYTES 20480 /* the longest value as text: prefixes */
#define LINE_VALUE_BYTES 4608 /* ... of those that stand in one line: a rule, or MAX_DESTS addresses */

/* What a changed value needs while an instance lives. */
enum change {
	CHANGE_RELOAD, /* SIGHUP applies it */
	CHANGE_COPYING, /* SIGHUP applies it, as long as the class copies as before, or does not */
	CHANGE_LANE, /* SIGHUP applies it, as long as config_slots_pkts() stays */
	CHANGE_LIMIT, /* SIGHUP applies it, as long as there is such a limit before and after it */
	CHANGE_RELAUNCH, /* only a new start applies it */
	CHANGE_IDENTITY, /* likewise, and it is part of config_digest() */
};

enum scope { SCOPE_PIPELINE, SCOPE_DASH, SCOPE_CLASS, N_SCOPES };

struct option {
	enum scope scope; /* base is a struct class_config for SCOPE_CLASS, else a struct config */
	const char *key;
	const struct kind *kind;
	size_t offset, bytes; /* the field in base */
	size_t second; /* offset of the field that belongs to it: the plugin of `work`, the number of addresses */
	const char *standard; /* default, as text; NULL: must be given */
	uint64_t min, max; /* in the unit of the kind */
	uint64_t step; /* what 1 in the field means in the unit of the kind: 1000 for a field in us; 0 is 1 */
	const char *word; /* what may stand there instead of a number, and the number that it means */
	uint64_t word_value;
	const char *const *words; /* the choices, ended by NULL; their index is what is stored */
	const char *accepts; /* for a table, where neither limits nor words tell it */
	enum change change;
	const char *help;
};

/* What values of a sort have in common. */
struct kind {
	int (*parse)(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason);
	void (*format)(const struct option *o, const void *base, char *text);
	void (*print_range)(const struct option *o, char *text);
	struct unit {
		const char *name;
		uint64_t scale;
	} units[6]; /* rising: the largest that divides a number prints it */
	const char *use; /* the units for messages; `h` is accepted because limits are printed with it */
	const char *example;
};

extern const struct kind kind_time, kind_size, kind_rate, kind_count, kind_percent;
extern const struct kind kind_spin; /* one time for all stages, or one per stage */
extern const struct kind kind_choice, kind_name, kind_work;
extern const struct kind kind_cpus; /* auto, none, one CPU, or one per stage */
extern const struct kind kind_pps; /* a number for each second */
extern const struct kind kind_bits; /* of an address of IPv4, of IPv6 */
extern const struct kind kind_allow, kind_deny; /* prefixes that a line may go on with, of acl.h */
extern const struct kind kind_prefixes; /* addresses and prefixes, of prefix.h */
extern const struct kind kind_listen, kind_send, kind_from;
extern const struct kind kind_drain; /* some of the destinations of a class; addresses.c */
extern const struct kind kind_alive; /* how a destination is looked after; alive.h */
extern const struct kind kind_sources; /* addresses without a port, of group.h */
extern const struct kind kind_dscp; /* a code point, off or keep; dscp.c */
extern const struct kind kind_match; /* a rule of match.h */
extern const struct kind kind_via; /* a prefix of this machine's addresses; via.c */
extern const struct kind kind_ports; /* any, or from one to another */
extern const struct kind kind_names; /* host names, as text with a blank between two */
extern const struct kind kind_file; /* the name of a file, from the root on */
extern const struct kind kind_calls; /* system calls, likewise, or none */

/* value_parse - text into the option's field of *base; 0, or -EINVAL or -EAGAIN (hosts.h), and reason[REASON_BYTES]. */
int value_parse(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason);

/* value_format - the option's field of *base as value_parse() would accept it, in text[VALUE_BYTES]; returns text. */
const char *value_format(const struct option *o, const void *base, char *text);

/* value_format_range - what the option accepts, for a table, in text[VALUE_BYTES]; returns text. */
const char *value_format_range(const struct option *o, char *text);

/* value_check_name - 0 if text is [a-z0-9_-]+ with at most max_chars, else -EINVAL and the reason. */
int value_check_name(const char *text, size_t max_chars, char *reason);

/* For the kinds alone, from here on: one value for all stages, or one for each: "a" or "a,b,c". */
#define STAGE_BYTES 32 /* of one value, with the final NUL */

/*
 * stages_split - into one piece per stage, without blanks around commas; false: neither one nor three, or one is too
 * long.
 */
bool stages_split(const char *text, char piece[N_STAGES][STAGE_BYTES]);

/* stages_join - the same again, one if all are alike, into text[VALUE_BYTES]. */
void stages_join(char piece[N_STAGES][STAGE_BYTES], char *text);

/* value_refuse - write the reason; returns -EINVAL, so that a refusal is one statement. */
int value_refuse(char *reason, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
