/* value.c - numbers with units, and what all kinds of values share. */
#include "value.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "decimal.h"

int value_refuse(char *reason, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, REASON_BYTES, format, args);
	va_end(args);
	return -EINVAL;
}

static uint64_t step_of(const struct option *o)
{
	return o->step ? o->step : 1;
}

/* format_quantity - `1536B`, `10us`; zero takes the unit of the field. */
static const char *format_quantity(const struct option *o, uint64_t value, char text[STAGE_BYTES])
{
	const struct unit *unit = o->kind->units, *best = unit;

	for (; unit->name; unit++)
		if (value ? value % unit->scale == 0 : unit->scale <= step_of(o))
			best = unit;
	snprintf(text, STAGE_BYTES, "%" PRIu64 "%s", value / best->scale, best->name);
	return text;
}

/* refuse_quantity - what is wrong, followed by what the option accepts. */
static int refuse_quantity(const struct option *o, char *reason, const char *what)
{
	bool usable = o->standard && isdigit((unsigned char)o->standard[0]);
	char min[STAGE_BYTES], max[STAGE_BYTES];

	return value_refuse(reason, "%s; use %s, from %s to %s (for example %s)", what, o->kind->use,
			    format_quantity(o, o->min, min), format_quantity(o, o->max, max),
			    usable ? o->standard : o->kind->example);
}

/* refuse_text - there is no number at its beginning. */
static int refuse_text(const struct option *o, const char *text, char *reason)
{
	size_t digits = strspn(text, "0123456789");
	char what[64] = "not a number";

	if (text[0] == '\0')
		return refuse_quantity(o, reason, "a value is missing");
	if (text[0] == '-')
		return refuse_quantity(o, reason, "a negative number");
	if (digits > 0 && text[digits] == '.')
		return refuse_quantity(o, reason, "no digits behind the point");
	if (o->word)
		snprintf(what, sizeof(what), "neither a number nor \"%s\"", o->word);
	return refuse_quantity(o, reason, what);
}

/* refuse_unit - the number was fine, what follows it (`rest`) is no unit. */
static int refuse_unit(const struct option *o, const char *rest, char *reason)
{
	char what[64];

	if (o->kind->units[0].name[0] == '\0')
		return refuse_quantity(o, reason, "not a whole number");
	if (rest[0] == '\0')
		return refuse_quantity(o, reason, "a unit is missing");
	snprintf(what, sizeof(what), "unknown unit \"%.20s\"", rest);
	return refuse_quantity(o, reason, what);
}

/* refuse_fraction - the number is not whole in the unit of the field. */
static int refuse_fraction(const struct option *o, char *reason)
{
	const struct unit *unit = o->kind->units;
	char what[32];

	while (unit->scale != step_of(o))
		unit++;
	snprintf(what, sizeof(what), "not whole %s", unit->name);
	return refuse_quantity(o, reason, unit->name[0] ? what : "not a whole number");
}

/* parse_quantity - "64KiB", "0.5ms" or "5 ms" to a number, checked against the option's limits. */
static int parse_quantity(const struct option *o, const char *text, uint64_t *out, char *reason)
{
	const struct unit *unit = o->kind->units;
	struct decimal number;
	const char *rest;
	uint64_t value;
	int err;

	if (decimal_exact(text, &number, &rest))
		return refuse_text(o, text, reason);
	rest += isblank((unsigned char)rest[0]) && rest[1];
	while (unit->name && strcmp(unit->name, rest) != 0)
		unit++;
	if (!unit->name)
		return refuse_unit(o, rest, reason);
	err = decimal_times(&number, unit->scale, &value);
	if (err == -EDOM)
		return refuse_fraction(o, reason);
	if (err || value > o->max)
		return refuse_quantity(o, reason, "too large");
	if (value < o->min)
		return refuse_quantity(o, reason, "too small");
	if (value % step_of(o) != 0)
		return refuse_fraction(o, reason);
	*out = value;
	return 0;
}

