/* token.c - the word that a dashboard asks for. */
#include "token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
#define SCHEME "Bearer "

static int refuse(const char *file, const char *why)
{
	log_error("token %s: %s: nothing is served", file, why);
	return -1;
}

int token_read(struct token *t, const char *file, unsigned int port)
{
	char text[TOKEN_MOST + 2];
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n;
	size_t len;

	if (fd < 0 || fstat(fd, &st) < 0)
		return refuse(file, log_text_of(errno)); /* this process ends */
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (!S_ISREG(st.st_mode))
		return refuse(file, "it is no regular file");
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return refuse(file, "it belongs to another user");
	if (st.st_mode & (S_IWGRP | S_IRWXO))
		return refuse(file, "others may read or write it: chmod 600, or 640 for a group");
	text[n > 0 ? n : 0] = '\0';
	len = strspn(text, LETTERS);
	if (len < TOKEN_LEAST || len > TOKEN_MOST || (text[len] != '\0' && text[len] != '\n' && text[len] != '\r'))
		return refuse(
			file,
			"its first line is no word of 16 to 256 letters, digits and - . _ ~: openssl rand -hex 16 "
			"makes one");
	memcpy(t->text, text, len);
	t->text[len] = '\0';
	snprintf(t->cookie, sizeof(t->cookie), "ontime-%u", port);
	return 0;
}

int token_equals(const struct token *t, const char *text, size_t len)
{
	size_t own_len = strlen(t->text);
	volatile unsigned char differs = len != own_len;

	for (size_t i = 0; i < own_len; i++)
		differs |= (unsigned char)(t->text[i] ^ (i < len ? text[i] : '\0'));
	return !differs;
}

static int is_given(const struct token *t, const char *text)
{
	return text && token_equals(t, text, strlen(text));
}

int token_is_in_address(const struct token *t, struct MHD_Connection *c)
{
	return t->text[0] && is_given(t, MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, "token"));
}

int token_is_shown(const struct token *t, struct MHD_Connection *c)
{
	const char *header;

	if (!t->text[0])
		return 1;
	header = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Authorization");
	if (header && strncasecmp(header, SCHEME, strlen(SCHEME)) == 0 && is_given(t, header + strlen(SCHEME)))
		return 1;
	return is_given(t, MHD_lookup_connection_value(c, MHD_COOKIE_KIND, t->cookie));
}

/* Of one that has letters only, which need no quoting. */
static size_t append(char *at, size_t room, int n_before, struct MHD_Connection *c, const char *key)
{
	const char *value = MHD_lookup_connection_value(c, MHD_GET_ARGUMENT_KIND, key);
	size_t len = value ? strspn(value, LETTERS) : 0;

	if (!value || value[len] || len > 64)
		return 0;
	return (size_t)snprintf(at, room, "%c%s=%s", n_before ? '&' : '?', key, value);
}

int token_set(const struct token *t, struct MHD_Connection *c, struct MHD_Response *r, const char *path)
{
	char cookie[TOKEN_MOST + 128], to[512];
	/* of this site, to any browser */
	int is_plain = path[0] == '/' && path[1] != '/' && !path[strspn(path, LETTERS "/")];
	size_t len = (size_t)snprintf(to, 256, "%.200s", is_plain ? path : "/"), first;

	first = append(to + len, sizeof(to) - len, 0, c, "instance");
	append(to + len + first, sizeof(to) - len - first, first != 0, c, "shard");
	snprintf(cookie, sizeof(cookie), "%s=%s; Path=/; HttpOnly; SameSite=Strict", t->cookie, t->text);
	return MHD_add_response_header(r, "Location", to) == MHD_YES &&
			       MHD_add_response_header(r, "Set-Cookie", cookie) == MHD_YES
		       ? 0
		       : -1;
}
