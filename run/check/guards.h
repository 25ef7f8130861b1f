/* guards.h - what protection per source takes: programs, sockets, memory. */
#ifndef ONTIME_CHECK_GUARDS_H
#define ONTIME_CHECK_GUARDS_H

#include "config/config.h"

/* guards_print - of all classes; nothing where none is protected. */
void guards_print(const struct config *c);

#endif
