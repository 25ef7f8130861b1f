/*
 * config.c - what the user asked for: reading files and arguments by the table of table.c.
 *
 * Rules:   a line of the file goes: next_line() (numbers it, opens its section), libinih (comments,
 *          blanks, key and value), take_pair() (looks the key up), value_parse(). Then the fields are
 *          checked against each other (conflict.c). The first refusal ends it.
 */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "conflict.h"
#include "table.h"
#include "value.h"

#define KEY_BYTES 48 /* longer words cannot be a key or a class */
#define LINE_BYTES 200 /* what libinih has for a line, NUL and all */
#define FROM_COMMAND_LINE (-1) /* in place of a line number */

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

/* Where a key belongs while loading: nowhere yet, to the pipeline, or to class `section - FIRST_CLASS`. */
enum { NO_SECTION, PIPELINE_SECTION, FIRST_CLASS };

struct loading {
	struct config c; /* becomes the caller's when all is well */
	const char *file; /* what messages call it */
	FILE *in;
	int line; /* of the file, from 1 */
	bool continues; /* the line goes on with the addresses of the one before */
	int section;
	int opened_at[FIRST_CLASS + MAX_CLASSES]; /* line of the section's header; 0: not in the file */
	int set_at[FIRST_CLASS + MAX_CLASSES][N_OPTIONS]; /* line, FROM_COMMAND_LINE, or 0: default */
	int err; /* of the first refusal, which is in why */
	char *why;
	size_t why_bytes;
};

/* refuse - keep the first refusal as one printable line; returns false, for handlers of all sorts. */
__attribute__((format(printf, 3, 4))) static bool refuse(struct loading *l, int err, const char *format, ...)
{
	va_list args;

	if (l->err)
		return false;
	l->err = err;
	if (l->why_bytes == 0)
		return false;
	va_start(args, format);
	vsnprintf(l->why, l->why_bytes, format, args);
	va_end(args);
	for (char *at = l->why; *at; at++)
		if (iscntrl((unsigned char)*at))
			*at = '?';
	return false;
}

static void *base_of(struct loading *l, int section)
{
	return section < FIRST_CLASS ? (void *)&l->c : (void *)&l->c.classes[section - FIRST_CLASS];
}

static enum scope scope_of(int section)
{
	return section < FIRST_CLASS ? SCOPE_PIPELINE : SCOPE_CLASS;
}

/* set_defaults - the table's defaults of one scope; the table is tested to accept its own defaults. */
static void set_defaults(enum scope scope, void *base)
{
	char reason[REASON_BYTES];

	for (int i = 0; i < N_OPTIONS; i++)
		if (options[i].scope == scope && options[i].standard)
			value_parse(&options[i], base, options[i].standard, reason);
}

static struct class_config *add_class(struct config *c, const char *name)
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
			value_parse(&options[option_find(SCOPE_CLASS, pairs[j][0])], class, pairs[j][1], reason);
	}
}

/* distance - how many letters must be changed, added or removed to turn a into b (Levenshtein). */
static size_t distance(const char *a, const char *b)
{
	size_t row[KEY_BYTES], n = strlen(b);

	if (n >= KEY_BYTES)
		return n;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1]; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1]);
			size_t add = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);

			diagonal = row[j];
			row[j] = change < add ? change : add;
		}
	}
	return row[n];
}

/* nearest_key - the key of this scope most like the given one, or NULL if none is. */
static const char *nearest_key(enum scope scope, const char *key)
{
	const char *best = NULL;
	size_t least = 4; /* more changes than that make another word */

	for (int i = 0; i < N_OPTIONS; i++) {
		size_t changes = distance(key, options[i].key);

		if (options[i].scope == scope && changes < least && changes < strlen(options[i].key) - 1) {
			least = changes;
			best = options[i].key;
		}
	}
	return best;
}

