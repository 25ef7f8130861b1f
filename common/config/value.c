/* value.c - one option's value: from text with a unit to a number in range, and back. */
#include "value.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "clock.h"

static_assert(sizeof(enum policy) == sizeof(uint32_t), "choices are stored as uint32_t");

/* A kind of quantity. The largest unit that divides a number prints it, so units rise. */
struct kind {
	struct unit {
		const char *name;
		uint64_t scale;
	} units[6];
	const char *list; /* for messages; `h` is accepted because limits are printed with it */
	const char *example;
};

static const struct kind times = {
	{ { "ns", 1 }, { "us", NS_PER_US }, { "ms", NS_PER_MS }, { "s", NS_PER_S }, { "h", 3600 * NS_PER_S } },
	"ns, us, ms or s",
	"1ms"
};
static const struct kind sizes = { { { "B", 1 }, { "kB", 1000 }, { "KiB", 1024 }, { "MiB", 1024 * 1024 } },
				   "B, kB, KiB or MiB",
				   "64KiB" };
static const struct kind rates = { { { "bit", 1 }, { "kbit", 1000 }, { "Mbit", 1000000 }, { "Gbit", 1000000000 } },
				   "bit, kbit, Mbit or Gbit (per second)",
				   "50Mbit" };
static const struct kind percents = { { { "%", 1 } }, "a percentage", "30%" };
static const struct kind counts = { { { "", 1 } }, "a whole number", "1" };

static const struct kind *kind_of(enum value_type type)
{
	switch (type) {
	case VALUE_SIZE:
		return &sizes;
	case VALUE_RATE:
		return &rates;
	case VALUE_COUNT:
		return &counts;
	case VALUE_PERCENT:
		return &percents;
	default:
		return &times;
	}
}

/* because - write the reason; returns -EINVAL, so that a refusal is one statement. */
__attribute__((format(printf, 2, 3))) static int because(char *reason, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, REASON_BYTES, format, args);
	va_end(args);
	return -EINVAL;
}

/* format_quantity - `1536B`, `10us`; zero takes the unit of the field. */
static const char *format_quantity(const struct option *o, uint64_t value, char text[32])
{
	const struct unit *unit = kind_of(o->type)->units;
	const struct unit *best = unit;

	for (; unit->name; unit++)
		if (value ? value % unit->scale == 0 : unit->scale <= o->step)
			best = unit;
	snprintf(text, 32, "%" PRIu64 "%s", value / best->scale, best->name);
	return text;
}

/* refuse_quantity - what is wrong, followed by what the option accepts. */
static int refuse_quantity(const struct option *o, char *reason, const char *what)
{
	const struct kind *kind = kind_of(o->type);
	bool usable = o->standard && isdigit((unsigned char)o->standard[0]);
	char min[32], max[32];

	return because(reason, "%s; use %s, from %s to %s (for example %s)", what, kind->list,
		       format_quantity(o, o->min, min), format_quantity(o, o->max, max),
		       usable ? o->standard : kind->example);
}

/* refuse_unit - the digits were fine, what follows them (`rest`) is no unit. */
static int refuse_unit(const struct option *o, const char *rest, char *reason)
{
	char what[64];

	if (rest[0] == '\0')
		return refuse_quantity(o, reason, "a unit is missing");
	if (o->type == VALUE_COUNT || rest[0] == '.')
		return refuse_quantity(o, reason, "not a whole number");
	snprintf(what, sizeof(what), "unknown unit \"%.20s\"", rest);
	return refuse_quantity(o, reason, what);
}

