/*
 * token.h - the word that a dashboard asks for, if it was given one (`[dash] token`).
 *
 * Rules:   a client shows it in a header, `Authorization: Bearer TOKEN`, or in a cookie. `?token=TOKEN` in the address
 *          is answered by the cookie and the address without it, so that it stays in no history and no log. The cookie
 *          is of this port, is sent by this site's own pages only, and no script can read it.
 *          Two texts are compared in a time that says nothing of where they differ.
 *          The file is read once, at the start; it is refused if others may write to it, or all may read it.
 * Source:  RFC 6750, RFC 6265.
 */
#ifndef ONTIME_DASH_TOKEN_H
#define ONTIME_DASH_TOKEN_H

#include <microhttpd.h>
#include <stddef.h>

#define TOKEN_LEAST 16
#define TOKEN_MOST 256

struct token {
	char text[TOKEN_MOST + 1]; /* "": none is asked for */
	char cookie[32]; /* its name */
};

/* token_read - from the file's first line; port: of this dashboard. 0, or -1 after one line. */
int token_read(struct token *t, const char *file, unsigned int port);

/* token_equals - pure: constant in time for texts of one length. */
int token_equals(const struct token *t, const char *text, size_t len);

/* token_is_shown - may the client have what it asks for? */
int token_is_shown(const struct token *t, struct MHD_Connection *c);

/* token_is_in_address - is it asked for with `?token=`, and the right one? */
int token_is_in_address(const struct token *t, struct MHD_Connection *c);

/*
 * token_set - dress the answer to that: the cookie, and the address to go on with, which is `path` and what else is
 * known of the question. 0, or -1: there is no memory.
 */
int token_set(const struct token *t, struct MHD_Connection *c, struct MHD_Response *r, const char *path);

#endif
