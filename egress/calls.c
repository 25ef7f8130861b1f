/* calls.c - the system calls that egress makes beside those of each stage. */
#include "loop.h"

static const struct call rows[] = { CALL(sendmmsg) };

const struct calls egress_calls = CALLS(rows);