static int parse_number(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	bool is_word = o->word && strcmp(text, o->word) == 0;
	uint64_t value = o->word_value;
	uint32_t narrow;
	int err = is_word ? 0 : parse_quantity(o, text, &value, reason);

	(void)hosts;
	if (err)
		return err;
	value /= is_word ? 1 : step_of(o);
	narrow = (uint32_t)value;
	assert(o->bytes == sizeof(value) || (o->bytes == sizeof(narrow) && narrow == value));
	memcpy((char *)base + o->offset, o->bytes == sizeof(value) ? (void *)&value : (void *)&narrow, o->bytes);
	return 0;
}

static void format_number(const struct option *o, const void *base, char *text)
{
	uint64_t value = 0;
	uint32_t narrow;

	if (o->bytes == sizeof(value)) {
		memcpy(&value, (const char *)base + o->offset, sizeof(value));
	} else {
		memcpy(&narrow, (const char *)base + o->offset, sizeof(narrow));
		value = narrow;
	}
	if (o->word && value == o->word_value)
		snprintf(text, VALUE_BYTES, "%s", o->word);
	else
		format_quantity(o, value * step_of(o), text);
}

static void print_number_range(const struct option *o, char *text)
{
	char min[STAGE_BYTES], max[STAGE_BYTES];

	snprintf(text, VALUE_BYTES, "%s%s%s..%s", o->word ? o->word : "", o->word ? "|" : "",
		 format_quantity(o, o->min, min), format_quantity(o, o->max, max));
}

static int parse_spin(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	uint32_t *field = (uint32_t *)((char *)base + o->offset);
	char piece[N_STAGES][STAGE_BYTES];
	uint64_t spin[N_STAGES];

	(void)hosts;
	if (!stages_split(text, piece))
		return refuse_quantity(o, reason, "not one time, nor three with commas (ingress,edf,egress)");
	for (int i = 0; i < N_STAGES; i++) {
		int err = parse_quantity(o, piece[i], &spin[i], reason);

		if (err)
			return err;
	}
	for (int i = 0; i < N_STAGES; i++)
		field[i] = (uint32_t)(spin[i] / step_of(o));
	return 0;
}

static void format_spin(const struct option *o, const void *base, char *text)
{
	const uint32_t *field = (const uint32_t *)((const char *)base + o->offset);
	char piece[N_STAGES][STAGE_BYTES];

	for (int i = 0; i < N_STAGES; i++)
		format_quantity(o, field[i] * step_of(o), piece[i]);
	stages_join(piece, text);
}

int value_parse(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	return o->kind->parse(o, base, text, hosts, reason);
}

const char *value_format(const struct option *o, const void *base, char *text)
{
	o->kind->format(o, base, text);
	return text;
}

const char *value_format_range(const struct option *o, char *text)
{
	if (o->accepts)
		snprintf(text, VALUE_BYTES, "%s", o->accepts);
	else
		o->kind->print_range(o, text);
	return text;
}

#define NUMBER .parse = parse_number, .format = format_number, .print_range = print_number_range
#define TIMES                                                                                                          \
	.units = { { "ns", 1 },                                                                                        \
		   { "us", NS_PER_US },                                                                                \
		   { "ms", NS_PER_MS },                                                                                \
		   { "s", NS_PER_S },                                                                                  \
		   { "h", 3600 * NS_PER_S } },                                                                         \
	.use = "ns, us, ms or s", .example = "1ms"

const struct kind kind_time = { NUMBER, TIMES };
const struct kind kind_spin = { .parse = parse_spin, .format = format_spin, .print_range = print_number_range, TIMES };
const struct kind kind_size = { NUMBER,
				.units = { { "B", 1 }, { "kB", 1000 }, { "KiB", 1024 }, { "MiB", 1024 * 1024 } },
				.use = "B, kB, KiB or MiB", .example = "64KiB" };
const struct kind kind_rate = {
	NUMBER, .units = { { "bit", 1 }, { "kbit", 1000 }, { "Mbit", 1000000 }, { "Gbit", 1000000000 } },
	.use = "bit, kbit, Mbit or Gbit (per second)", .example = "50Mbit"
};
const struct kind kind_pps = { NUMBER, .units = { { "/s", 1 } }, .use = "a number per second", .example = "2000/s" };
const struct kind kind_percent = { NUMBER, .units = { { "%", 1 } }, .use = "a percentage", .example = "30%" };
const struct kind kind_count = { NUMBER, .units = { { "", 1 } }, .use = "a whole number", .example = "1" };
