/* dscp.c - differentiated services code points. */
#include "dscp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "value.h"

static const struct {
	const char *name;
	uint8_t value;
} names[] = {
	{ "ef", 46 },	{ "va", 44 },	{ "le", 1 },	{ "cs0", 0 },	{ "cs1", 8 },	{ "cs2", 16 },
	{ "cs3", 24 },	{ "cs4", 32 },	{ "cs5", 40 },	{ "cs6", 48 },	{ "cs7", 56 },	{ "af11", 10 },
	{ "af12", 12 }, { "af13", 14 }, { "af21", 18 }, { "af22", 20 }, { "af23", 22 }, { "af31", 26 },
	{ "af32", 28 }, { "af33", 30 }, { "af41", 34 }, { "af42", 36 }, { "af43", 38 },
};

#define N_NAMES (sizeof(names) / sizeof(names[0]))

bool dscp_parse(const char *text, uint8_t *value)
{
	unsigned long number;
	char *end;

	for (size_t i = 0; i < N_NAMES; i++)
		if (strcmp(names[i].name, text) == 0) {
			*value = names[i].value;
			return true;
		}
	number = strtoul(text, &end, 0);
	if (text[0] < '0' || text[0] > '9' || *end || number > 63)
		return false;
	*value = (uint8_t)number;
	return true;
}

const char *dscp_name(uint8_t value)
{
	for (size_t i = 0; i < N_NAMES; i++)
		if (names[i].value == value)
			return names[i].name;
	return NULL;
}

static int parse(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	uint8_t value = 0;
	uint32_t stored;

	(void)hosts;
	if (strcmp(text, "off") != 0 && strcmp(text, "keep") != 0 && !dscp_parse(text, &value))
		return value_refuse(reason, "%s; use off, keep, " USE_DSCP,
				    text[0] ? "no code point" : "a value is missing");
	stored = strcmp(text, "keep") == 0 ? DSCP_KEEP : value;
	memcpy((char *)base + o->offset, &stored, sizeof(stored));
	return 0;
}

static void format(const struct option *o, const void *base, char *text)
{
	uint32_t value;
	const char *name;

	memcpy(&value, (const char *)base + o->offset, sizeof(value));
	name = value == 0 ? "off" : value == DSCP_KEEP ? "keep" : dscp_name((uint8_t)value);
	if (name)
		snprintf(text, VALUE_BYTES, "%s", name);
	else
		snprintf(text, VALUE_BYTES, "%u", value);
}

const struct kind kind_dscp = { .parse = parse, .format = format };
