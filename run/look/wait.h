/*
 * wait.h - wait for the next look, a key, or the end.
 *
 * Rules:   one per process. Signals count only while waiting, so none is missed between a look and the wait.
 */
#ifndef ONTIME_STAT_WAIT_H
#define ONTIME_STAT_WAIT_H

#include <stdint.h>

enum waited { WAITED_TIME, WAITED_INPUT, WAITED_RESIZE, WAITED_END };

/* wait_begin - from here on SIGINT, SIGTERM and SIGHUP ask to end, and SIGPIPE is an error of write(2). */
void wait_begin(void);

/*
 * wait_until - until `at_ns`, or until `fd` can be read (-1: none), the terminal changed its size, or the end was asked
 * for.
 */
enum waited wait_until(uint64_t at_ns, int fd);

#endif
