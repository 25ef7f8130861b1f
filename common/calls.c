/* calls.c - the system calls of this machine. */
#include "calls.h"

#include <string.h>

#ifndef CALL_NAMES /* the Makefile gives it: [NUMBER] = "NAME", for each call */
#define CALL_NAMES [0] = "unknown"
#endif

static const char *const names[] = { CALL_NAMES };

#define N_NAMES (sizeof(names) / sizeof(names[0]))

const char *call_name(int number)
{
	return number >= 0 && (size_t)number < N_NAMES && names[number] ? names[number] : "unknown";
}

int call_number(const char *name, size_t len)
{
	for (size_t i = 0; i < N_NAMES; i++)
		if (names[i] && strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
			return (int)i;
	return -1;
}
