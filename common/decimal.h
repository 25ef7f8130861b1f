/*
 * decimal.h - numbers as people and other programs write them: decimal, whatever they begin with.
 *
 * Rules:   pure. No sign, no blank before it, no other base, no "inf" or "nan": what strtoull(3) and strtod(3) make of
 *          such is a surprise ("-5" is 2^64 - 5).
 */
#ifndef ONTIME_DECIMAL_H
#define ONTIME_DECIMAL_H

#include <stdint.h>

/*
 * decimal_whole - digits at the start of text, at most `most`; *end: what follows them. 0, or -EINVAL with *end = text.
 */
int decimal_whole(const char *text, uint64_t most, uint64_t *out, const char **end);

/* decimal_real - all of text is a number from least to most, such as 5, 0.25, 1e6. 0, or -EINVAL. */
int decimal_real(const char *text, double least, double most, double *out);

/* An exact number: digits / 10^places. */
struct decimal {
	uint64_t digits;
	uint32_t places; /* no more than needed: 1.50 has one */
	int err; /* -ERANGE: the digits are too many for 64 bits; -EDOM: only those behind the point are */
};

/*
 * decimal_exact - digits at the start of text, which may have a point within; *end: what follows them. 0, or -EINVAL.
 */
int decimal_exact(const char *text, struct decimal *out, const char **end);

/* decimal_times - a number times `scale`. 0, -ERANGE: more than 64 bits hold, -EDOM: not a whole number. */
int decimal_times(const struct decimal *number, uint64_t scale, uint64_t *out);

#endif