/* parse_quantity - "64KiB" to 65536, checked against the option's limits. */
static int parse_quantity(const struct option *o, const char *text, uint64_t *out, char *reason)
{
	const struct unit *unit = kind_of(o->type)->units;
	bool overflow = false;
	uint64_t value = 0;
	char what[64];

	if (text[0] == '\0')
		return refuse_quantity(o, reason, "a value is missing");
	if (text[0] == '-')
		return refuse_quantity(o, reason, "a negative number");
	if (!isdigit((unsigned char)text[0])) {
		snprintf(what, sizeof(what), "neither a number nor \"%s\"", o->words ? o->words : "");
		return refuse_quantity(o, reason, o->words ? what : "not a number");
	}
	for (; isdigit((unsigned char)*text); text++) {
		overflow |= __builtin_mul_overflow(value, 10U, &value);
		overflow |= __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value);
	}
	while (unit->name && strcmp(unit->name, text) != 0)
		unit++;
	if (!unit->name)
		return refuse_unit(o, text, reason);
	overflow |= __builtin_mul_overflow(value, unit->scale, &value);
	if (overflow || value > o->max)
		return refuse_quantity(o, reason, "too large");
	if (value < o->min)
		return refuse_quantity(o, reason, "too small");
	if (value % o->step != 0)
		return refuse_quantity(o, reason, o->step == NS_PER_MS ? "not whole ms" : "not whole us");
	*out = value;
	return 0;
}

static void write_number(const struct option *o, void *base, uint64_t value)
{
	uint32_t narrow = (uint32_t)value;

	assert(o->bytes == sizeof(value) || (o->bytes == sizeof(narrow) && narrow == value));
	memcpy((char *)base + o->offset, o->bytes == sizeof(value) ? (void *)&value : (void *)&narrow, o->bytes);
}

static uint64_t read_number(const struct option *o, const void *base)
{
	uint64_t value = 0;
	uint32_t narrow = 0;

	if (o->bytes == sizeof(value)) {
		memcpy(&value, (const char *)base + o->offset, sizeof(value));
		return value;
	}
	memcpy(&narrow, (const char *)base + o->offset, sizeof(narrow));
	return narrow;
}

static int parse_number(const struct option *o, void *base, const char *text, char *reason)
{
	uint64_t value = 0;
	int err = 0;

	if (!o->words || strcmp(text, o->words) != 0)
		err = parse_quantity(o, text, &value, reason);
	if (!err)
		write_number(o, base, value / o->step);
	return err;
}

/* find_word - the index of text in "a|b|c", or -1. */
static int find_word(const char *words, const char *text)
{
	size_t len = strlen(text);

	for (int i = 0;; i++) {
		size_t word_len = strcspn(words, "|");

		if (word_len == len && strncmp(words, text, len) == 0)
			return i;
		if (words[word_len] == '\0')
			return -1;
		words += word_len + 1;
	}
}

static int parse_choice(const struct option *o, void *base, const char *text, char *reason)
{
	int at = find_word(o->words, text);
	char list[64]; /* "a|b|c" as "a, b or c" */
	size_t n = 0;

	if (at >= 0) {
		write_number(o, base, (uint64_t)at);
		return 0;
	}
	for (const char *c = o->words; *c && n + 5 < sizeof(list); c++) {
		const char *between = *c != '|' ? NULL : strchr(c + 1, '|') ? ", " : " or ";

		if (!between)
			list[n++] = *c;
		for (; between && *between; between++)
			list[n++] = *between;
	}
	list[n] = '\0';
	return because(reason, "%s; use %s", text[0] ? "unknown choice" : "a value is missing", list);
}

int value_check_name(const char *text, size_t max_chars, char *reason)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-");

	if (len == 0 || text[len] != '\0' || len > max_chars)
		return because(reason, "%s; use 1 to %zu of a-z, 0-9, _ and -",
			       text[0] == '\0'	 ? "a name is missing"
			       : len > max_chars ? "too long"
						 : "not a name",
			       max_chars);
	return 0;
}

static int parse_name(const struct option *o, void *base, const char *text, char *reason)
{
	int err = value_check_name(text, o->bytes - 1, reason);

	if (err)
		return err;
	memset((char *)base + o->offset, 0, o->bytes);
	memcpy((char *)base + o->offset, text, strlen(text));
	return 0;
}

