/* file.c - the lines of a configuration file: sections, `key = value`, addresses that go on. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "loading.h"

#define LINE_BYTES (LINE_VALUE_BYTES + 64) /* the longest value with its key and blanks, NUL and all */
#define MOST_BYTES (1 << 20)
#define WHERE_BYTES (PATH_BYTES + 200)

static void open_class(struct loading *l, const char *name)
{
	char reason[REASON_BYTES];
	bool first = true;
	int same = class_find(&l->c, name);

	for (int i = 0; i < MAX_CLASSES; i++)
		first = first && !l->opened_at[FIRST_CLASS + i];
	if (first) { /* it replaces the default classes */
		memset(l->c.classes, 0, sizeof(l->c.classes));
		l->c.n_classes = 0;
	}
	if (value_check_name(name, CLASS_NAME_BYTES - 1, reason)) {
		refuse(l, -EINVAL, "%s:%d: [class %.40s]: %s", l->file, l->line, name, reason);
	} else if (!first && same >= 0) {
		refuse(l, -EINVAL, "%s:%d: [class %s]: given twice, first on line %d", l->file, l->line, name,
		       l->opened_at[FIRST_CLASS + same]);
	} else if (l->c.n_classes == MAX_CLASSES) {
		refuse(l, -EINVAL, "%s:%d: [class %s]: more than %d classes", l->file, l->line, name, MAX_CLASSES);
	} else {
		l->section = FIRST_CLASS + (int)l->c.n_classes;
		l->opened_at[l->section] = l->line;
		add_class(&l->c, name);
	}
}

static void open_single(struct loading *l, const char *name, int section)
{
	if (l->opened_at[section]) {
		refuse(l, -EINVAL, "%s:%d: [%s]: given twice, first on line %d", l->file, l->line, name,
		       l->opened_at[section]);
		return;
	}
	l->section = section;
	l->opened_at[section] = l->line;
}

/* open_section - `[pipeline]`, `[dash]`, `[hosts]` or `[class NAME]`. */
static void open_section(struct loading *l, const char *line)
{
	size_t len = strcspn(line, "]");
	const char *rest = line + len + 1;
	char name[64];

	l->list_at = -1;
	l->section = REFUSED_SECTION;
	if (l->only_hosts) {
		l->section = strncmp(line, "[hosts]", 7) == 0 ? HOSTS_SECTION : REFUSED_SECTION;
		return;
	}
	if (line[len] == '\0') {
		refuse(l, -EINVAL, "%s:%d: \"%.60s\": the closing ] is missing", l->file, l->line, line);
		return;
	}
	rest += strspn(rest, " \t");
	snprintf(name, sizeof(name), "%.*s", (int)len - 1, line + 1);
	if (*rest != '\0' && *rest != ';' && *rest != '#')
		refuse(l, -EINVAL, "%s:%d: \"%.60s\": text after the ]", l->file, l->line, line);
	else if (strncmp(name, "class ", 6) == 0)
		open_class(l, name + 6 + strspn(name + 6, " \t"));
	else if (strcmp(name, "pipeline") == 0)
		open_single(l, name, PIPELINE_SECTION);
	else if (strcmp(name, "dash") == 0)
		open_single(l, name, DASH_SECTION);
	else if (strcmp(name, "hosts") == 0)
		open_single(l, name, HOSTS_SECTION);
	else
		refuse(l, -EINVAL, "%s:%d: [%.60s]: unknown section; use [pipeline], [class NAME], [dash] or [hosts]",
		       l->file, l->line, name);
}

static void trim_end(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
}

/* A comment begins with ; behind a blank. */
static void cut_comment(char *text)
{
	for (char *at = text; *at; at++)
		if (*at == ';' && at > text && isspace((unsigned char)at[-1]))
			*at = '\0';
	trim_end(text);
}

/*
 * goes_on - is an indented line more of the addresses before it? One looks like no section and no key: "127.0.0.1:80",
 * "[::1]:80", or "sink:80", if there is no such key; or like a prefix.
 */
