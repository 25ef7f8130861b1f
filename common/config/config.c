/*
 * config.c - what the user asked for: from the defaults, a file (file.c) and arguments to struct config.
 *
 * Rules:   every value is looked at, and each refusal is a line. What values mean together is looked at in the sections
 *          of which nothing was refused, so that no line follows from another one.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "conflict.h"
#include "destinations.h"
#include "loading.h"
#include "log.h"
#include "nearest.h"
#include "reply.h"

#define KEY_BYTES 48 /* longer words cannot be a class and a key */
#define LINE_BYTES 1024 /* of one refusal: what the log takes */
#define REST_BYTES 24 /* "\nand N more" */

/* The classes when no file names any: name, budget, port to listen on, port to send to, both quanta. */
static const struct {
	const char *name, *budget, *listen, *send, *quantum;
} default_classes[] = {
	{ "high", "1ms", "127.0.0.1:8080", "127.0.0.1:9080", "256KiB" },
	{ "medium", "10ms", "127.0.0.1:8081", "127.0.0.1:9081", "128KiB" },
	{ "low", "100ms", "127.0.0.1:8082", "127.0.0.1:9082", "64KiB" },
	{ "besteffort", "none", "127.0.0.1:8083", "127.0.0.1:9083", "64KiB" },
};

#define N_DEFAULT_CLASSES (sizeof(default_classes) / sizeof(default_classes[0]))

/* It must be printable, and fit; the first is cut if need be, a later one only counted. */
static void append_refusal(struct loading *l, char *line)
{
	size_t len = strlen(line);

	for (char *at = line; *at; at++)
		if (iscntrl((unsigned char)*at))
			*at = '?';
	if (l->n_refusals++ == 0) {
		if (l->why_bytes > 0)
			l->why_len = (size_t)snprintf(l->why, l->why_bytes, "%s", line);
	} else if (l->n_hidden || l->n_refusals > CONFIG_MOST_REFUSALS ||
		   l->why_len + 1 + len + REST_BYTES >= l->why_bytes) {
		l->n_hidden++;
	} else {
		l->why_len += (size_t)snprintf(l->why + l->why_len, l->why_bytes - l->why_len, "\n%s", line);
	}
}

void refuse(struct loading *l, int err, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	append_refusal(l, line);
	l->spoilt |= 1U << (l->section < PIPELINE_SECTION ? PIPELINE_SECTION : l->section);
	if (err == -EINVAL || l->err == 0)
		l->err = err;
}

void *base_of(struct loading *l, int section)
{
	return section < FIRST_CLASS ? (void *)&l->c : (void *)&l->c.classes[section - FIRST_CLASS];
}

enum scope scope_of(int section)
{
	if (section >= FIRST_CLASS)
		return SCOPE_CLASS;
	return section == DASH_SECTION ? SCOPE_DASH : SCOPE_PIPELINE;
}

/* set_defaults - the table's defaults of one scope; the table is tested to accept its own defaults. */
static void set_defaults(enum scope scope, void *base)
{
	char reason[REASON_BYTES];

	for (int i = 0; i < n_options; i++)
		if (options[i].scope == scope && options[i].standard)
			value_parse(&options[i], base, options[i].standard, NULL, reason);
}

struct class_config *add_class(struct config *c, const char *name)
{
	struct class_config *class = &c->classes[c->n_classes++];

	*class = (struct class_config){ 0 };
	snprintf(class->name, sizeof(class->name), "%s", name);
	set_defaults(SCOPE_CLASS, class);
	return class;
}

void config_defaults(struct config *c)
{
	char reason[REASON_BYTES];

	memset(c, 0, sizeof(*c));
	set_defaults(SCOPE_PIPELINE, c);
	for (size_t i = 0; i < N_DEFAULT_CLASSES; i++) {
		const char *const pairs[][2] = {
			{ "budget", default_classes[i].budget },
			{ "listen", default_classes[i].listen },
			{ "send", default_classes[i].send },
			{ "ingress_quantum", default_classes[i].quantum },
			{ "egress_quantum", default_classes[i].quantum },
		};
		struct class_config *class = add_class(c, default_classes[i].name);

		for (size_t j = 0; j < sizeof(pairs) / sizeof(pairs[0]); j++)
			value_parse(&options[option_find(SCOPE_CLASS, pairs[j][0])], class, pairs[j][1], NULL, reason);
	}
}

/* refuse_key - say what the user may have meant by an unknown key; `where` is the line so far. */
static void refuse_key(struct loading *l, const char *where, enum scope scope, const char *key)
{
	const char *nearest = option_nearest(scope, key);
	int of = N_SCOPES - 1; /* a class's, if several have it */

	while (of >= 0 && option_find((enum scope)of, key) < 0)
		of--;
	if (of >= 0)
		refuse(l, -EINVAL, "%s: a key of %s, not of %s", where, scope_words((enum scope)of),
		       scope_words(scope));
	else if (nearest)
		refuse(l, -EINVAL, "%s: unknown key; did you mean %s?", where, nearest);
	else
		refuse(l, -EINVAL, "%s: unknown key; ontime options shows all keys", where);
}

