/* options.c - from words to options. */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include "config/instance.h"
#include "config/value.h"
#include "log.h"
#include "options/tape.h"
#include "units.h"

#define LONGEST_BEFORE_NS (3600 * NS_PER_S)
#define LEAST_SIZE_BYTES (64 * KIB)
#define MOST_SIZE_BYTES (1ULL << 50)

/* A time or a size with its unit, as the config has them. 0, or the exit status after one line. */
static int parse_value(uint64_t *to, const char *word, const char *text, const struct option *like)
{
	char reason[REASON_BYTES];

	if (!text || value_parse(like, to, text, NULL, reason) == 0)
		return 0;
	log_error("--%s %s: %s", word, text, reason);
	return COMMAND_USAGE;
}

static int check(const struct tape_options *o)
{
	if (!o->write)
		log_error("where to? -w FILE, or -w - for a pipe; see %s --help", command.name);
	else if (o->before_ns && !o->late && !o->dropped)
		log_error("--before: before what? It goes with --late or --dropped");
	else if (o->n_files && !o->most_bytes)
		log_error("--files: of which size? It goes with --size");
	else if (o->n_files && strcmp(o->write, "-") == 0)
		log_error("--files with -w -: a pipe is one file");
	else
		return -1;
	return COMMAND_USAGE;
}

int options_parse(struct tape_options *o, int argc, char **argv)
{
	static const struct option time = {
		.key = "before", .kind = &kind_time, .bytes = sizeof(o->before_ns), .min = 1, .max = LONGEST_BEFORE_NS
	};
	static const struct option size = { .key = "size",
					    .kind = &kind_size,
					    .bytes = sizeof(o->most_bytes),
					    .min = LEAST_SIZE_BYTES,
					    .max = MOST_SIZE_BYTES };
	const char *instance = NULL, *file = NULL, *before = NULL, *most = NULL;
	void *const places[N_COMMAND_OPTIONS] = {
		[OPTION_INSTANCE] = &instance,	  [OPTION_CONFIG] = &file,	  [OPTION_WRITE] = &o->write,
		[OPTION_CLASS] = &o->classes,	  [OPTION_LATE] = &o->late,	  [OPTION_DROPPED] = &o->dropped,
		[OPTION_BEFORE] = &before,	  [OPTION_HEADERS] = &o->headers, [OPTION_SECONDS] = &o->seconds,
		[OPTION_PACKETS] = &o->n_packets, [OPTION_SIZE] = &most,	  [OPTION_FILES] = &o->n_files,
	};
	struct command_line line;
	int status;

	*o = (struct tape_options){ 0 };
	command_open(&line, &command, argc, argv, places, NULL);
	status = command_read(&line, NULL);
	if (status >= 0)
		return status;
	if (parse_value(&o->before_ns, "before", before, &time) || parse_value(&o->most_bytes, "size", most, &size) ||
	    instance_choose(o->instance, instance, file))
		return COMMAND_USAGE;
	return check(o);
}

int options_take_class(const struct tape_options *o, const char *class)
{
	size_t len = strlen(class);

	for (const char *at = o->classes; at; at = at[strcspn(at, ",")] ? at + strcspn(at, ",") + 1 : NULL)
		if (strcspn(at, ",") == len && memcmp(at, class, len) == 0)
			return 1;
	return !o->classes;
}

int options_unknown_class(const struct tape_options *o, const char *const *classes, uint32_t n,
			  char name[CLASS_NAME_BYTES])
{
	for (const char *at = o->classes; at; at = at[strcspn(at, ",")] ? at + strcspn(at, ",") + 1 : NULL) {
		int is_known = 0;

		snprintf(name, CLASS_NAME_BYTES, "%.*s", (int)strcspn(at, ","), at);
		for (uint32_t i = 0; i < n; i++)
			is_known |= strcmp(classes[i], name) == 0;
		if (!is_known)
			return 1;
	}
	return 0;
}
