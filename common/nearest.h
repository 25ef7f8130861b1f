/*
 * nearest.h - the name that somebody meant who typed another.
 */
#ifndef ONTIME_NEAREST_H
#define ONTIME_NEAREST_H

#include <stddef.h>

/* nearest_distance - how many letters must be changed, added or removed to turn a into b (Levenshtein). */
size_t nearest_distance(const char *a, const char *b);

/*
 * nearest_is_better - is `name` more like what was typed than a name of that distance? *least: the distance of the best
 * so far, NEAREST_NONE before the first; it becomes this one's.
 */
int nearest_is_better(const char *typed, const char *name, size_t *least);

#define NEAREST_NONE 4 /* more changes than that make another word */

#endif
