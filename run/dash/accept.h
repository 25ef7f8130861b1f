/*
 * accept.h - which of two content types a client wants, by its Accept header.
 *
 * Rules:   pure. A type counts only if the client names it: wildcards name none.
 * Source:  RFC 9110, 12.5.1.
 */
#ifndef ONTIME_DASH_ACCEPT_H
#define ONTIME_DASH_ACCEPT_H

/* accept_prefers - does the client name `type`, and want it at least as much as `other`? accept: NULL for no header. */
int accept_prefers(const char *accept, const char *type, const char *other);

#endif
