/* decimal.c - decimal numbers, and nothing else. */
#include "decimal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int decimal_whole(const char *text, uint64_t most, uint64_t *out, const char **end)
{
	uint64_t value = 0;
	const char *at = text;
	int overflow = 0;

	*end = text;
	for (; *at >= '0' && *at <= '9'; at++) {
		overflow |= __builtin_mul_overflow(value, (uint64_t)10, &value);
		overflow |= __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value);
	}
	if (at == text || overflow || value > most)
		return -EINVAL;
	*out = value;
	*end = at;
	return 0;
}

int decimal_real(const char *text, double least, double most, double *out)
{
	char *end;
	double value;

	if (!((*text >= '0' && *text <= '9') || *text == '.') || text[strspn(text, "0123456789.eE+-")])
		return -EINVAL;
	value = strtod(text, &end);
	if (end == text || *end || !(value >= least && value <= most))
		return -EINVAL;
	*out = value;
	return 0;
}
