/*
 * mutant.h - break one rule of the crash protocol on purpose, to see that the tests notice.
 *
 * Rules:   only builds with -DONTIME_MUTANT (make MUTANT=1, never installed) look at ONTIME_MUTANT in the
 *          environment: no-recovery | zero-sentinel | no-lock | no-base | no-updates | no-note | no-drain | free-early
 *          | hint-after-commit | via-any | no-space-ring | stage-again | no-aim | limit-after-commit. In all other
 *          builds this is constant 0.
 */
#ifndef ONTIME_MUTANT_H
#define ONTIME_MUTANT_H

#ifdef ONTIME_MUTANT
#include <stdlib.h>
#include <string.h>

static inline int mutant_is(const char *rule)
{
	const char *broken = getenv("ONTIME_MUTANT");

	return broken && strcmp(broken, rule) == 0;
}
#else
#define mutant_is(rule) 0
#endif

#endif
