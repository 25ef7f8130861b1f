/*
 * calls.h - the system calls of this machine, by number and by name.
 *
 * Memory:  a table that the Makefile makes of the compiler's <sys/syscall.h>; nothing is copied.
 */
#ifndef ONTIME_CALLS_H
#define ONTIME_CALLS_H

#include <stddef.h>

/* call_name - "openat", or "unknown": the kernel may have calls that the build did not know. */
const char *call_name(int number);

/* call_number - of the call whose name has that length, or -1: there is none. */
int call_number(const char *name, size_t len);

#endif
