/*
 * hosts.h - what the host names of a configuration stand for.
 *
 * Memory:  plain private memory; a name is looked up once per load, however often it is used.
 * Rules:   what listens and sends is resolved once, when an operator launches, checks or reloads. What was found is
 *          written as section [hosts] into the copy of the configuration that the stages read, so that all of them
 *          agree at any time.
 *          Of several addresses the first counts: getaddrinfo(3) sorts them by what this machine can reach (RFC 6724).
 */
#ifndef ONTIME_CONFIG_HOSTS_H
#define ONTIME_CONFIG_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "address.h"
#include "ids.h"

#define HOST_BYTES 128 /* of a name, with the final NUL */
#define NUMERIC_BYTES 56 /* "ipv6%scope" */
#define MAX_HOSTS (MAX_CLASSES * MAX_LISTEN + MAX_ALL_DESTS)
#define HOSTS_WHY_BYTES 160

struct host {
	char name[HOST_BYTES];
	char at[NUMERIC_BYTES]; /* its address, as text without a port; "": not known */
	uint32_t n_addresses; /* how many it has; 0: [hosts] gave this one */
};

/*
 * host_ask - find out about h->name. 0, or -EINVAL: there is no such name, or -EAGAIN: that cannot be said now; and
 * why.
 */
typedef int host_ask(struct host *h, char why[HOSTS_WHY_BYTES]);

struct hosts {
	host_ask *ask; /* NULL: nobody is asked, and an address given by a name that [hosts] has not is left unset */
	uint32_t n_unknown; /* how many were left unset */
	uint32_t n;
	struct host all[MAX_HOSTS];
};

/* hosts_ask_resolver - a host_ask that asks the system; it may take seconds. */
int hosts_ask_resolver(struct host *h, char why[HOSTS_WHY_BYTES]);

/* hosts_add - from a line of [hosts]. 0, or -EINVAL and why. */
int hosts_add(struct hosts *hosts, const char *name, const char *at, char why[HOSTS_WHY_BYTES]);

/*
 * hosts_parse - "sink.example:9000" of len bytes. 0, or -EINVAL or -EAGAIN as host_ask says; an empty `why`: that is no
 * name with a port.
 */
int hosts_parse(struct hosts *hosts, const char *whole, size_t len, struct address *a, char why[HOSTS_WHY_BYTES]);

/* hosts_is_name - whether len bytes are a host name with a port, whatever it stands for. */
bool hosts_is_name(const char *whole, size_t len);

/* hosts_write - section [hosts], for the end of a copy of the configuration; nothing when there is no name. */
void hosts_write(const struct hosts *hosts, FILE *out);

#endif
