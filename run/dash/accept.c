/* accept.c - the wish of a client, by its Accept header. */
#include "accept.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "decimal.h"

/* The q parameter of a media range, 0 to 1; 1 if it has none, 0 if that is no number. */
static double quality(char *range)
{
	double value;

	for (char *at = strchr(range, ';'); at; at = strchr(at, ';')) {
		at += 1 + strspn(at + 1, " \t");
		if (strncasecmp(at, "q=", 2) != 0)
			continue;
		at[2 + strspn(at + 2, "0123456789.")] = '\0';
		return decimal_real(at + 2, 0, 1, &value) ? 0 : value;
	}
	return 1;
}

/*
 * How much a client wants a type, 0 to 1; -1: it does not name it. Of several ranges of that type the best one counts.
 */
static double wish(const char *accept, const char *type)
{
	double best = -1;

	for (const char *at = accept; *at; at += strspn(at, ", \t")) {
		size_t len = strcspn(at, ",");
		char range[128];
		double value;

		snprintf(range, sizeof(range), "%.*s", (int)(len < sizeof(range) ? len : sizeof(range) - 1), at);
		at += len;
		if (strncasecmp(range, type, strlen(type)) != 0)
			continue;
		value = quality(range);
		best = value > best ? value : best;
	}
	return best;
}

int accept_prefers(const char *accept, const char *type, const char *other)
{
	double wanted = accept ? wish(accept, type) : -1;

	return wanted > 0 && wanted >= wish(accept, other);
}
