/*
 * loads.h - configurations as text and as arguments, loaded, and what is said of them: for the tests of common/config.
 *
 * Rules:   names are resolved by a resolver of these tests: sink.example is 192.0.2.7; far.example 2001:db8::7, the
 *          first of three addresses; self.example 127.0.0.1; any.example 0.0.0.0; link.example fe80::7 of interface 1;
 *          busy.example cannot be resolved now. No other name is a host's.
 */
#ifndef ONTIME_TEST_LOADS_H
#define ONTIME_TEST_LOADS_H

#include "config/table.h"

#define TEXT_BYTES 8192
#define CLASS_TEXT "[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2\n" /* three lines, and complete */

/* The loader takes paths; a file of its own per test keeps runs in parallel apart. */
struct file {
	char path[64];
};

extern struct hosts loads_hosts; /* of the load before */
extern unsigned int n_asked; /* how often the resolver was asked, ever */

void write_file(struct file *f, const char *text, size_t bytes);

/* load_bytes - load `text`; its path in `why` is replaced by FILE. */
int load_bytes(struct config *c, const char *text, size_t bytes, char why[TEXT_BYTES]);

/* here - likewise, with one argument, and what is wrong on this machine is refused too. */
int here(const char *text, const char *argument, char why[TEXT_BYTES]);

/* argued - load the defaults and one argument. */
int argued(struct config *c, const char *argument, char why[TEXT_BYTES]);

void check_equal(const char *got, const char *expected);
void check_address(const struct address *a, const char *text);

/* refused - the text is refused with exactly these lines, and the config stays as it was. */
void refused(const char *text, const char *lines);
void argument_refused(const char *argument, const char *line);

/* accepted - load what must be fine. */
struct config accepted(const char *text);
struct config argument_accepted(const char *argument);

/* changes - what config_explain_changes() prints, and the relaunches it counts. */
int changes(const struct config *from, const struct config *to, char text[TEXT_BYTES]);

/* has_rules - whether sockets of one port can have rules here: an emulator of user programs does not pass them on. */
bool has_rules(void);

/* append_class - a class as text: it listens on port `in` and sends to `out`. */
void append_class(char text[TEXT_BYTES], const char *name, int in, const char *out);

#endif
