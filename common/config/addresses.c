/* addresses.c - the kinds of values that are addresses: where to listen, where to send, whose datagrams. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "address.h"
#include "config.h"
#include "decimal.h"
#include "group.h"
#include "value.h"

/* What cannot be received at, or sent to, and what to do about it. */
static const struct {
	const struct kind *kind; /* NULL: both */
	uint32_t trait;
	const char *reason;
} unusable[] = {
	{ NULL, ADDRESS_IS_MAPPED, "is an IPv4 address in IPv6 form; write it as IPv4 (for example 127.0.0.1:8080)" },
	{ NULL, ADDRESS_LACKS_SCOPE, "is on each link another; add %INTERFACE (for example [fe80::1%eth0]:8080)" },
	{ &kind_listen, ADDRESS_LACKS_INTERFACE,
	  "is a group, which comes in by an interface: name it (for example 239.1.2.3%eth0:8080 or "
	  "[ff05::2%eth0]:8080)" },
	{ &kind_send, ADDRESS_IS_WILDCARD, "stands for any address, which is none to send to; name the receiver's" },
	{ &kind_from, ADDRESS_IS_GROUP | ADDRESS_IS_BROADCAST,
	  "stands for many, and a sender is one; name this machine's" },
};

/* NULL: it is fine. */
static const char *what_is_wrong(const struct option *o, const struct address *a)
{
	for (size_t i = 0; i < sizeof(unusable) / sizeof(unusable[0]); i++)
		if ((!unusable[i].kind || unusable[i].kind == o->kind) && address_traits(a) & unusable[i].trait)
			return unusable[i].reason;
	return NULL;
}

#define USE_ADDRESSES                                                                                                  \
	"use ADDRESS:PORT or NAME:PORT, several with blanks between "                                                  \
	"(for example 127.0.0.1:8080 [::1]:8080 sink.example:8080)"

/* "127.0.0.1:5000-5009" */
static int is_range(const char *text, size_t len)
{
	static const char digits[] = "0123456789";
	const char *end = text + len;
	size_t n = 0;

	while (n < len && strchr(digits, end[-1 - (long)n]))
		n++;
	if (n == 0 || n == len || end[-1 - (long)n] != '-')
		return 0;
	for (len -= n + 1, end = text + len, n = 0; n < len && strchr(digits, end[-1 - (long)n]);)
		n++;
	return n > 0 && n < len && end[-1 - (long)n] == ':';
}

static int parse_address(const struct option *o, const char *text, size_t len, struct address *a, struct hosts *hosts,
			 char *reason)
{
	int shown = len < 80 ? (int)len : 80;
	char why[HOSTS_WHY_BYTES], became[ADDRESS_BYTES];
	const char *wrong;

	if (!address_parse(text, len, a)) {
		int err = hosts_parse(hosts, text, len, a, why);

		if (err && is_range(text, len))
			return value_refuse(
				reason,
				"\"%.*s\" is a range of ports: name each, %d in a class at most, or have the "
				"kernel redirect them to one (nft: udp dport 5000-5009 redirect to :5000)",
				shown, text, o->kind == &kind_listen ? MAX_LISTEN : MAX_DESTS);
		if (err && why[0] == '\0')
			return value_refuse(
				reason,
				"\"%.*s\" is neither an address nor a host name with a port from 1 to 65535; %s", shown,
				text, USE_ADDRESSES);
		if (err) {
			value_refuse(reason, "\"%.*s\": %s", shown, text, why);
			return err;
		}
	}
	wrong = what_is_wrong(o, a);
	if (wrong && a->host)
		return value_refuse(reason, "\"%.*s\", %s: %s", shown, text, address_format(a, became), wrong);
	if (wrong)
		return value_refuse(reason, "\"%.*s\": %s", shown, text, wrong);
	return 0;
}

struct addresses {
	struct address found[MAX_DESTS];
	uint32_t n, max;
};

static int add_address(const struct option *o, const char *text, size_t len, struct addresses *list,
		       struct hosts *hosts, char *reason)
{
	if (list->n == list->max)
		return value_refuse(reason, "more than %" PRIu32 " addresses", list->max);
	return parse_address(o, text, len, &list->found[list->n++], hosts, reason);
}

/* "*:PORT": at every address of this machine, of both families; a kernel without IPv6 has those of one. */
static int add_everywhere(const struct option *o, const char *port, size_t len, struct addresses *list,
			  struct hosts *hosts, char *reason)
{
	static const char *const wildcards[] = { "0.0.0.0", "[::]" };
	int v6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0; /* a stage may open no file to find out */
	size_t n = v6 >= 0 || errno != EAFNOSUPPORT ? 2 : 1;
	char text[32];