static bool goes_on(const char *text)
{
	size_t len = strcspn(text, "]"), name = strcspn(text, ":"), word = strcspn(text, " \t*");
	struct prefix p;
	char key[32];

	if (prefix_parse(text, word, &p))
		return true;
	if (isdigit((unsigned char)text[0]) || (text[0] == '[' && text[len] == ']' && text[len + 1] == ':'))
		return true;
	snprintf(key, sizeof(key), "%.*s", name < sizeof(key) ? (int)name : 0, text);
	for (int scope = 0; scope < N_SCOPES; scope++)
		if (option_find((enum scope)scope, key) >= 0)
			return false;
	return hosts_is_name(text, word);
}

/* add_addresses - an indented line of them: more of the `listen`, `send`, `allow` or `deny` before it. */
static void add_addresses(struct loading *l, const char *text)
{
	const struct option *o = &options[l->list_at < 0 ? 0 : l->list_at];
	char reason[REASON_BYTES];
	size_t len = strlen(l->list);
	int err;

	if (l->list_at < 0) {
		refuse(l, -EINVAL, "%s:%d: addresses, but the line before is none of listen, send, allow and deny",
		       l->file, l->line);
		return;
	}
	if (o->kind == &kind_allow || o->kind == &kind_deny) {
		struct acl *acl = (struct acl *)((char *)base_of(l, l->section) + o->offset);

		if (acl_add(acl, o->kind == &kind_deny ? ACL_DENY : ACL_ALLOW, text, reason))
			refuse(l, -EINVAL, "%s:%d: %.60s = \"%.60s\": %s", l->file, l->line, o->key, text, reason);
		return;
	}
	snprintf(l->list + len, sizeof(l->list) - len, " %s", text);
	err = value_parse(o, base_of(l, l->section), l->list, l->hosts, reason);
	if (err)
		refuse(l, err, "%s:%d: %.60s = \"%.60s\": %s", l->file, l->line, o->key, text, reason);
}

static void add_host(struct loading *l, const char *where, const char *name, const char *at)
{
	char why[HOSTS_WHY_BYTES];

	if (hosts_add(l->hosts, name, at, why))
		refuse(l, -EINVAL, "%s: %s", where, why);
}

/* take_pair - `key = value`, or `key : value`. */
static void take_pair(struct loading *l, char *key)
{
	char *value = key + strcspn(key, "=:"), where[WHERE_BYTES];
	bool is_pair = *value != '\0';

	if (is_pair)
		*value++ = '\0';
	cut_comment(value);
	value += strspn(value, " \t");
	if (!is_pair || strstr(key, " ;") || strstr(key, "\t;")) {
		refuse(l, -EINVAL, "%s:%d: neither a [section], nor key = value, nor a comment", l->file, l->line);
		return;
	}
	trim_end(key);
	snprintf(where, sizeof(where), "%s:%d: %.60s = \"%.60s\"", l->file, l->line, key, value);
	if (l->section == NO_SECTION)
		refuse(l, -EINVAL, "%s: before the first section; begin with [pipeline] or [class NAME]", where);
	else if (strstr(value, " #") || strstr(value, "\t#"))
		refuse(l, -EINVAL, "%s: a comment after a value begins with ;", where);
	else if (l->section == HOSTS_SECTION)
		add_host(l, where, key, value);
	else
		set_option(l, where, key, value, l->line);
}

/* take_line - an indented one is a line of its own too. A byte order mark goes, since it would hide a section. */
static void take_line(struct loading *l, char *line)
{
	static const char mark[] = "\xEF\xBB\xBF";
	bool is_wanted = l->section == HOSTS_SECTION ? l->only_hosts : l->section != REFUSED_SECTION;
	char *text = line;

	if (l->line == 1 && strncmp(line, mark, sizeof(mark) - 1) == 0)
		text = line += sizeof(mark) - 1;
	text += strspn(text, " \t\r");
	trim_end(text);
	if (*text == '\0' || *text == ';' || *text == '#')
		return;
	if (text > line && goes_on(text)) {
		cut_comment(text);
		if (is_wanted)
			add_addresses(l, text);
	} else if (*text == '[') {
		open_section(l, text);
	} else if (is_wanted) {
		l->list_at = -1;
		take_pair(l, text);
	}
}

