/* hosts.c - what the host names of a configuration stand for. */
#include "hosts.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <strings.h>

#define LABEL_CHARS 63

/*
 * Labels of letters, digits, - and _ between points (RFC 1123); the last one is no number, or it would be a short
 * address.
 */
static bool is_name(const char *text, size_t len)
{
	size_t label = 0; /* characters in it */
	bool is_number = true;

	if (len == 0 || len >= HOST_BYTES)
		return false;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if ((label == 0 || i + 1 == len || text[i + 1] == '.') && !isalnum((unsigned char)c) && c != '_')
			return false;
		if (!isalnum((unsigned char)c) && c != '_' && c != '-' && c != '.')
			return false;
		is_number = label == 0 ? isdigit((unsigned char)c) : is_number && isdigit((unsigned char)c);
		label = c == '.' ? 0 : label + 1;
		if (label > LABEL_CHARS)
			return false;
	}
	return !is_number;
}

/* The length of the name before ":PORT"; 0: it is not of that form. */
static size_t name_len(const char *whole, size_t len)
{
	size_t n = len;

	while (n > 0 && isdigit((unsigned char)whole[n - 1]))
		n--;
	return n > 1 && n < len && whole[n - 1] == ':' && is_name(whole, n - 1) ? n - 1 : 0;
}

bool hosts_is_name(const char *whole, size_t len)
{
	return name_len(whole, len) > 0;
}

/* A numeric address, and a port as text behind a colon. */
static bool join(const char *at, const char *port, size_t port_len, struct address *a)
{
	char text[NUMERIC_BYTES + 16];
	bool v6 = strchr(at, ':') != NULL;

	snprintf(text, sizeof(text), "%s%s%s%.*s", v6 ? "[" : "", at, v6 ? "]" : "", port_len < 8 ? (int)port_len : 8,
		 port);
	return address_parse(text, strlen(text), a);
}

static struct host *find(struct hosts *hosts, const char *name, size_t len)
{
	for (uint32_t i = 0; i < hosts->n; i++)
		if (strncasecmp(hosts->all[i].name, name, len) == 0 && hosts->all[i].name[len] == '\0')
			return &hosts->all[i];
	return NULL;
}

/* A new entry, not counted yet; NULL: there are as many names as there can be addresses. */
static struct host *next(struct hosts *hosts, const char *name, size_t len)
{
	struct host *h = &hosts->all[hosts->n];

	if (hosts->n == MAX_HOSTS)
		return NULL;
	*h = (struct host){ 0 };
	memcpy(h->name, name, len);
	return h;
}

int hosts_add(struct hosts *hosts, const char *name, const char *at, char why[HOSTS_WHY_BYTES])
{
	struct host *h = NULL;
	struct address a;

	if (!is_name(name, strlen(name)))
		snprintf(why, HOSTS_WHY_BYTES, "not a host name");
	else if (find(hosts, name, strlen(name)))
		snprintf(why, HOSTS_WHY_BYTES, "given twice");
	else if (strlen(at) >= NUMERIC_BYTES || !join(at, ":1", 2, &a))
		snprintf(why, HOSTS_WHY_BYTES, "not a numeric address; use one without a port (for example 192.0.2.7)");
	else if (!(h = next(hosts, name, strlen(name))))
		snprintf(why, HOSTS_WHY_BYTES, "more than %d names", MAX_HOSTS);
	if (!h)
		return -EINVAL;
	memcpy(h->at, at, strlen(at));
	hosts->n++;
	return 0;
}

int hosts_ask_resolver(struct host *h, char why[HOSTS_WHY_BYTES])
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM }, *all = NULL;
	int answer = getaddrinfo(h->name, NULL, &hints, &all), number = errno;
	bool exists = answer != EAI_NONAME && answer != EAI_NODATA && answer != EAI_ADDRFAMILY;

	if (!answer)
		answer = getnameinfo(all->ai_addr, all->ai_addrlen, h->at, sizeof(h->at), NULL, 0, NI_NUMERICHOST);
	for (struct addrinfo *at = all; at; at = at->ai_next)
		h->n_addresses++;
	if (all)
		freeaddrinfo(all);
	if (!answer)
		return 0;
	if (!exists)
		snprintf(why, HOSTS_WHY_BYTES, "there is no such host (%s); correct the name, or use an address",
			 gai_strerror(answer));
	else
		snprintf(why, HOSTS_WHY_BYTES, "cannot be resolved now (%s); try again, or use an address",
			 answer == EAI_SYSTEM ? strerror(number) : gai_strerror(answer));
	return exists ? -EAGAIN : -EINVAL;
}

/* A name that was not looked up before. */
static struct host *ask(struct hosts *hosts, const char *name, size_t len, int *err, char why[HOSTS_WHY_BYTES])
{
	struct host *h = next(hosts, name, len);

	*err = 0;
	if (!h) {
		snprintf(why, HOSTS_WHY_BYTES, "more than %d names", MAX_HOSTS);
		*err = -EINVAL;
	} else if (hosts->ask) {
		*err = hosts->ask(h, why);
	} else {
		hosts->n_unknown++;
	}
	if (*err)
		return NULL;
	hosts->n++;
	return h;
}

int hosts_parse(struct hosts *hosts, const char *whole, size_t len, struct address *a, char why[HOSTS_WHY_BYTES])
{
	size_t n = name_len(whole, len);
	struct host *h;
	int err = 0;

	why[0] = '\0';
	if (n == 0 || !join("0.0.0.0", whole + n, len - n, a))
		return -EINVAL;
	h = find(hosts, whole, n);
	if (!h)
		h = ask(hosts, whole, n, &err, why);
	if (!h)
		return err;
	if (h->at[0] == '\0')
		*a = (struct address){ 0 };
	else if (!join(h->at, whole + n, len - n, a))
		return -EINVAL;
	a->host = 1 + (uint32_t)(h - hosts->all);
	return 0;
}

void hosts_write(const struct hosts *hosts, FILE *out)
{
	if (hosts->n)
		fprintf(out, "\n[hosts] ; what the names above stood for at the launch, or the last reload\n");
	for (uint32_t i = 0; i < hosts->n; i++)
		if (hosts->all[i].at[0])
			fprintf(out, "%s = %s\n", hosts->all[i].name, hosts->all[i].at);
}