	if (v6 >= 0)
		close(v6);

	for (size_t i = 0; i < n && !err; i++) {
		snprintf(text, sizeof(text), "%s%.*s", wildcards[i], (int)len, port);
		err = add_address(o, text, strlen(text), list, hosts, reason);
	}
	return err;
}

static int parse_addresses(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	struct addresses list = { .max = (uint32_t)(o->bytes / sizeof(list.found[0])) };

	for (text += strspn(text, " \t"); *text; text += strspn(text, " \t")) {
		size_t len = strcspn(text, " \t");
		int everywhere = o->kind == &kind_listen && text[0] == '*' && text[1] == ':' && len < 20;
		int err = everywhere ? add_everywhere(o, text + 1, len - 1, &list, hosts, reason)
				     : add_address(o, text, len, &list, hosts, reason);

		if (err)
			return err;
		text += len;
	}
	if (list.n == 0)
		return value_refuse(reason, "a value is missing; %s", USE_ADDRESSES);
	memcpy((char *)base + o->offset, list.found, o->bytes);
	memcpy((char *)base + o->second, &list.n, sizeof(list.n));
	return 0;
}

/* "ADDRESS:PORT*3": the weight, taken off the length; 0: it is none. */
static uint32_t parse_weight(const char *text, size_t *len)
{
	const char *star = memchr(text, '*', *len), *end;
	uint64_t weight = 0;

	if (!star || star == text)
		return 1;
	if (decimal_whole(star + 1, MOST_WEIGHT, &weight, &end) || end != text + *len)
		return 0;
	*len = (size_t)(star - text);
	return (uint32_t)weight;
}

struct destinations {
	struct addresses list;
	uint8_t weights[MAX_DESTS];
	char text[SEND_TEXT_BYTES];
	size_t text_len, text_bytes;
};

static int add_destination(const struct option *o, const char *text, size_t len, struct destinations *d,
			   struct hosts *hosts, char *reason)
{
	size_t whole = len;
	uint32_t weight = parse_weight(text, &len);
	int err;

	if (weight == 0)
		return value_refuse(reason, "\"%.*s\": the weight after * is a number from 1 to %d",
				    whole < 80 ? (int)whole : 80, text, MOST_WEIGHT);
	if (d->text_len + whole + 2 > d->text_bytes)
		return value_refuse(reason, "longer than %zu characters in all", d->text_bytes - 1);
	err = add_address(o, text, len, &d->list, hosts, reason);
	if (err)
		return err;
	d->weights[d->list.n - 1] = (uint8_t)weight;
	d->text_len += (size_t)snprintf(d->text + d->text_len, d->text_bytes - d->text_len, "%s%.*s",
					d->text_len ? " " : "", (int)whole, text);
	return 0;
}

/* Of `send` and of `backup`, which are a class's: addresses, weights, and how they were written. */
static int parse_destinations(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	struct class_config *c = base;
	int is_backup = o->offset == offsetof(struct class_config, backups);
	struct destinations d = { .list.max = (uint32_t)(o->bytes / sizeof(d.list.found[0])),
				  .text_bytes = is_backup ? BACKUP_TEXT_BYTES : SEND_TEXT_BYTES };

	for (text += strspn(text, " \t"); *text; text += strspn(text, " \t")) {
		size_t len = strcspn(text, " \t");
		int err = add_destination(o, text, len, &d, hosts, reason);

		if (err)
			return err;
		text += len;
	}
	if (d.list.n == 0)
		return value_refuse(reason, "a value is missing; %s", USE_ADDRESSES);
	memcpy((char *)base + o->offset, d.list.found, o->bytes);
	memcpy((char *)base + o->second, &d.list.n, sizeof(d.list.n));
	memcpy(is_backup ? c->backup_weights : c->weights, d.weights, d.list.n);
	memcpy(is_backup ? c->backup_text : c->send_text, d.text, d.text_bytes);
	return 0;
}

static void format_addresses(const struct option *o, const void *base, char *text)
{
	const struct address *list = (const struct address *)((const char *)base + o->offset);
	char one[ADDRESS_BYTES];
	size_t len = 0;
	uint32_t n;

	memcpy(&n, (const char *)base + o->second, sizeof(n));
	text[0] = '\0';
	for (uint32_t i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, VALUE_BYTES - len, "%s%s", i ? " " : "",
					address_format(&list[i], one));
}

