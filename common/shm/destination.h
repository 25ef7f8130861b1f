/*
 * destination.h - what a scout knows of a destination, written and read whole (layout.h).
 *
 * Rules:   one writer. A reader that is overtaken twice reads again; it never waits for a writer, dead or alive.
 * Order:   scout                             reader
 *            the bank that nobody reads        serial (acquire)
 *            serial (release) -------------->  that bank
 *            changes (release) ------------->  serial again: the bank was not written meanwhile
 *          Edge "destination".
 */
#ifndef ONTIME_SHM_DESTINATION_H
#define ONTIME_SHM_DESTINATION_H

#include "layout.h"

/* destination_read - 1, or 0: nothing is known of it, or what is there makes no sense. */
int destination_read(const struct destination *d, struct destination_state *s);

/* destination_write - by the scout, which calls destination_raise() after it. */
void destination_write(struct destination *d, const struct destination_state *s);

/* destination_raise - something of the class has changed. */
void destination_raise(struct destinations *all);

/* destination_is_name, destination_why_name - "up", "silent". */
const char *destination_is_name(uint32_t is);
const char *destination_why_name(uint32_t why);

/* destination_tell - why it is as it is, in words: "connect: Connection refused". text[96]; returns text. */
#define DESTINATION_TELL_BYTES 96
const char *destination_tell(const struct destination_state *s, char text[DESTINATION_TELL_BYTES]);

#endif
