/* match.c - rules that tell the classes of one address apart. */
#include "match.h"

#include <arpa/inet.h>
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dscp.h"
#include "value.h"

#define WORD_BYTES 64 /* "ffff:...:255.255.255.255/128" */
#define MOST_SIZE 65535

#define USE_TERMS                                                                                                      \
	"use dscp NAME|0..63, from PREFIX, size <= N, size >= N, or byte N = VALUE/MASK, with `and` between terms "    \
	"and "                                                                                                         \
	"a comma between alternatives (for example dscp ef, from 10.1.0.0/16 and size <= 200)"

static_assert(MATCH_BYTES <= LINE_VALUE_BYTES, "a rule is a value of the configuration");
static_assert(MAX_TERMS * (sizeof("from /128 and ") + INET6_ADDRSTRLEN) <= MATCH_BYTES, "the longest rule fits");

/* The words of a rule, one by one. A comma is a word; so is an operator, with or without blanks around it. */
struct words {
	const char *next;
	char word[WORD_BYTES]; /* "": none is left */
};

static const char *take(struct words *w)
{
	size_t len;

	w->next += strspn(w->next, " \t");
	if (*w->next == ',' || *w->next == '=')
		len = 1;
	else if (*w->next == '<' || *w->next == '>')
		len = 1 + (w->next[1] == '=');
	else
		len = strcspn(w->next, " \t,=<>");
	snprintf(w->word, sizeof(w->word), "%.*s", (int)len, w->next);
	w->next += len;
	return w->word;
}

static bool is_number(const char *text, uint32_t most, uint32_t *value)
{
	char *end;
	unsigned long number = strtoul(text, &end, 0);

	if (!isdigit((unsigned char)text[0]) || *end || number > most)
		return false;
	*value = (uint32_t)number;
	return true;
}

static int parse_dscp(struct match_term *t, struct words *w, char *reason)
{
	if (!dscp_parse(take(w), &t->value))
		return value_refuse(reason, "\"%s\" is no code point; use " USE_DSCP, w->word);
	return 0;
}

static void cut_prefix(struct match_term *t)
{
	for (uint32_t bit = t->prefix_bits; bit < 128; bit++)
		t->prefix[bit / 8] &= (uint8_t) ~(0x80U >> bit % 8);
}

static int parse_from(struct match_term *t, struct words *w, char *reason)
{
	char address[WORD_BYTES];
	const char *slash;
	uint32_t most, bits;

	take(w);
	slash = strchr(w->word, '/');
	snprintf(address, sizeof(address), "%.*s", (int)strcspn(w->word, "/"), w->word);
	t->is_v6 = strchr(address, ':') != NULL;
	most = bits = t->is_v6 ? 128 : 32;
	if (inet_pton(t->is_v6 ? AF_INET6 : AF_INET, address, t->prefix) != 1 ||
	    (slash && !is_number(slash + 1, most, &bits)))
		return value_refuse(reason,
				    "\"%s\" is no prefix; use ADDRESS or ADDRESS/BITS (for example "
				    "10.1.0.0/16 or 2001:db8::/32)",
				    w->word);
	t->prefix_bits = (uint8_t)bits;
	cut_prefix(t);
	return 0;
}

static int parse_size(struct match_term *t, struct words *w, char *reason)
{
	uint32_t bytes = 0;

	take(w);
	t->kind = w->word[0] == '<' ? TERM_SIZE_MOST : TERM_SIZE_LEAST;
	if (strcmp(w->word, "<=") != 0 && strcmp(w->word, ">=") != 0)
		return value_refuse(reason, "size needs <= or >= behind it (for example size <= 200)");
	if (!is_number(take(w), MOST_SIZE, &bytes))
		return value_refuse(reason, "\"%s\" is no size; use bytes of payload from 0 to %d", w->word, MOST_SIZE);
	t->bytes = (uint16_t)bytes;
	return 0;
}

static int refuse_byte(const struct words *w, char *reason)
{
	return value_refuse(reason,
			    "\"%s\": a byte needs its place, =, a value, and perhaps a mask (for example byte 0 = "
			    "0x80/0xc0)",
			    w->word);
}

static int parse_byte(struct match_term *t, struct words *w, char *reason)
{
	uint32_t at = 0, value = 0, mask = 0xff;
	char *slash;

	if (!is_number(take(w), MOST_SIZE - 1, &at) || strcmp(take(w), "=") != 0)
		return refuse_byte(w, reason);
	slash = strchr(take(w), '/');
	if (slash)
		*slash = '\0';
	if (!is_number(w->word, 0xff, &value) || (slash && !is_number(slash + 1, 0xff, &mask)))
		return refuse_byte(w, reason);
	if (value & ~mask)
		return value_refuse(reason,
				    "byte %u: value 0x%02x has bits that the mask 0x%02x leaves out, so that "
				    "no datagram matches",
				    at, value, mask);
	t->bytes = (uint16_t)at;
	t->value = (uint8_t)value;
	t->mask = (uint8_t)mask;
	return 0;
}