/* refuse_key - say what the user may have meant by an unknown key; `where` is the line so far. */
static bool refuse_key(struct loading *l, const char *where, enum scope scope, const char *key)
{
	const char *nearest = nearest_key(scope, key);
	bool of_class = scope == SCOPE_CLASS;

	if (option_find(of_class ? SCOPE_PIPELINE : SCOPE_CLASS, key) >= 0)
		return refuse(l, -EINVAL, "%s: a key of %s", where,
			      of_class ? "[pipeline], not of a class" : "a class, not of [pipeline]");
	if (nearest)
		return refuse(l, -EINVAL, "%s: unknown key; did you mean %s?", where, nearest);
	return refuse(l, -EINVAL, "%s: unknown key; run/ontime.conf shows all keys", where);
}

/* set_option - one value, from the file or the command line; `where` is the refusal's line so far. */
static bool set_option(struct loading *l, const char *where, int section, const char *key, const char *value, int place)
{
	int at = option_find(scope_of(section), key);
	char reason[REASON_BYTES];

	if (at < 0)
		return refuse_key(l, where, scope_of(section), key);
	if (place != FROM_COMMAND_LINE && l->set_at[section][at])
		return refuse(l, -EINVAL, "%s: given twice, first on line %d", where, l->set_at[section][at]);
	if (value_parse(&options[at], base_of(l, section), value, reason))
		return refuse(l, -EINVAL, "%s: %s", where, reason);
	l->set_at[section][at] = place;
	return true;
}

/* add_addresses - an indented line of them: more of the `listen` or `send` before it. */
static bool add_addresses(struct loading *l, const char *where, const char *key, const char *value)
{
	int at = option_find(scope_of(l->section), key);
	char all[VALUE_BYTES + LINE_BYTES], before[VALUE_BYTES], reason[REASON_BYTES];

	if (at < 0 || (options[at].type != VALUE_LISTEN && options[at].type != VALUE_SEND))
		return refuse(l, -EINVAL, "%s:%d: addresses, but the line before is neither listen nor send", l->file,
			      l->line);
	/* No address holds a ; and not every libinih takes a comment off such a line. */
	snprintf(all, sizeof(all), "%s %.*s", value_format(&options[at], base_of(l, l->section), before),
		 (int)strcspn(value, ";"), value);
	if (value_parse(&options[at], base_of(l, l->section), all, reason))
		return refuse(l, -EINVAL, "%s: %s", where, reason);
	return true;
}

/* open_class - `[class NAME]`; the first one replaces the default classes. */
static bool open_class(struct loading *l, const char *name)
{
	char reason[REASON_BYTES];
	bool first = true;
	int same;

	for (int i = 0; i < MAX_CLASSES; i++)
		first = first && !l->opened_at[FIRST_CLASS + i];
	if (first) {
		memset(l->c.classes, 0, sizeof(l->c.classes));
		l->c.n_classes = 0;
	}
	if (value_check_name(name, CLASS_NAME_BYTES - 1, reason))
		return refuse(l, -EINVAL, "%s:%d: [class %.40s]: %s", l->file, l->line, name, reason);
	same = class_find(&l->c, name);
	if (same >= 0)
		return refuse(l, -EINVAL, "%s:%d: [class %s]: given twice, first on line %d", l->file, l->line, name,
			      l->opened_at[FIRST_CLASS + same]);
	if (l->c.n_classes == MAX_CLASSES)
		return refuse(l, -EINVAL, "%s:%d: [class %s]: more than %d classes", l->file, l->line, name,
			      MAX_CLASSES);
	l->section = FIRST_CLASS + (int)l->c.n_classes;
	l->opened_at[l->section] = l->line;
	add_class(&l->c, name);
	return true;
}

/*
 * open_section - `[pipeline]` or `[class NAME]`. Done here and not by libinih, which tells of a
 * section only with its first key, shortens its name, and ignores what follows the bracket.
 */
