/* kinds.c - the kinds of values that are no numbers: words, names, CPUs; addresses are in addresses.c. */
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "decimal.h"
#include "match.h"
#include "value.h"

static_assert(sizeof(enum policy) == sizeof(uint32_t), "choices are stored as uint32_t");

/* The words of an option with something between two of them, and something else before the last. */
static const char *join_words(const struct option *o, const char *between, const char *last, char text[VALUE_BYTES])
{
	size_t len = 0;

	for (size_t i = 0; o->words[i]; i++)
		len += (size_t)snprintf(text + len, VALUE_BYTES - len, "%s%s",
					i == 0		  ? ""
					: o->words[i + 1] ? between
							  : last,
					o->words[i]);
	return text;
}

static int refuse_word(const struct option *o, const char *text, char *reason)
{
	char list[VALUE_BYTES];

	return value_refuse(reason, "%s; use %.200s", text[0] ? "unknown choice" : "a value is missing",
			    join_words(o, ", ", " or ", list));
}

static void print_words(const struct option *o, char *text)
{
	join_words(o, "|", "|", text);
}

static int parse_choice(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	(void)hosts;
	for (uint32_t i = 0; o->words[i]; i++)
		if (strcmp(o->words[i], text) == 0) {
			memcpy((char *)base + o->offset, &i, sizeof(i));
			return 0;
		}
	return refuse_word(o, text, reason);
}

static uint32_t read_choice(const struct option *o, const void *base)
{
	uint32_t at;

	memcpy(&at, (const char *)base + o->offset, sizeof(at));
	return at;
}

static void format_choice(const struct option *o, const void *base, char *text)
{
	snprintf(text, VALUE_BYTES, "%s", o->words[read_choice(o, base)]);
}

/* One of the words; the last one is "plugin:FILE.so", and stands for any file. */
static int parse_work(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	const char *form = o->words[WORK_PLUGIN], *file = "";
	size_t prefix = strcspn(form, ":") + 1;
	char *plugin = (char *)base + o->second;

	if (strncmp(text, form, prefix) == 0) {
		file = text + prefix;
		text = form;
		if (file[0] == '\0')
			return value_refuse(reason, "the plugin's file is missing; use %s", form);
		if (strlen(file) >= PATH_BYTES)
			return value_refuse(reason, "the plugin's path is longer than %d bytes", PATH_BYTES - 1);
	}
	if (parse_choice(o, base, text, hosts, reason))
		return -EINVAL;
	memset(plugin, 0, PATH_BYTES);
	memcpy(plugin, file, strlen(file));
	return 0;
}

static void format_work(const struct option *o, const void *base, char *text)
{
	const char *word = o->words[read_choice(o, base)];

	snprintf(text, VALUE_BYTES, "%.*s%s", (int)(strcspn(word, ":") + (strchr(word, ':') != NULL)), word,
		 (const char *)base + o->second);
}

int value_check_name(const char *text, size_t max_chars, char *reason)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-");
	const char *what = "not a name";

	if (len > 0 && text[len] == '\0' && len <= max_chars)
		return 0;
	if (text[0] == '\0')
		what = "a name is missing";
	else if (len > max_chars)
		what = "too long";
	return value_refuse(reason, "%s; use 1 to %zu of a-z, 0-9, _ and -", what, max_chars);
}

static int parse_name(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	int err = value_check_name(text, o->bytes - 1, reason);

	(void)hosts;
	if (err)
		return err;
	memset((char *)base + o->offset, 0, o->bytes);
	memcpy((char *)base + o->offset, text, strlen(text));
	return 0;
}

static void format_name(const struct option *o, const void *base, char *text)
{
	snprintf(text, VALUE_BYTES, "%s", (const char *)base + o->offset);
}

bool stages_split(const char *text, char piece[N_STAGES][STAGE_BYTES])
{
	int n = 0;

	for (bool more = true; more; text++) {
		size_t start = strspn(text, " \t"), len = strcspn(text, ","), end = len;

		start = start < len ? start : len;
		while (end > start && isblank((unsigned char)text[end - 1]))
			end--;
		if (n == N_STAGES || end - start >= STAGE_BYTES)
			return false;
		snprintf(piece[n++], STAGE_BYTES, "%.*s", (int)(end - start), text + start);
		text += len;
		more = *text != '\0';
	}
	for (int i = 1; n == 1 && i < N_STAGES; i++)
		memcpy(piece[i], piece[0], STAGE_BYTES);
	return n == 1 || n == N_STAGES;
}