static int parse_work(struct config *c, const char *text, char *reason)
{
	static const char prefix[] = "plugin:";
	const char *plugin = "";
	enum work_kind work = WORK_NONE;

	if (strncmp(text, prefix, sizeof(prefix) - 1) == 0) {
		work = WORK_PLUGIN;
		plugin = text + sizeof(prefix) - 1;
		if (plugin[0] == '\0')
			return because(reason, "the plugin's file is missing; use plugin:FILE.so");
		if (strlen(plugin) >= sizeof(c->plugin))
			return because(reason, "the plugin's path is longer than %zu bytes", sizeof(c->plugin) - 1);
	} else if (strcmp(text, "simulate") == 0) {
		work = WORK_SIMULATE;
	} else if (strcmp(text, "none") != 0) {
		return because(reason, "%s; use none, simulate or plugin:FILE.so",
			       text[0] ? "unknown choice" : "a value is missing");
	}
	c->work = work;
	memset(c->plugin, 0, sizeof(c->plugin));
	memcpy(c->plugin, plugin, strlen(plugin));
	return 0;
}

/*
 * split_stages - "a" or "a,b,c" into one piece per stage, blanks around commas removed; returns
 * false if there are not one or three pieces or a piece is too long to be a value.
 */
static bool split_stages(const char *text, char piece[N_STAGES][32])
{
	int n = 0;

	for (;; text++) {
		size_t len = strcspn(text, ","), start = strspn(text, " \t");
		const char *end = text + len;

		start = start < len ? start : len;
		while (len > start && isblank((unsigned char)text[len - 1]))
			len--;
		if (n == N_STAGES || len - start >= sizeof(piece[0]))
			return false;
		snprintf(piece[n++], sizeof(piece[0]), "%.*s", (int)(len - start), text + start);
		text = end;
		if (*text == '\0')
			break;
	}
	for (int i = 1; n == 1 && i < N_STAGES; i++)
		memcpy(piece[i], piece[0], sizeof(piece[0]));
	return n == 1 || n == N_STAGES;
}

static int parse_spin(const struct option *o, struct config *c, const char *text, char *reason)
{
	char piece[N_STAGES][32];
	uint64_t spin[N_STAGES];

	if (!split_stages(text, piece))
		return refuse_quantity(o, reason, "not one time, nor three with commas (ingress,edf,egress)");
	for (int i = 0; i < N_STAGES; i++) {
		int err = parse_quantity(o, piece[i], &spin[i], reason);

		if (err)
			return err;
	}
	for (int i = 0; i < N_STAGES; i++)
		c->spin_us[i] = (uint32_t)(spin[i] / o->step);
	return 0;
}

static int parse_cpus(const struct option *o, struct config *c, const char *text, char *reason)
{
	char piece[N_STAGES][32];
	int32_t cpu[N_STAGES];

	if (!split_stages(text, piece))
		goto refuse;
	for (int i = 0; i < N_STAGES; i++) {
		size_t len = strspn(piece[i], "0123456789");

		if (strcmp(text, "auto") == 0)
			cpu[i] = -2;
		else if (strcmp(text, "none") == 0)
			cpu[i] = -1;
		else if (len == 0 || len > 4 || piece[i][len] != '\0' || strtoull(piece[i], NULL, 10) > o->max)
			goto refuse;
		else
			cpu[i] = (int32_t)strtol(piece[i], NULL, 10);
	}
	memcpy(c->cpu, cpu, sizeof(cpu));
	return 0;
refuse:
	return because(reason,
		       "%s; use auto, none, one CPU for all, or three with commas "
		       "(ingress,edf,egress), from 0 to %" PRIu64 " (for example 0,1,1)",
		       text[0] ? "not a choice of CPUs" : "a value is missing", o->max);
}

/* Why nothing could be received at this address, and what to do; NULL: it is fine. */
static const char *refuse_listen(const struct address *a)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	memcpy(&v4, &a->at, sizeof(v4));
	memcpy(&v6, &a->at, sizeof(v6));
	if (a->at.ss_family == AF_INET ? IN_MULTICAST(ntohl(v4.sin_addr.s_addr)) : IN6_IS_ADDR_MULTICAST(&v6.sin6_addr))
		return "multicast groups are not joined by this version; use an address of this machine";
	return NULL;
}