void set_option(struct loading *l, const char *where, const char *key, const char *value, int place)
{
	int at = option_find(scope_of(l->section), key), *set_at = &l->set_at[l->section][at < 0 ? 0 : at], err;
	char reason[REASON_BYTES];

	if (at < 0) {
		refuse_key(l, where, scope_of(l->section), key);
		return;
	}
	if (options[at].kind == &kind_allow || options[at].kind == &kind_deny)
		l->list_at = at;
	if (options[at].kind == &kind_listen || options[at].kind == &kind_send) {
		l->list_at = at;
		snprintf(l->list, sizeof(l->list), "%s", value);
	}
	if (place != FROM_COMMAND_LINE && *set_at) {
		refuse(l, -EINVAL, "%s: given twice, first on line %d", where, *set_at);
		return;
	}
	*set_at = place;
	err = value_parse(&options[at], base_of(l, l->section), value, l->hosts, reason);
	if (err)
		refuse(l, err, "%s: %s", where, reason);
}

/* section_named - which one `--NAME.KEY` means: a class, or [dash] if no class is called so. Below 0: none. */
static int section_named(const struct loading *l, const char *name)
{
	int class = class_find(&l->c, name);

	if (class >= 0)
		return FIRST_CLASS + class;
	return strcmp(name, "dash") == 0 ? DASH_SECTION : -1;
}

static void refuse_class(struct loading *l, const char *where, const char *name)
{
	const char *best = NULL;
	size_t least = NEAREST_NONE;

	for (uint32_t i = 0; i < l->c.n_classes; i++)
		if (nearest_is_better(name, l->c.classes[i].name, &least))
			best = l->c.classes[i].name;
	refuse(l, -EINVAL, "%s: no class is called \"%s\"%s%s%s", where, name, best ? "; did you mean " : "",
	       best ? best : "", best ? "?" : "");
}

/* load_argument - `--KEY=VALUE`, `--CLASS.KEY=VALUE` or `--dash.KEY=VALUE`; a later one wins over an earlier one. */
static void load_argument(struct loading *l, const char *argument)
{
	size_t len = strcspn(argument, "="), used;
	char where[160], key[KEY_BYTES], *dot;
	int section = PIPELINE_SECTION;

	l->section = section;
	used = (size_t)snprintf(where, sizeof(where), "command line: %.*s", len < 60 ? (int)len : 60, argument);
	if (strncmp(argument, "--", 2) != 0 || len < 3) {
		refuse(l, -EINVAL, "command line: \"%.60s\": not an option; use --KEY=VALUE or --CLASS.KEY=VALUE",
		       argument);
		return;
	}
	if (argument[len] == '\0') {
		refuse(l, -EINVAL, "%s: a value is missing; use %.40s=VALUE", where, argument);
		return;
	}
	snprintf(where + used, sizeof(where) - used, "=\"%.60s\"", argument + len + 1);
	if (len - 2 >= sizeof(key)) {
		refuse(l, -EINVAL, "%s: unknown key", where);
		return;
	}
	snprintf(key, sizeof(key), "%.*s", (int)len - 2, argument + 2);
	dot = strchr(key, '.');
	if (dot) {
		*dot = '\0';
		section = section_named(l, key);
	}
	if (section < 0) {
		refuse_class(l, where, key);
		return;
	}
	l->section = section;
	set_option(l, where, dot ? dot + 1 : key, argument + len + 1, FROM_COMMAND_LINE);
}

/* refuse_conflict - a value that is fine alone but not with the others; named where it was given. */
static void refuse_conflict(void *loading, int class, const char *key, const char *reason)
{
	struct loading *l = loading;
	bool of_class = class >= 0;
	const char *name = of_class ? l->c.classes[class].name : "";
	const char *file = l->file ? l->file : "defaults";
	uint32_t spoilt = l->spoilt;
	char value[VALUE_BYTES];
	int at, line;

	l->section = of_class ? FIRST_CLASS + class : PIPELINE_SECTION;
	if (spoilt & (1U << l->section | 1U << PIPELINE_SECTION))
		return;
	at = option_find(scope_of(l->section), key);
	line = l->set_at[l->section][at];
	value_format(&options[at], base_of(l, l->section), value);
	if (line == FROM_COMMAND_LINE)
		refuse(l, -EINVAL, "command line: --%s%s%s=\"%.80s\": %s", name, of_class ? "." : "", key, value,
		       reason);
	else if (line)
		refuse(l, -EINVAL, "%s:%d: %s = \"%.80s\": %s", file, line, key, value, reason);
	else
		refuse(l, -EINVAL, "%s: [%s%s] %s = \"%.80s\" (the default): %s", file,
		       of_class ? "class " : "pipeline", name, key, value, reason);
	l->spoilt = spoilt; /* one conflict does not follow from another */
}

