/* decimal.c - decimal numbers, and nothing else. */
#include "decimal.h"

#include <errno.h>
#include <stdbool.h>
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

/* Another digit behind those there are; false: more than 64 bits hold. */
static bool append_digit(uint64_t *digits, char digit)
{
	uint64_t more;

	if (__builtin_mul_overflow(*digits, (uint64_t)10, &more) ||
	    __builtin_add_overflow(more, (uint64_t)(digit - '0'), &more))
		return false;
	*digits = more;
	return true;
}

int decimal_exact(const char *text, struct decimal *out, const char **end)
{
	size_t whole = strspn(text, "0123456789"), fraction = 0, needed;
	const char *behind = text + whole + 1;

	*end = text;
	*out = (struct decimal){ 0 };
	if (whole > 0 && text[whole] == '.')
		fraction = strspn(behind, "0123456789");
	if (whole == 0 || (text[whole] == '.' && fraction == 0))
		return -EINVAL;
	*end = text + whole + (fraction ? 1 + fraction : 0);
	for (size_t i = 0; i < whole && !out->err; i++)
		out->err = append_digit(&out->digits, text[i]) ? 0 : -ERANGE;
	for (needed = fraction; needed > 0 && behind[needed - 1] == '0'; needed--)
		continue;
	for (size_t i = 0; i < needed && !out->err; i++)
		out->err = append_digit(&out->digits, behind[i]) ? 0 : -EDOM;
	out->places = (uint32_t)needed;
	return 0;
}

int decimal_times(const struct decimal *number, uint64_t scale, uint64_t *out)
{
	unsigned __int128 product = (unsigned __int128)number->digits * scale;

	if (number->err)
		return number->err;
	for (uint32_t i = 0; i < number->places && product; i++, product /= 10)
		if (product % 10 != 0)
			return -EDOM;
	if (product > UINT64_MAX)
		return -ERANGE;
	*out = (uint64_t)product;
	return 0;
}