/* Why nothing can be sent to this address, and what to do; NULL: it is fine. */
static const char *refuse_send(const struct address *a)
{
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	memcpy(&v4, &a->at, sizeof(v4));
	memcpy(&v6, &a->at, sizeof(v6));
	if (a->at.ss_family == AF_INET ? v4.sin_addr.s_addr == INADDR_ANY : IN6_IS_ADDR_UNSPECIFIED(&v6.sin6_addr))
		return "stands for any address, which is none to send to; name the receiver's";
	if (a->at.ss_family == AF_INET && v4.sin_addr.s_addr == INADDR_BROADCAST)
		return "broadcasts are not sent; name each receiver's address, or a multicast group";
	return NULL;
}

/* What is wrong with an address whether it receives or sends. `text` is how it was written. */
static const char *refuse_form(const struct address *a, const char *text, size_t len)
{
	struct sockaddr_in6 v6;
	uint8_t scope;

	memcpy(&v6, &a->at, sizeof(v6));
	if (a->at.ss_family != AF_INET6)
		return NULL;
	if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr))
		return "is an IPv4 address in IPv6 form; write it as IPv4 (for example 127.0.0.1:8080)";
	scope = v6.sin6_addr.s6_addr[1] & 0xf; /* of a group: 1, this interface; 2, this link */
	if (!IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr) && !(IN6_IS_ADDR_MULTICAST(&v6.sin6_addr) && scope <= 2))
		return NULL;
	return memchr(text, '%', len) ? NULL
				      : "is on each link another; add %INTERFACE (for example [fe80::1%eth0]:8080)";
}

static int parse_addresses(const struct option *o, const char *text, struct address *list, uint32_t max,
			   uint32_t *n_list, char *reason)
{
	static const char use[] = "use ADDRESS:PORT, several with blanks between "
				  "(for example 127.0.0.1:8080 [::1]:8080)";
	struct address found[MAX_DESTS];
	uint32_t n = 0;

	for (text += strspn(text, " \t"); *text; text += strspn(text, " \t")) {
		size_t len = strcspn(text, " \t");
		const char *wrong;

		if (n == max)
			return because(reason, "more than %" PRIu32 " addresses", max);
		if (!address_parse(text, len, &found[n]))
			return because(reason, "\"%.*s\" is not a numeric address and a port from 1 to 65535; %s",
				       len < 80 ? (int)len : 80, text, use);
		wrong = refuse_form(&found[n], text, len);
		if (!wrong)
			wrong = o->type == VALUE_LISTEN ? refuse_listen(&found[n]) : refuse_send(&found[n]);
		if (wrong)
			return because(reason, "\"%.*s\": %s", len < 80 ? (int)len : 80, text, wrong);
		n++;
		text += len;
	}
	if (n == 0)
		return because(reason, "a value is missing; %s", use);
	memset(list, 0, max * sizeof(*list));
	memcpy(list, found, n * sizeof(*list));
	*n_list = n;
	return 0;
}

int value_parse(const struct option *o, void *base, const char *text, char *reason)
{
	struct class_config *class = base;

	switch (o->type) {
	case VALUE_TIME:
	case VALUE_SIZE:
	case VALUE_RATE:
	case VALUE_COUNT:
	case VALUE_PERCENT:
		return parse_number(o, base, text, reason);
	case VALUE_SPIN:
		return parse_spin(o, base, text, reason);
	case VALUE_CHOICE:
		return parse_choice(o, base, text, reason);
	case VALUE_NAME:
		return parse_name(o, base, text, reason);
	case VALUE_WORK:
		return parse_work(base, text, reason);
	case VALUE_CPUS:
		return parse_cpus(o, base, text, reason);
	case VALUE_LISTEN:
		return parse_addresses(o, text, class->listen, MAX_LISTEN, &class->n_listen, reason);
	case VALUE_SEND:
		return parse_addresses(o, text, class->dests, MAX_DESTS, &class->n_dests, reason);
	}
	return because(reason, "unknown type of value");
}

