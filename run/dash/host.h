/*
 * host.h - by which names the web server may be asked, so that no foreign page can read along (DNS rebinding).
 *
 * Rules:   a page of evil.example that has its own name point to our address makes the visitor's browser ask us, but
 *          the browser still says "Host: evil.example". So each host that a request names must be an address of this
 *          machine, of loopback or an allowed name. A request that names none is let through only as HTTP/1.0: a
 *          browser never sends one, health checks of proxies do.
 */
#ifndef ONTIME_DASH_HOST_H
#define ONTIME_DASH_HOST_H

#include <microhttpd.h>
#include <stdint.h>

/* The target of a request: parts of its request line and headers. */
struct target {
	const char *path; /* from the first '/' on */
	const char *authority; /* of an absolute URI, http://AUTHORITY/path; NULL: it was none */
	size_t authority_len;
};

/* target_of - of the URL as the client wrote it. */
struct target target_of(const char *url);

/* target_is_ours - may it be asked so? version: "HTTP/1.0", ...; allowed: names beside the addresses. */
int target_is_ours(const struct target *t, struct MHD_Connection *c, const char *version, const char *const *allowed,
		   uint32_t n_allowed);

#endif