static void take_text(struct loading *l, const char *text, size_t bytes)
{
	const char *end = text + bytes;

	l->line = 0;
	for (const char *next; text < end; text = next) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t len = (size_t)((newline ? newline : end) - text);
		char line[LINE_BYTES];

		next = newline ? newline + 1 : end;
		l->line++;
		if (memchr(text, '\0', len)) {
			if (!l->only_hosts)
				refuse(l, -EINVAL, "%s:%d: holds a NUL byte: not a text file", l->file, l->line);
			return;
		}
		snprintf(line, sizeof(line), "%.*s", (int)len, text);
		if (len < sizeof(line))
			take_line(l, line);
		else if (!l->only_hosts)
			refuse(l, -EINVAL,
			       "%s:%d: longer than %zu bytes; addresses may go on in the next line, indented", l->file,
			       l->line, sizeof(line) - 1);
	}
}

bool file_is_nameless(const char *file)
{
	return strncmp(file, "/proc/self/fd/", 14) == 0 || strncmp(file, "/dev/fd/", 8) == 0;
}

/* One without a name has the one that the environment tells. */
const char *file_shown_name(const char *file)
{
	const char *name = getenv("ONTIME_CONFIG_NAME");

	return file_is_nameless(file) && name && name[0] && strlen(name) < PATH_BYTES ? name : file;
}

/* An errno as -errno; some C libraries leave none, and an error must never look like the end. */
static int err_of(int number)
{
	return number > 0 && number != EINVAL ? -number : -EIO;
}

/* A file without a name is rewritten in place by a reload, under a lock: wait for that, at most a second. */
static void wait_for_writer(FILE *in)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	struct timespec pause = { .tv_nsec = 1000000 };

	for (int i = 0; i < 1000 && fcntl(fileno(in), F_OFD_SETLK, &lock) < 0; i++)
		nanosleep(&pause, NULL);
}

/* The place that a description is read at, and its locks, are shared by all descriptors of it. */
static FILE *open_again(int fd)
{
	int copy = lseek(fd, 0, SEEK_SET) < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? NULL : fdopen(copy, "r");
}

static void let_writers(int fd)
{
	struct flock lock = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	fcntl(fd, F_OFD_SETLK, &lock);
}

int config_open(const char *file)
{
	return file && file_is_nameless(file) ? open(file, O_RDONLY | O_CLOEXEC) : -1;
}

static FILE *open_file(const char *file, int fd, int *err)
{
	FILE *in = fd ? open_again(fd) : fopen(file, "re");
	struct stat status;

	*err = in ? 0 : err_of(errno);
	if (in && fstat(fileno(in), &status) == 0 && S_ISDIR(status.st_mode)) {
		*err = -EISDIR;
		fclose(in);
		in = NULL;
	}
	if (in && file_is_nameless(file))
		wait_for_writer(in);
	return in;
}

int file_load(struct loading *l, const char *file)
{
	FILE *in;
	char *text;
	size_t bytes;
	int err;

	if (strlen(file) >= sizeof(l->c.file)) {
		refuse(l, -ENAMETOOLONG, "%.60s...: the path is longer than %zu bytes", file, sizeof(l->c.file) - 1);
		return l->err;
	}
	snprintf(l->c.file, sizeof(l->c.file), "%s", l->file);
	in = open_file(file, l->fd, &err);
	if (!in) {
		refuse(l, err, "%s: cannot be opened: %s", l->file, strerror(-err));
		return err;
	}
	text = malloc(MOST_BYTES);
	bytes = text ? fread(text, 1, MOST_BYTES, in) : 0;
	if (!text || ferror(in))
		err = err_of(errno);
	if (l->fd)
		let_writers(l->fd);
	fclose(in);
	if (err) {
		refuse(l, err, "%s: cannot be read: %s", l->file, strerror(-err));
	} else if (bytes == MOST_BYTES) {
		refuse(l, err = -EINVAL, "%s: longer than %d bytes: not a configuration", l->file, MOST_BYTES);
	} else {
		l->only_hosts = true;
		l->section = REFUSED_SECTION;
		take_text(l, text, bytes);
		l->only_hosts = false;
		l->section = NO_SECTION;
		take_text(l, text, bytes);
	}
	free(text);
	return err;
}