/* check_complete - each class has what no default can give it; a way back needs nothing. */
static void check_complete(struct loading *l)
{
	static const struct {
		const char *key, *example;
	} needed[] = { { "listen", "127.0.0.1:8080" }, { "send", "127.0.0.1:9080" } };

	for (int i = 0; i < (int)l->c.n_classes; i++)
		for (size_t k = 0; k < sizeof(needed) / sizeof(needed[0]); k++) {
			l->section = FIRST_CLASS + i;
			if (reply_forth(&l->c, (uint32_t)i) < 0 && l->opened_at[l->section] &&
			    !l->set_at[l->section][option_find(SCOPE_CLASS, needed[k].key)])
				refuse(l, -EINVAL, "%s:%d: [class %s]: %s is missing (for example %s = %s)", l->file,
				       l->opened_at[l->section], l->c.classes[i].name, needed[k].key, needed[k].key,
				       needed[k].example);
		}
}

/* Of a copy that an instance runs with: nobody is asked, so that all stages agree. */
static void check_hosts(struct loading *l)
{
	l->section = PIPELINE_SECTION;
	for (uint32_t i = 0; i < l->hosts->n; i++)
		if (l->hosts->all[i].at[0] == '\0')
			refuse(l, -EINVAL, "%s: host %s is not in the [hosts] of what this instance runs with", l->file,
			       l->hosts->all[i].name);
}

/* load - file and arguments into l->c, and what no single value can tell. */
static void load(struct loading *l, const struct config_source *source)
{
	config_defaults(&l->c);
	l->file = source->file ? file_shown_name(source->file) : NULL;
	if (source->file && file_load(l, source->file))
		return;
	for (int i = 1; i < source->argc; i++)
		load_argument(l, source->argv[i]);
	check_complete(l);
	for (uint32_t i = 0; i < l->c.n_classes; i++)
		destinations_join(&l->c.classes[i]);
	if (!source->hosts && !l->hosts->ask)
		check_hosts(l);
	conflict_find(&l->c, source->top, refuse_conflict, l);
}

int config_load_as(struct config *c, const struct config_source *source, char *why, size_t why_bytes)
{
	struct loading l = {
		.why = why, .why_bytes = why_bytes, .list_at = -1, .hosts = source->hosts, .fd = source->fd
	};
	struct hosts own = { .ask = hosts_ask_resolver };

	if (source->file && file_is_nameless(source->file))
		own.ask = NULL;
	if (!l.hosts)
		l.hosts = &own;
	l.hosts->n = l.hosts->n_unknown = 0;
	load(&l, source);
	if (l.n_hidden && l.why_len + REST_BYTES < why_bytes)
		snprintf(why + l.why_len, why_bytes - l.why_len, "\nand %d more", l.n_hidden);
	if (!l.err)
		*c = l.c;
	return l.err;
}

int config_load(struct config *c, const char *file, int argc, char *const *argv, char *why, size_t why_bytes)
{
	const struct config_source source = { .file = file, .argc = argc, .argv = argv };

	return config_load_as(c, &source, why, why_bytes);
}

void config_log_refusals(const char *why, const char *then)
{
	for (size_t len = strcspn(why, "\n"); *why; len = strcspn(why, "\n")) {
		log_error("%.*s%s", (int)len, why, then);
		why += len + (why[len] != '\0');
	}
}

bool config_may_pass(int err)
{
	return err != 0 && err != -EINVAL && err != -ENAMETOOLONG;
}

static void log_host(const struct class_config *class, const char *key, uint32_t i, const struct address *a,
		     const struct hosts *hosts)
{
	const struct host *h = a->host ? &hosts->all[a->host - 1] : NULL;
	char text[ADDRESS_BYTES], others[48] = "";

	if (!h)
		return;
	if (h->n_addresses > 1)
		snprintf(others, sizeof(others), ", the first of %u addresses", h->n_addresses);
	log_info("%s.%s[%u]: %s -> %s (%s%s)", class->name, key, i, h->name, address_format(a, text),
		 a->at.ss_family == AF_INET ? "IPv4" : "IPv6", others);
}

void config_log_hosts(const struct config *c, const struct hosts *hosts)
{
	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct class_config *class = &c->classes[i];

		for (uint32_t k = 0; k < class->n_listen; k++)
			log_host(class, "listen", k, &class->listen[k], hosts);
		for (uint32_t k = 0; k < class->n_dests; k++)
			log_host(class, "send", k, &class->dests[k], hosts);
		for (uint32_t k = 0; k < class->n_from; k++)
			log_host(class, "from", k, &class->from[k], hosts);
	}
}