static bool open_section(struct loading *l, const char *line)
{
	size_t len = strcspn(line, "]");
	const char *rest = line + len + 1;
	char name[64];

	if (line[len] == '\0')
		return refuse(l, -EINVAL, "%s:%d: \"%.60s\": the closing ] is missing", l->file, l->line, line);
	rest += strspn(rest, " \t\r");
	if (*rest != '\0' && *rest != ';' && *rest != '#')
		return refuse(l, -EINVAL, "%s:%d: \"%.60s\": text after the ]", l->file, l->line, line);
	snprintf(name, sizeof(name), "%.*s", (int)len - 1, line + 1);
	if (strncmp(name, "class ", 6) == 0)
		return open_class(l, name + 6 + strspn(name + 6, " \t"));
	if (strcmp(name, "pipeline") != 0)
		return refuse(l, -EINVAL, "%s:%d: [%.60s]: unknown section; use [pipeline] or [class NAME]", l->file,
			      l->line, name);
	if (l->opened_at[PIPELINE_SECTION])
		return refuse(l, -EINVAL, "%s:%d: [pipeline]: given twice, first on line %d", l->file, l->line,
			      l->opened_at[PIPELINE_SECTION]);
	l->section = PIPELINE_SECTION;
	l->opened_at[PIPELINE_SECTION] = l->line;
	return true;
}

/* err_of - a failed read's errno as -errno; some C libraries leave none, and an error must never look like the end. */
static int err_of(int number)
{
	return number > 0 && number != EINVAL ? -number : -EIO;
}

/* read_line - one line without its newline into text[room]; false at the end or after a refusal. */
static bool read_line(struct loading *l, char *text, size_t room)
{
	size_t len = 0;
	int c = getc(l->in);

	if (c == EOF && !ferror(l->in))
		return false;
	l->line++;
	for (; c != EOF && c != '\n'; c = getc(l->in)) {
		if (c == '\0')
			return refuse(l, -EINVAL, "%s:%d: holds a NUL byte: not a text file", l->file, l->line);
		if (len == room - 1)
			return refuse(l, -EINVAL,
				      "%s:%d: longer than %zu bytes; addresses may go on in the next line, indented",
				      l->file, l->line, room - 1);
		text[len++] = (char)c;
	}
	if (ferror(l->in))
		return refuse(l, err_of(errno), "%s:%d: cannot be read: %s", l->file, l->line,
			      strerror(-err_of(errno)));
	text[len] = '\0';
	return true;
}

/* begins_with_address - "127.0.0.1:80" or "[::1]:80", which no section and no key looks like. */
static bool begins_with_address(const char *text)
{
	size_t len = strcspn(text, "]");

	return isdigit((unsigned char)text[0]) || (text[0] == '[' && text[len] == ']' && text[len + 1] == ':');
}

/*
 * next_line - the reader libinih calls for each line. Leading blanks go, since libinih takes an indented line for more
 * of the value before: only one that begins with an address is. A byte order mark goes, since it would hide a section.
 */
static char *next_line(char *line, int bytes, void *stream)
{
	static const char mark[] = "\xEF\xBB\xBF";
	struct loading *l = stream;
	size_t skip = 0, blanks;

	/* libinih wants room for "\r\n" and the NUL beside the text. */
	if (l->err || !read_line(l, line, (size_t)bytes - 2))
		return NULL;
	if (l->line == 1 && strncmp(line, mark, sizeof(mark) - 1) == 0)
		skip = sizeof(mark) - 1;
	blanks = strspn(line + skip, " \t\r");
	l->continues = blanks > 0 && begins_with_address(line + skip + blanks);
	skip += l->continues ? blanks - 1 : blanks;
	memmove(line, line + skip, strlen(line + skip) + 1);
	if (line[0] == '[' && !open_section(l, line))
		return NULL;
	return line;
}

