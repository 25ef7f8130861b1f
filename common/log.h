/*
 * log.h - one line to stderr, for a person: `STAGE: what happened, on what: why`.
 *
 * Memory:  the only global state of the program: the name and the level (log.c).
 * Rules:   never per packet (count instead). One line is one write(2), so lines of several processes
 *          do not mix; control characters become '?', and what exceeds LOG_LINE_BYTES is cut.
 *          What a line begins with goes by who reads stderr. A file: the time of day (UTC) and `error`, `warning` or
 *          `debug`, for a program that goes on, and for any that has ONTIME_LOG_FILE in its environment (stderr is that
 *          file). The journal (JOURNAL_STREAM): the level as `<N>`, which it takes off. Else nothing.
 *          ONTIME_LOG = error | warning | info (default) | debug, read at the first line.
 *          errno survives. Not for signal handlers.
 */
#ifndef ONTIME_LOG_H
#define ONTIME_LOG_H

#include <stddef.h>

#define LOG_LINE_BYTES 1024 /* newline included; below PIPE_BUF, so a pipe keeps it whole too */

/*
 * log_set_name - what each line starts with; `name` must outlive the process's last line. First in main(): it also
 * opens /dev/null in place of a standard descriptor that is closed, and lets the process end with one line and status 1
 * when its standard output could not be written.
 */
void log_set_name(const char *name);

/* log_set_service_name - likewise, for a program that goes on: in a file its lines have the time. */
void log_set_service_name(const char *name);

/* log_prepare - read what the time of a line needs (tzset(3)), so that the first line opens no file. */
void log_prepare(void);

/*
 * log_reopen - stderr becomes the file that ONTIME_LOG_FILE names now, if that is another one: it was moved away or
 * removed.
 * 1: it has become another; 0: it has not, or could not.
 */
int log_reopen(void);

/*
 * log_copy - until the next call each line that is logged goes to `to` too, without what it begins with; what has no
 * room is left out. NULL: no more.
 */
struct log_copy {
	char *text; /* lines, a 0 behind them */
	size_t bytes, len; /* its size; how much of it is used */
};
void log_copy(struct log_copy *to);

/* log_text_of - why a call failed (an errno), and, where it is the same for every call, what to do about it. Static. */
const char *log_text_of(int err);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
