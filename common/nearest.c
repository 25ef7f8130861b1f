/* nearest.c - the name that somebody meant who typed another. */
#include "nearest.h"

#include <string.h>

#define LONGEST 40 /* of a name; what is longer is like no other */

size_t nearest_distance(const char *a, const char *b)
{
	size_t row[LONGEST + 1], n = strlen(b);

	if (n > LONGEST)
		return n;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1]);
			size_t add = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);

			diagonal = row[j];
			row[j] = change < add ? change : add;
		}
	}
	return row[n];
}

int nearest_is_better(const char *typed, const char *name, size_t *least)
{
	size_t changes = nearest_distance(typed, name);

	if (changes >= *least || changes + 1 >= strlen(name))
		return 0;
	*least = changes;
	return 1;
}