/* As they were written where names are asked for again: these stay when addresses change. */
static void format_destinations(const struct option *o, const void *base, char *text)
{
	const struct class_config *c = base;
	int is_backup = o->offset == offsetof(struct class_config, backups);
	const struct address *list = is_backup ? c->backups : c->dests;
	const uint8_t *weights = is_backup ? c->backup_weights : c->weights;
	uint32_t n = is_backup ? c->n_backups : c->n_dests - c->n_joined;
	char one[ADDRESS_BYTES];
	size_t len = 0;

	text[0] = '\0';
	if (c->resolve_ns) {
		snprintf(text, VALUE_BYTES, "%s", is_backup ? c->backup_text : c->send_text);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		len += (size_t)snprintf(text + len, VALUE_BYTES - len, "%s%s", i ? " " : "",
					address_format(&list[i], one));
		if (weights[i] > 1)
			len += (size_t)snprintf(text + len, VALUE_BYTES - len, "*%u", weights[i]);
	}
}

/* Some of the destinations, by the text that they were given as: which there are is known when all is read. */
static int parse_drain(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	char found[BACKUP_TEXT_BYTES] = "";
	size_t used = 0;

	(void)hosts;
	for (text += strspn(text, " \t"); *text; text += strspn(text, " \t")) {
		size_t len = strcspn(text, " \t");
		struct address a;

		if (!address_parse(text, len, &a) && !hosts_is_name(text, len))
			return value_refuse(reason, "\"%.*s\" is no destination (for example 10.0.0.5:7777)",
					    len < 80 ? (int)len : 80, text);
		if (used + len + 2 > o->bytes)
			return value_refuse(reason, "longer than %zu characters in all", o->bytes - 1);
		used += (size_t)snprintf(found + used, sizeof(found) - used, "%s%.*s", used ? " " : "", (int)len, text);
		text += len;
	}
	if (used == 0)
		return value_refuse(reason, "a value is missing; name destinations of `send`, or remove the line");
	memcpy((char *)base + o->offset, found, o->bytes);
	return 0;
}

static void format_drain(const struct option *o, const void *base, char *text)
{
	snprintf(text, VALUE_BYTES, "%s", (const char *)base + o->offset);
}

/* Addresses without a port. */
static int parse_sources(const struct option *o, void *base, const char *text, struct hosts *hosts, char *reason)
{
	struct group_sources found = { 0 };

	(void)hosts;
	for (text += strspn(text, " \t"); *text; text += strspn(text, " \t")) {
		size_t len = strcspn(text, " \t");
		char with_port[ADDRESS_BYTES];
		struct address a;

		snprintf(with_port, sizeof(with_port), memchr(text, ':', len) ? "[%.*s]:1" : "%.*s:1",
			 len < 48 ? (int)len : 48, text);
		if (!address_parse(with_port, strlen(with_port), &a) ||
		    address_traits(&a) & (ADDRESS_IS_GROUP | ADDRESS_IS_WILDCARD | ADDRESS_IS_BROADCAST))
			return value_refuse(reason, "\"%.*s\" is no sender's address (for example 10.0.0.9)",
					    len < 80 ? (int)len : 80, text);
		if (found.n == MAX_GROUP_SOURCES)
			return value_refuse(reason, "more than %d addresses", MAX_GROUP_SOURCES);
		memset((uint8_t *)&a.at + offsetof(struct sockaddr_in, sin_port), 0, sizeof(in_port_t));
		found.at[found.n++] = a.at;
		text += len;
	}
	if (found.n == 0)
		return value_refuse(reason, "a value is missing; use addresses, with a blank between two");
	memcpy((char *)base + o->offset, &found, sizeof(found));
	return 0;
}

static void format_sources(const struct option *o, const void *base, char *text)
{
	const struct group_sources *s = (const struct group_sources *)((const char *)base + o->offset);
	size_t len = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < s->n; i++) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)&s->at[i];
		const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&s->at[i];
		char one[INET6_ADDRSTRLEN];

		inet_ntop(s->at[i].ss_family,
			  s->at[i].ss_family == AF_INET ? (const void *)&v4->sin_addr : (const void *)&v6->sin6_addr,
			  one, sizeof(one));
		len += (size_t)snprintf(text + len, VALUE_BYTES - len, "%s%s", i ? " " : "", one);
	}
}

const struct kind kind_sources = { .parse = parse_sources, .format = format_sources };
const struct kind kind_listen = { .parse = parse_addresses, .format = format_addresses };
const struct kind kind_send = { .parse = parse_destinations, .format = format_destinations };
const struct kind kind_drain = { .parse = parse_drain, .format = format_drain };
const struct kind kind_from = { .parse = parse_addresses, .format = format_addresses };