/* take_pair - the handler libinih calls for each `key = value`; returns 0 to report the line. */
static int take_pair(void *user, const char *section, const char *key, const char *value)
{
	struct loading *l = user;
	char where[PATH_BYTES + 200];

	(void)section; /* open_section() knows better */
	snprintf(where, sizeof(where), "%s:%d: %.60s = \"%.60s\"", l->file, l->line, key, value);
	if (l->section == NO_SECTION)
		return refuse(l, -EINVAL, "%s: before the first section; begin with [pipeline] or [class NAME]", where);
	if (strstr(value, " #") || strstr(value, "\t#"))
		return refuse(l, -EINVAL, "%s: a comment after a value begins with ;", where);
	if (l->continues)
		return add_addresses(l, where, key, value);
	return set_option(l, where, l->section, key, value, l->line);
}

/* is_nameless - whether a file is given by descriptor. */
static bool is_nameless(const char *file)
{
	return strncmp(file, "/proc/self/fd/", 14) == 0 || strncmp(file, "/dev/fd/", 8) == 0;
}

/* shown_name - what messages call a file; one without a name has the one that the environment tells. */
static const char *shown_name(const char *file)
{
	const char *name = getenv("ONTIME_CONFIG_NAME");

	return is_nameless(file) && name && name[0] && strlen(name) < PATH_BYTES ? name : file;
}

/* wait_for_writer - a file without a name is rewritten in place by a reload, under a lock: wait for that, at most a second. */
static void wait_for_writer(const struct loading *l)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	struct timespec pause = { .tv_nsec = 1000000 };

	for (int i = 0; i < 1000 && fcntl(fileno(l->in), F_OFD_SETLK, &lock) < 0; i++)
		nanosleep(&pause, NULL);
}

static bool open_file(struct loading *l, const char *file)
{
	struct stat status;
	int err;

	if (strlen(file) >= sizeof(l->c.file))
		return refuse(l, -ENAMETOOLONG, "%.60s...: the path is longer than %zu bytes", file,
			      sizeof(l->c.file) - 1);
	snprintf(l->c.file, sizeof(l->c.file), "%s", l->file);
	l->in = fopen(file, "re");
	err = l->in ? 0 : err_of(errno);
	if (!err && fstat(fileno(l->in), &status) == 0 && S_ISDIR(status.st_mode))
		err = -EISDIR;
	if (!err && is_nameless(file))
		wait_for_writer(l);
	if (!err)
		return true;
	if (l->in)
		fclose(l->in);
	return refuse(l, err, "%s: cannot be opened: %s", l->file, strerror(-err));
}

static bool load_file(struct loading *l, const char *file)
{
	int bad_line;

	if (!open_file(l, file))
		return false;
	bad_line = ini_parse_stream(next_line, l, take_pair, l);
	fclose(l->in);
	if (bad_line < 0)
		return refuse(l, -ENOMEM, "%s: cannot be read: %s", l->file, strerror(ENOMEM));
	/* A line libinih could not split comes before the line that was refused. */
	if (bad_line > 0 && (!l->err || (l->err == -EINVAL && bad_line < l->line))) {
		l->err = 0;
		refuse(l, -EINVAL, "%s:%d: neither a [section], nor key = value, nor a comment", l->file, bad_line);
	}
	return l->err == 0;
}

/* load_argument - `--KEY=VALUE` or `--CLASS.KEY=VALUE`; a later one wins over an earlier one. */
static bool load_argument(struct loading *l, const char *argument)
{
	size_t len = strcspn(argument, "=");
	int section = PIPELINE_SECTION;
	char where[160], key[KEY_BYTES], *dot;

	snprintf(where, sizeof(where), "command line: %.*s", len < 60 ? (int)len : 60, argument);
	if (strncmp(argument, "--", 2) != 0 || len < 3)
		return refuse(l, -EINVAL,
			      "command line: \"%.60s\": not an option; use --KEY=VALUE or --CLASS.KEY=VALUE", argument);
	if (argument[len] == '\0')
		return refuse(l, -EINVAL, "%s: a value is missing; use %.40s=VALUE", where, argument);
	snprintf(where + strlen(where), sizeof(where) - strlen(where), "=\"%.60s\"", argument + len + 1);
	if (len - 2 >= sizeof(key))
		return refuse(l, -EINVAL, "%s: unknown key", where);
	snprintf(key, sizeof(key), "%.*s", (int)len - 2, argument + 2);
	dot = strchr(key, '.');
	if (dot) {
		*dot = '\0';
		section = FIRST_CLASS + class_find(&l->c, key);
		if (section < FIRST_CLASS)
			return refuse(l, -EINVAL, "%s: no class is called \"%s\"", where, key);
	}
	return set_option(l, where, section, dot ? dot + 1 : key, argument + len + 1, FROM_COMMAND_LINE);
}

