/* alive.c - how it is told whether a destination is there. */
#include "alive.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "decimal.h"
#include "units.h"
#include "value.h"

#define USE "use off, icmp, tcp:PORT, http:PORT/PATH, udp:HEX=HEX or quiet:TIME (for example tcp:8080)"
#define LEAST_QUIET_NS (100 * NS_PER_MS)

static const struct option quiet = { .key = "health",
				     .kind = &kind_time,
				     .offset = offsetof(struct alive, quiet_ns),
				     .bytes = sizeof(uint64_t),
				     .min = LEAST_QUIET_NS,
				     .max = 3600 * NS_PER_S };

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Pairs of digits up to `end`; how many bytes, or -1. */
static int parse_hex(const char *text, const char *end, uint8_t bytes[ALIVE_BYTES])
{
	int n = 0;

	for (; text < end; text += 2, n++) {
		if (end - text < 2 || n == ALIVE_BYTES || nibble(text[0]) < 0 || nibble(text[1]) < 0)
			return -1;
		bytes[n] = (uint8_t)(nibble(text[0]) << 4 | nibble(text[1]));
	}
	return n;
}

static int parse_udp(struct alive *a, const char *text, char *reason)
{
	const char *equals = strchr(text, '=');
	int n_ask = equals ? parse_hex(text, equals, a->ask) : -1;
	int n_answer = equals ? parse_hex(equals + 1, equals + 1 + strlen(equals + 1), a->answer) : -1;

	if (n_ask < 0 || n_answer < 0)
		return value_refuse(
			reason,
			"not a question and how its answer begins, each up to %d bytes as pairs of hex digits "
			"(for example udp:70696e67=706f6e67)",
			ALIVE_BYTES);
	a->kind = ALIVE_UDP;
	a->n_ask = (uint32_t)n_ask;
	a->n_answer = (uint32_t)n_answer;
	return 0;
}

static int is_path(const char *text)
{
	if (*text != '/' || strlen(text) >= ALIVE_PATH_BYTES)
		return 0;
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return 0;
	return 1;
}

/* "8080", or with is_http "8080/path". */
static int parse_port(struct alive *a, const char *text, int is_http, char *reason)
{
	uint64_t port = 0;
	const char *end = text;

	if (decimal_whole(text, 65535, &port, &end) || port == 0 || (is_http ? !is_path(end) : *end != '\0'))
		return value_refuse(reason, "not a port%s; %s", is_http ? " with a path" : "", USE);
	a->kind = is_http ? ALIVE_HTTP : ALIVE_TCP;
	a->port = (uint16_t)port;
	if (is_http)
		memcpy(a->path, end, strlen(end));
	return 0;
}

int alive_parse(struct alive *a, const char *text, char *reason)
{
	struct alive found = { 0 };
	int err = 0;

	if (strcmp(text, "icmp") == 0) {
		found.kind = ALIVE_ICMP;
	} else if (strncmp(text, "tcp:", 4) == 0) {
		err = parse_port(&found, text + 4, 0, reason);
	} else if (strncmp(text, "http:", 5) == 0) {
		err = parse_port(&found, text + 5, 1, reason);
	} else if (strncmp(text, "udp:", 4) == 0) {
		err = parse_udp(&found, text + 4, reason);
	} else if (strncmp(text, "quiet:", 6) == 0) {
		found.kind = ALIVE_QUIET;
		err = value_parse(&quiet, &found, text + 6, NULL, reason);
	} else if (strcmp(text, "off") != 0) {
		return value_refuse(reason, "%s; %s", text[0] ? "unknown choice" : "a value is missing", USE);
	}
	if (!err)
		*a = found;
	return err;
}

static size_t format_hex(const uint8_t *bytes, uint32_t n, char *text)
{
	for (uint32_t i = 0; i < n && i < ALIVE_BYTES; i++)
		sprintf(text + (size_t)2 * i, "%02x", bytes[i]);
	return (size_t)2 * n;
}

void alive_format(const struct alive *a, char *text)
{
	size_t len;

	switch (a->kind) {
	case ALIVE_OFF:
		strcpy(text, "off");
		break;
	case ALIVE_ICMP:
		strcpy(text, "icmp");
		break;
	case ALIVE_TCP:
	case ALIVE_HTTP:
		sprintf(text, "%s:%u%s", a->kind == ALIVE_TCP ? "tcp" : "http", a->port, a->path);
		break;
	case ALIVE_UDP:
		strcpy(text, "udp:");
		len = 4 + format_hex(a->ask, a->n_ask, text + 4);
		text[len++] = '=';
		text[len] = '\0';
		format_hex(a->answer, a->n_answer, text + len);
		break;
	case ALIVE_QUIET:
		strcpy(text, "quiet:");
		value_format(&quiet, a, text + 6);
	}
}

static int parse_alive(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	(void)hosts;
	return alive_parse((struct alive *)((char *)base + o->offset), text, reason);
}

static void format_alive(const struct option *o, const void *base, char *text)
{
	alive_format((const struct alive *)((const char *)base + o->offset), text);
}

const struct kind kind_alive = { .parse = parse_alive, .format = format_alive };