void stages_join(char piece[N_STAGES][STAGE_BYTES], char *text)
{
	if (strcmp(piece[0], piece[1]) == 0 && strcmp(piece[0], piece[2]) == 0)
		snprintf(text, VALUE_BYTES, "%s", piece[0]);
	else
		snprintf(text, VALUE_BYTES, "%s,%s,%s", piece[0], piece[1], piece[2]);
}

static int refuse_cpus(const struct option *o, const char *text, char *reason)
{
	return value_refuse(reason,
			    "%s; use auto, none, one CPU for all, or three with commas (ingress,edf,egress), from 0 "
			    "to %" PRIu64 " (for example 0,1,1)",
			    text[0] ? "not a choice of CPUs" : "a value is missing", o->max);
}

static int parse_cpus(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	char piece[N_STAGES][STAGE_BYTES];
	int32_t cpu[N_STAGES];

	(void)hosts;
	if (!stages_split(text, piece))
		return refuse_cpus(o, text, reason);
	for (int i = 0; i < N_STAGES; i++) {
		uint64_t number = 0;
		const char *end = "";

		if (strcmp(text, "auto") == 0)
			cpu[i] = -2;
		else if (strcmp(text, "none") == 0)
			cpu[i] = -1;
		else if (strlen(piece[i]) > 4 || decimal_whole(piece[i], o->max, &number, &end) || *end)
			return refuse_cpus(o, text, reason);
		else
			cpu[i] = (int32_t)number;
	}
	memcpy((char *)base + o->offset, cpu, sizeof(cpu));
	return 0;
}

static void format_cpus(const struct option *o, const void *base, char *text)
{
	const int32_t *cpu = (const int32_t *)((const char *)base + o->offset);
	char piece[N_STAGES][STAGE_BYTES];

	for (int i = 0; i < N_STAGES; i++)
		if (cpu[i] < 0)
			snprintf(piece[i], STAGE_BYTES, "%s", cpu[i] == -1 ? "none" : "auto");
		else
			snprintf(piece[i], STAGE_BYTES, "%" PRId32, cpu[i]);
	stages_join(piece, text);
}

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-"

/* Words of which check() says what is wrong with one, or NULL. */
static int parse_words(const struct option *o, void *base, const char *text, char *reason,
		       const char *(*check)(const char *word, size_t len))
{
	char list[VALUE_BYTES] = "";
	size_t used = 0;
	uint64_t n = 0;

	for (text += strspn(text, " \t"); *text; text += strspn(text, " \t")) {
		size_t len = strcspn(text, " \t");

		if (check(text, len))
			return value_refuse(reason, "\"%.*s\" is %s", len < 80 ? (int)len : 80, text, check(text, len));
		if (n++ == o->max)
			return value_refuse(reason, "more than %" PRIu64 " names", o->max);
		if (used + len + 2 > o->bytes)
			return value_refuse(reason, "longer than %zu characters in all", o->bytes - 1);
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%.*s", used ? " " : "", (int)len, text);
		text += len;
	}
	if (n == 0)
		return value_refuse(reason, "a value is missing; use names, with a blank between two");
	memset((char *)base + o->offset, 0, o->bytes);
	memcpy((char *)base + o->offset, list, used);
	return 0;
}

static const char *check_host(const char *word, size_t len)
{
	return strspn(word, NAME_LETTERS) < len ? "no host name; use letters, digits, . and -" : NULL;
}

static int parse_names(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	(void)hosts;
	return parse_words(o, base, text, reason, check_host);
}

/* No relative one: it is read by processes that begin in different places. */
static int parse_file(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	(void)hosts;
	if (text[0] != '/')
		return value_refuse(reason, "%s; use the whole name of a file, from / on",
				    text[0] ? "not from the root" : "a value is missing");
	if (strlen(text) >= o->bytes)
		return value_refuse(reason, "longer than %zu characters", o->bytes - 1);
	memset((char *)base + o->offset, 0, o->bytes);
	memcpy((char *)base + o->offset, text, strlen(text));
	return 0;
}