/* refuse_field - a value that is fine alone but not with the others; named where it was given. */
static bool refuse_field(struct loading *l, int section, const char *key, const char *reason)
{
	int at = option_find(scope_of(section), key);
	bool of_class = section >= FIRST_CLASS;
	const char *class = of_class ? l->c.classes[section - FIRST_CLASS].name : "";
	const char *file = l->file ? l->file : "defaults";
	char value[VALUE_BYTES];

	value_format(&options[at], base_of(l, section), value);
	if (l->set_at[section][at] == FROM_COMMAND_LINE)
		return refuse(l, -EINVAL, "command line: --%s%s%s=\"%.80s\": %s", class, of_class ? "." : "", key,
			      value, reason);
	if (l->set_at[section][at])
		return refuse(l, -EINVAL, "%s:%d: %s = \"%.80s\": %s", file, l->set_at[section][at], key, value,
			      reason);
	return refuse(l, -EINVAL, "%s: [%s%s] %s = \"%.80s\" (the default): %s", file, of_class ? "class " : "pipeline",
		      class, key, value, reason);
}

/* check_complete - each class has what no default can give it. */
static bool check_complete(struct loading *l)
{
	for (uint32_t i = 0; i < l->c.n_classes; i++) {
		const struct class_config *class = &l->c.classes[i];
		int line = l->opened_at[FIRST_CLASS + (int)i];

		if (class->n_listen == 0)
			return refuse(l, -EINVAL,
				      "%s:%d: [class %s]: listen is missing (for example listen = 127.0.0.1:8080)",
				      l->file, line, class->name);
		if (class->n_dests == 0)
			return refuse(l, -EINVAL,
				      "%s:%d: [class %s]: send is missing (for example send = 127.0.0.1:9080)", l->file,
				      line, class->name);
	}
	return true;
}

static bool refuse_conflict(struct loading *l, const struct conflict *conflict)
{
	int section = conflict->class < 0 ? PIPELINE_SECTION : FIRST_CLASS + conflict->class;

	return refuse_field(l, section, conflict->key, conflict->reason);
}

/* load - file and arguments into l->c, and what no single value can tell. */
static bool load(struct loading *l, const char *file, int argc, char *const *argv)
{
	struct conflict conflict;
	bool fine = true;

	config_defaults(&l->c);
	l->file = file ? shown_name(file) : NULL;
	if (file)
		fine = load_file(l, file);
	for (int i = 1; fine && i < argc; i++)
		fine = load_argument(l, argv[i]);
	if (!fine || !check_complete(l))
		return false;
	return !conflict_find(&l->c, &conflict) || refuse_conflict(l, &conflict);
}

int config_load(struct config *c, const char *file, int argc, char *const *argv, char *why, size_t why_bytes)
{
	struct loading l = { .why = why, .why_bytes = why_bytes };

	if (!load(&l, file, argc, argv))
		return l.err;
	*c = l.c;
	return 0;
}

int config_check_here(const char *file, int argc, char *const *argv, char *why, size_t why_bytes)
{
	struct loading l = { .why = why, .why_bytes = why_bytes };
	struct conflict conflict;

	if (!load(&l, file, argc, argv))
		return l.err;
	if (conflict_find_here(&l.c, &conflict))
		refuse_conflict(&l, &conflict);
	return l.err;
}

bool config_may_pass(int err)
{
	return err != 0 && err != -EINVAL && err != -ENAMETOOLONG;
}