static int parse_term(struct match_term *t, struct words *w, char *reason)
{
	static const struct {
		const char *word;
		enum term_kind kind;
		int (*parse)(struct match_term *t, struct words *w, char *reason);
	} terms[] = { { "dscp", TERM_DSCP, parse_dscp },
		      { "from", TERM_FROM, parse_from },
		      { "size", TERM_SIZE_MOST, parse_size },
		      { "byte", TERM_BYTE, parse_byte } };

	take(w);
	for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++)
		if (strcmp(w->word, terms[i].word) == 0) {
			t->kind = (uint8_t)terms[i].kind;
			return terms[i].parse(t, w, reason);
		}
	if (w->word[0] == '\0')
		return value_refuse(reason, "a term is missing; %s", USE_TERMS);
	return value_refuse(reason, "\"%s\" begins no term; %s", w->word, USE_TERMS);
}

int match_parse(struct match *m, const char *text, char *reason)
{
	struct match made = { 0 };
	struct words w = { .next = text };
	bool begins = true;

	for (;;) {
		struct match_term *t = &made.terms[made.n];

		if (made.n == MAX_TERMS)
			return value_refuse(reason, "more than %d terms", MAX_TERMS);
		t->begins = begins;
		if (parse_term(t, &w, reason))
			return -EINVAL;
		made.n++;
		take(&w);
		if (w.word[0] == '\0')
			break;
		begins = w.word[0] == ',';
		if (!begins && strcmp(w.word, "and") != 0)
			return value_refuse(reason, "\"%s\" where `and` or a comma is expected; %s", w.word, USE_TERMS);
	}
	*m = made;
	return 0;
}

static void format_term(const struct match_term *t, char *text, size_t bytes)
{
	char address[INET6_ADDRSTRLEN];

	switch ((enum term_kind)t->kind) {
	case TERM_DSCP:
		if (dscp_name(t->value))
			snprintf(text, bytes, "dscp %s", dscp_name(t->value));
		else
			snprintf(text, bytes, "dscp %u", t->value);
		break;
	case TERM_FROM:
		inet_ntop(t->is_v6 ? AF_INET6 : AF_INET, t->prefix, address, sizeof(address));
		snprintf(text, bytes, "from %s/%u", address, t->prefix_bits);
		break;
	case TERM_SIZE_MOST:
	case TERM_SIZE_LEAST:
		snprintf(text, bytes, "size %s %u", t->kind == TERM_SIZE_MOST ? "<=" : ">=", t->bytes);
		break;
	case TERM_BYTE:
		snprintf(text, bytes, "byte %u = 0x%02x/0x%02x", t->bytes, t->value, t->mask);
		break;
	}
}

const char *match_format(const struct match *m, char *text)
{
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < m->n; i++) {
		if (i > 0)
			len += (size_t)snprintf(text + len, MATCH_BYTES - len, "%s",
						m->terms[i].begins ? ", " : " and ");
		format_term(&m->terms[i], text + len, MATCH_BYTES - len);
		len += strlen(text + len);
	}
	return text;
}

static bool has_prefix(const struct match_term *t, const struct match_datagram *d)
{
	if (d->is_v6 != (t->is_v6 != 0))
		return false;
	for (uint32_t bit = 0; bit < t->prefix_bits; bit++)
		if ((d->source[bit / 8] ^ t->prefix[bit / 8]) & (0x80U >> bit % 8))
			return false;
	return true;
}

static bool term_holds(const struct match_term *t, const struct match_datagram *d)
{
	switch ((enum term_kind)t->kind) {
	case TERM_DSCP:
		return d->tos >> 2 == t->value;
	case TERM_FROM:
		return has_prefix(t, d);
	case TERM_SIZE_MOST:
		return d->len_bytes <= t->bytes;
	case TERM_SIZE_LEAST:
		return d->len_bytes >= t->bytes;
	case TERM_BYTE:
		return t->bytes < d->len_bytes && (d->payload[t->bytes] & t->mask) == t->value;
	}
	return false;
}

bool match_eval(const struct match *m, const struct match_datagram *d)
{
	bool holds = false;

	for (uint32_t i = 0; i < m->n; i++) {
		if (m->terms[i].begins) {
			if (holds)
				return true;
			holds = true;
		}
		holds = holds && term_holds(&m->terms[i], d);
	}
	return holds;
}

int match_dscp(const struct match *m, bool *only)
{
	int dscp = -1;

	*only = m->n > 0;
	for (uint32_t i = 0; i < m->n && (i == 0 || !m->terms[i].begins); i++)
		if (m->terms[i].kind == TERM_DSCP)
			dscp = m->terms[i].value;
		else
			*only = false;
	return dscp;
}
