/* change.c - what a lane is made of, which configurations are of the same instance, and what a reload changes. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "copying.h"
#include "log.h"
#include "table.h"

#define SHOWN_CHARS 800 /* of a value; a list of prefixes may be longer */

uint32_t config_slots_pkts(const struct class_config *class)
{
	uint32_t need = class->ingress_to_edf_pkts + class->edf_to_egress_pkts + BATCH;
	uint32_t slots = BATCH;

	while (slots < need)
		slots *= 2;
	return slots;
}

/* digest_text - FNV-1a, 64 bits. Source: Fowler, Noll, Vo; draft-eastlake-fnv. */
static uint64_t digest_text(uint64_t digest, const char *text)
{
	for (; *text; text++)
		digest = (digest ^ (unsigned char)*text) * 0x100000001b3ULL;
	return digest;
}

/* digest_options - fold `key=value` lines of one scope into the digest. */
static uint64_t digest_options(uint64_t digest, enum scope scope, const void *base)
{
	char value[VALUE_BYTES];

	for (int i = 0; i < n_options; i++) {
		if (options[i].scope != scope || options[i].change != CHANGE_IDENTITY)
			continue;
		if (!value_format(&options[i], base, value)[0]) /* as before there was such a key */
			continue;
		digest = digest_text(digest, options[i].key);
		digest = digest_text(digest, "=");
		digest = digest_text(digest, value);
		digest = digest_text(digest, "\n");
	}
	return digest;
}

uint64_t config_digest(const struct config *c)
{
	uint64_t digest = digest_options(0xcbf29ce484222325ULL, SCOPE_PIPELINE, c);
	char header[64];

	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct class_config *class = &c->classes[i];

		snprintf(header, sizeof(header), "[class %s]\nslots=%" PRIu32 "\n", class->name,
			 config_slots_pkts(class));
		digest = digest_text(digest, header);
		digest = digest_options(digest, SCOPE_CLASS, class);
	}
	return digest;
}

static int explain(const char *what, const char *was, const char *is, bool relaunch, FILE *out)
{
	fprintf(out, "%s: %.*s%s -> %.*s%s%s\n", what, SHOWN_CHARS, was, strlen(was) > SHOWN_CHARS ? ".." : "",
		SHOWN_CHARS, is, strlen(is) > SHOWN_CHARS ? ".." : "", relaunch ? " (needs a relaunch)" : "");
	return relaunch;
}

/* The segment has a place for the sources of a class that limits them. */
static bool limits_otherwise(const struct class_config *from, const struct class_config *to)
{
	return (from->source_rate_pps != 0) != (to->source_rate_pps != 0);
}

/* explain_options - the options of one scope; `prefix` is "" or the class's name and a dot. */
static int explain_options(enum scope scope, const char *prefix, const void *from, const void *to, FILE *out)
{
	char was[VALUE_BYTES], is[VALUE_BYTES], what[64];
	int relaunches = 0;

	for (int i = 0; i < n_options; i++) {
		const struct option *o = &options[i];
		bool relaunch = o->change == CHANGE_RELAUNCH || o->change == CHANGE_IDENTITY;

		if (o->scope != scope || strcmp(value_format(o, from, was), value_format(o, to, is)) == 0)
			continue;
		if (o->change == CHANGE_LANE)
			relaunch = config_slots_pkts(from) != config_slots_pkts(to);
		if (o->change == CHANGE_COPYING)
			relaunch = copying_count(from) != copying_count(to);
		if (o->change == CHANGE_LIMIT)
			relaunch = limits_otherwise(from, to);
		snprintf(what, sizeof(what), "%s%s", prefix, o->key);
		relaunches += explain(what, was[0] ? was : "none", is[0] ? is : "none", relaunch, out);
	}
	return relaunches;
}

/* explain_rank - a class that moved, came (was -1) or went (is -1). */
static int explain_rank(const char *name, int was, int is, FILE *out)
{
	char what[CLASS_NAME_BYTES + 8], before[24] = "none", after[24] = "none";

	if (was == is)
		return 0;
	snprintf(what, sizeof(what), "class %s", name);
	if (was >= 0)
		snprintf(before, sizeof(before), "rank %d", was + 1);
	if (is >= 0)
		snprintf(after, sizeof(after), "rank %d", is + 1);
	return explain(what, before, after, true, out);
}

int config_explain_changes(const struct config *from, const struct config *to, FILE *out)
{
	int relaunches = explain_options(SCOPE_PIPELINE, "", from, to, out) +
			 explain_options(SCOPE_DASH, "dash.", from, to, out);
	char prefix[CLASS_NAME_BYTES + 1];

	for (uint32_t i = 0; i < from->n_classes; i++) {
		const char *name = from->classes[i].name;
		int at = class_find(to, name);

		relaunches += explain_rank(name, (int)i, at, out);
		snprintf(prefix, sizeof(prefix), "%s.", name);
		if (at >= 0)
			relaunches += explain_options(SCOPE_CLASS, prefix, &from->classes[i], &to->classes[at], out);
	}
	for (uint32_t i = 0; i < to->n_classes; i++)
		if (class_find(from, to->classes[i].name) < 0)
			relaunches += explain_rank(to->classes[i].name, -1, (int)i, out);
	return relaunches;
}

int config_log_changes(const struct config *from, const struct config *to, bool tell)
{
	char *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes);
	int relaunches = config_explain_changes(from, to, out ? out : stderr);

	if (!out || fclose(out))
		return relaunches;
	for (char *line = text, *end; tell && *line; line = end + 1) {
		end = strchr(line, '\n'); /* each line has one */
		log_info("%.*s", (int)(end - line), line);
	}
	free(text);
	return relaunches;
}
