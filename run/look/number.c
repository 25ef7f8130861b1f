/* number.c - quantities in the few columns a screen has. */
#include "number.h"

#include <inttypes.h>
#include <stdio.h>

#include "units.h"

/* Three digits; what would round up to 1000 is for the next unit: the callers' limit is 999.5. */
static const char *print_three(double value, const char *unit, char text[NUMBER_BYTES])
{
	int decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;

	snprintf(text, NUMBER_BYTES, "%.*f%s", decimals, value, unit);
	return text;
}

const char *number_of(double value, char text[NUMBER_BYTES])
{
	static const char *const units[] = { "", "k", "M", "G", "T", "P" };
	int u = 0;

	if (value < 0.005)
		return "0";
	if (value < 999.5 && value - (double)(uint64_t)value < 1e-9) {
		snprintf(text, NUMBER_BYTES, "%.0f", value);
		return text;
	}
	while (value >= 999.5 && u < 5) {
		value /= 1000;
		u++;
	}
	return print_three(value, units[u], text);
}

const char *number_of_count(uint64_t count, int width, char text[NUMBER_BYTES])
{
	if (snprintf(text, NUMBER_BYTES, "%" PRIu64, count) <= width)
		return text;
	return number_of((double)count, text);
}

const char *number_of_ns(uint64_t ns, char text[NUMBER_BYTES])
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	uint64_t unit_ns = 1;
	int u = 0;

	while (u < 3 && (double)ns >= 999.5 * (double)unit_ns) {
		unit_ns *= 1000;
		u++;
	}
	if (ns % unit_ns && (double)ns < 999.5 * (double)unit_ns)
		return print_three((double)ns / (double)unit_ns, units[u], text);
	snprintf(text, NUMBER_BYTES, "%" PRIu64 "%s", (ns + unit_ns / 2) / unit_ns, units[u]);
	return text;
}

const char *number_of_share(double share, char text[NUMBER_BYTES])
{
	/*
	 * The nudge undoes what the division lost, so that 0.9712 is 97.12, not 97.11; it is far below one packet in
	 * 2^32.
	 */
	uint64_t hundredths = (uint64_t)(share * 10000 + 1e-8);

	if (share < 0)
		return "-";
	if (share >= 1)
		return "100%";
	if (hundredths == 0)
		return "0%";
	if (hundredths > 9999)
		hundredths = 9999;
	snprintf(text, NUMBER_BYTES, "%" PRIu64 ".%02" PRIu64 "%%", hundredths / 100, hundredths % 100);
	return text;
}

const char *number_of_age(uint64_t ns, char text[NUMBER_BYTES])
{
	uint64_t s = ns / NS_PER_S;

	if (s < 60)
		snprintf(text, NUMBER_BYTES, "%" PRIu64 "s", s);
	else if (s < 3600)
		snprintf(text, NUMBER_BYTES, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(text, NUMBER_BYTES, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
	else
		snprintf(text, NUMBER_BYTES, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s / 3600 % 24);
	return text;
}

const char *number_grouped(uint64_t count, char text[GROUPED_BYTES])
{
	char digits[GROUPED_BYTES];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, count), to = 0;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			text[to++] = ',';
		text[to++] = digits[i];
	}
	text[to] = '\0';
	return text;
}
