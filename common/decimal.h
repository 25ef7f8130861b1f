/*
 * decimal.h - numbers as people and other programs write them: decimal, whatever they begin with.
 *
 * Rules:   pure. No sign, no blank before it, no other base, no "inf" or "nan": what strtoull(3) and strtod(3) make of such is
 *          a surprise ("-5" is 2^64 - 5).
 */
#ifndef ONTIME_DECIMAL_H
#define ONTIME_DECIMAL_H

#include <stdint.h>

/* decimal_whole - digits at the start of text, at most `most`; *end: what follows them. 0, or -EINVAL with *end = text. */
int decimal_whole(const char *text, uint64_t most, uint64_t *out, const char **end);

/* decimal_real - all of text is a number from least to most, such as 5, 0.25, 1e6. 0, or -EINVAL. */
int decimal_real(const char *text, double least, double most, double *out);

#endif