static void format_addresses(const struct address *list, uint32_t n_list, char *text)
{
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < n_list; i++) {
		char one[ADDRESS_BYTES];

		len += (size_t)snprintf(text + len, VALUE_BYTES - len, "%s%s", i ? " " : "",
					address_format(&list[i], one));
	}
}

static void format_spin(const struct option *o, const struct config *c, char *text)
{
	char one[N_STAGES][32];

	for (int i = 0; i < N_STAGES; i++)
		format_quantity(o, c->spin_us[i] * o->step, one[i]);
	if (c->spin_us[1] == c->spin_us[0] && c->spin_us[2] == c->spin_us[0])
		snprintf(text, VALUE_BYTES, "%s", one[0]);
	else
		snprintf(text, VALUE_BYTES, "%s,%s,%s", one[0], one[1], one[2]);
}

static void format_cpus(const struct config *c, char *text)
{
	const int32_t *cpu = c->cpu;

	if (cpu[0] < 0)
		snprintf(text, VALUE_BYTES, "%s", cpu[0] == -1 ? "none" : "auto");
	else if (cpu[1] == cpu[0] && cpu[2] == cpu[0])
		snprintf(text, VALUE_BYTES, "%" PRId32, cpu[0]);
	else
		snprintf(text, VALUE_BYTES, "%" PRId32 ",%" PRId32 ",%" PRId32, cpu[0], cpu[1], cpu[2]);
}

static void format_choice(const struct option *o, uint64_t at, char *text)
{
	const char *word = o->words;

	for (; at > 0 && strchr(word, '|'); at--)
		word = strchr(word, '|') + 1;
	snprintf(text, VALUE_BYTES, "%.*s", (int)strcspn(word, "|"), word);
}

static void format_number(const struct option *o, uint64_t value, char *text)
{
	if (value == 0 && o->words)
		snprintf(text, VALUE_BYTES, "%s", o->words);
	else
		format_quantity(o, value * o->step, text);
}

const char *value_format(const struct option *o, const void *base, char *text)
{
	const struct class_config *class = base;
	const struct config *c = base;

	switch (o->type) {
	case VALUE_TIME:
	case VALUE_SIZE:
	case VALUE_RATE:
	case VALUE_COUNT:
	case VALUE_PERCENT:
		format_number(o, read_number(o, base), text);
		break;
	case VALUE_SPIN:
		format_spin(o, c, text);
		break;
	case VALUE_CHOICE:
		format_choice(o, read_number(o, base), text);
		break;
	case VALUE_NAME:
		snprintf(text, VALUE_BYTES, "%s", (const char *)base + o->offset);
		break;
	case VALUE_WORK:
		snprintf(text, VALUE_BYTES, "%s%s",
			 c->work == WORK_PLUGIN	    ? "plugin:"
			 : c->work == WORK_SIMULATE ? "simulate"
						    : "none",
			 c->plugin);
		break;
	case VALUE_CPUS:
		format_cpus(c, text);
		break;
	case VALUE_LISTEN:
		format_addresses(class->listen, class->n_listen, text);
		break;
	case VALUE_SEND:
		format_addresses(class->dests, class->n_dests, text);
		break;
	}
	return text;
}

const char *value_format_range(const struct option *o, char *text)
{
	char min[32], max[32];

	switch (o->type) {
	case VALUE_CHOICE:
	case VALUE_WORK:
	case VALUE_CPUS:
	case VALUE_NAME:
	case VALUE_LISTEN:
	case VALUE_SEND:
		snprintf(text, VALUE_BYTES, "%s", o->words);
		break;
	default:
		snprintf(text, VALUE_BYTES, "%s%s%s..%s", o->words ? o->words : "", o->words ? "|" : "",
			 format_quantity(o, o->min, min), format_quantity(o, o->max, max));
	}
	return text;
}