static const char *check_call(const char *word, size_t len)
{
	return call_number(word, len) < 0 ? "no system call of this machine; syscalls(2) lists them" : NULL;
}

static int parse_calls(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	(void)hosts;
	if (strcmp(text, "none") != 0)
		return parse_words(o, base, text, reason, check_call);
	memset((char *)base + o->offset, 0, o->bytes);
	return 0;
}

static void format_calls(const struct option *o, const void *base, char *text)
{
	const char *names = (const char *)base + o->offset;

	snprintf(text, VALUE_BYTES, "%s", names[0] ? names : "none");
}

static int parse_match(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	struct match *m = (struct match *)((char *)base + o->offset);

	(void)hosts;
	return match_parse(m, text, reason);
}

static void format_match(const struct option *o, const void *base, char *text)
{
	match_format((const struct match *)((const char *)base + o->offset), text);
}

static int parse_ports(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	uint64_t first = 0, last = 0;
	const char *end = text;
	uint32_t ports[2];

	(void)hosts;
	if (strcmp(text, "any") != 0) {
		if (decimal_whole(text, o->max, &first, &end) || *end != '-' ||
		    decimal_whole(end + 1, o->max, &last, &end) || *end || first < o->min || last < first)
			return value_refuse(reason,
					    "%s; use any, or the first and the last port (for example 40000-49999)",
					    text[0] ? "not a range of ports" : "a value is missing");
	}
	ports[0] = (uint32_t)first;
	ports[1] = (uint32_t)last;
	memcpy((char *)base + o->offset, &ports[0], sizeof(ports[0]));
	memcpy((char *)base + o->second, &ports[1], sizeof(ports[1]));
	return 0;
}

static void format_ports(const struct option *o, const void *base, char *text)
{
	uint32_t first, last;

	memcpy(&first, (const char *)base + o->offset, sizeof(first));
	memcpy(&last, (const char *)base + o->second, sizeof(last));
	if (first)
		snprintf(text, VALUE_BYTES, "%" PRIu32 "-%" PRIu32, first, last);
	else
		snprintf(text, VALUE_BYTES, "any");
}

static int parse_bits(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	const char *end = text;
	uint64_t v4 = 0, v6 = 0;
	uint32_t bits[2];

	(void)hosts;
	if (decimal_whole(text, 32, &v4, &end) || !isblank((unsigned char)*end) ||
	    decimal_whole(end + strspn(end, " \t"), 128, &v6, &end) || *end || v4 < o->min || v6 < o->min)
		return value_refuse(reason,
				    "%s; use two numbers: bits of IPv4, 1 to 32, and of IPv6, 1 to 128 (for example 32 "
				    "64)",
				    text[0] ? "no such lengths" : "a value is missing");
	bits[0] = (uint32_t)v4;
	bits[1] = (uint32_t)v6;
	memcpy((char *)base + o->offset, bits, sizeof(bits));
	return 0;
}

static void format_bits(const struct option *o, const void *base, char *text)
{
	uint32_t bits[2];

	memcpy(bits, (const char *)base + o->offset, sizeof(bits));
	snprintf(text, VALUE_BYTES, "%" PRIu32 " %" PRIu32, bits[0], bits[1]);
}

const struct kind kind_bits = { .parse = parse_bits, .format = format_bits };
const struct kind kind_ports = { .parse = parse_ports, .format = format_ports };
const struct kind kind_match = { .parse = parse_match, .format = format_match };
const struct kind kind_choice = { .parse = parse_choice, .format = format_choice, .print_range = print_words };
const struct kind kind_work = { .parse = parse_work, .format = format_work, .print_range = print_words };
const struct kind kind_name = { .parse = parse_name, .format = format_name };
const struct kind kind_file = { .parse = parse_file, .format = format_name };
const struct kind kind_names = { .parse = parse_names, .format = format_name };
const struct kind kind_calls = { .parse = parse_calls, .format = format_calls };
const struct kind kind_cpus = { .parse = parse_cpus, .format = format_cpus };
