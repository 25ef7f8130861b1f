/* destinations.c - what a class says of its destinations beyond where they are. */
#include "destinations.h"

#include <string.h>
#include <strings.h>

#include "search.h"

void destinations_join(struct class_config *c)
{
	for (c->n_joined = 0; c->n_joined < c->n_backups && c->n_dests < MAX_DESTS; c->n_joined++) {
		c->dests[c->n_dests] = c->backups[c->n_joined];
		c->weights[c->n_dests++] = c->backup_weights[c->n_joined];
	}
}

/* The i-th word, without its weight; its length, or 0. */
static size_t find_word(const char *text, uint32_t i, const char **word)
{
	size_t len = 0;

	for (*word = text; **word; *word += strspn(*word, " ")) {
		len = strcspn(*word, " ");
		if (i-- == 0)
			return strcspn(*word, " *");
		*word += len;
	}
	return 0;
}

const char *destinations_name(const struct class_config *c, uint32_t i, char text[DESTINATION_BYTES])
{
	uint32_t n_send = c->n_dests - c->n_joined;
	const char *word;
	size_t len = i < n_send ? find_word(c->send_text, i, &word) : find_word(c->backup_text, i - n_send, &word);

	if (len == 0 || len >= DESTINATION_BYTES)
		return address_format(&c->dests[i], text); /* made without a text, as tests do */
	memcpy(text, word, len);
	text[len] = '\0';
	return text;
}

static bool is_among(const char *list, const char *name)
{
	const char *word;
	size_t len;

	for (uint32_t i = 0; (len = find_word(list, i, &word)); i++)
		if (len == strlen(name) && strncasecmp(word, name, len) == 0)
			return true;
	return false;
}

bool destinations_is_drained(const struct class_config *c, uint32_t i)
{
	char name[DESTINATION_BYTES];

	return c->drain[0] && is_among(c->drain, destinations_name(c, i, name));
}

static bool has_weights(const struct class_config *c)
{
	for (uint32_t i = 0; i < c->n_dests; i++)
		if (c->weights[i] > 1)
			return true;
	return false;
}

bool destinations_are_scouted(const struct class_config *c)
{
	return c->alive.kind != ALIVE_OFF || c->drain[0] || (c->resolve_ns && destinations_have_names(c));
}

bool destinations_are_chosen(const struct class_config *c)
{
	return c->n_dests > 0 &&
	       (c->spread != SPREAD_HASH || c->n_joined || has_weights(c) || destinations_are_scouted(c));
}

bool destinations_need_scout(const struct config *c)
{
	for (uint32_t i = 0; i < c->n_classes; i++)
		if (destinations_are_scouted(&c->classes[i]))
			return true;
	return false;
}

bool destinations_have_names(const struct class_config *c)
{
	for (uint32_t i = 0; i < c->n_dests; i++)
		if (c->dests[i].host)
			return true;
	return false;
}

static void drained(const struct search *s, uint32_t class)
{
	const struct class_config *c = &s->c->classes[class];
	char name[DESTINATION_BYTES];
	const char *word;
	size_t len;

	for (uint32_t i = 0; (len = find_word(c->drain, i, &word)); i++) {
		uint32_t k = 0;

		while (k < c->n_dests && (strncasecmp(destinations_name(c, k, name), word, len) != 0 || name[len]))
			k++;
		if (k == c->n_dests)
			conflict_say(s, (int)class, "drain",
				     "%.*s is no destination of class %s; write it as `send` has it", (int)len, word,
				     c->name);
	}
}

/* A group has no one who could be asked, and no other address. */
static void groups(const struct search *s, uint32_t class)
{
	const struct class_config *c = &s->c->classes[class];
	const char *key = c->alive.kind != ALIVE_OFF ? "health" : c->resolve_ns ? "resolve" : NULL;
	char text[ADDRESS_BYTES];

	for (uint32_t i = 0; key && i < c->n_dests; i++)
		if (group_is(&c->dests[i]) || (address_traits(&c->dests[i]) & ADDRESS_IS_BROADCAST)) {
			conflict_say(s, (int)class, key, "class %s sends to %s, which is no single destination",
				     c->name, address_format(&c->dests[i], text));
			return;
		}
}

void conflict_find_destinations(const struct search *s, uint32_t class)
{
	const struct class_config *c = &s->c->classes[class];

	drained(s, class);
	groups(s, class);
	if (c->n_joined < c->n_backups)
		conflict_say(s, (int)class, "backup", "more than %d destinations with those of `send`", MAX_DESTS);
	if (c->alive.kind == ALIVE_QUIET && !c->replies[0])
		conflict_say(s, (int)class, "health",
			     "class %s has no replies to be missed; add `replies`, or use another", c->name);
	if (c->alive.kind == ALIVE_ICMP && c->via.bits)
		conflict_say(s, (int)class, "health",
			     "with `via` one socket is told of what ICMP says of all destinations; use tcp, http, udp "
			     "or quiet");
	if (c->resolve_ns && c->via.bits)
		conflict_say(
			s, (int)class, "resolve",
			"with `via` what is no destination's is dropped by the addresses of the launch; remove one");
}
