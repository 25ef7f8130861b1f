/*
 * address.h - an IP address with a port: from text and back, and how two of them relate.
 *
 * Rules:   numeric only; what a name stands for is hosts.h's. No call here waits for anybody.
 *          A scope given by name (%eth0) stays a name: the interface may come later, go, and come back with another
 *          index.
 *          One given by index (%2) stays that index.
 */
#ifndef ONTIME_CONFIG_ADDRESS_H
#define ONTIME_CONFIG_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define ADDRESS_BYTES 64 /* "[ipv6%scope]:port" as text */
#define SCOPE_BYTES 16 /* an interface's name, with the final NUL (IFNAMSIZ) */

struct address {
	struct sockaddr_storage at; /* the index of a named scope is as of when it was read: see address_resolve() */
	socklen_t len; /* 0: unset */
	char scope[SCOPE_BYTES]; /* name of the interface after '%'; "": none, or an index, which is in `at` */
	uint32_t host; /* 1 + the index in struct hosts of the name it was given by; 0: by no name */
};

/*
 * address_parse - "127.0.0.1:8080", "[::1]:8080", "[fe80::1%eth0]:8080" or "239.1.2.3%eth0:8080" of len bytes; false if
 * it is none. That there is no such interface now is no mistake.
 */
bool address_parse(const char *whole, size_t len, struct address *a);

/* address_format - the same text again into text[ADDRESS_BYTES], or "unset"; returns text. */
const char *address_format(const struct address *a, char *text);

/*
 * address_resolve - the socket address as of now, in *now: 0, or -ENODEV when there is no interface of the scope's
 * name.
 */
int address_resolve(const struct address *a, struct sockaddr_storage *now);

/*
 * address_interface - the index of the interface of that name now; 0: there is none. Unlike the C library it makes
 * no UNIX socket, by which a stage could reach others.
 */
uint32_t address_interface(const char *name);

/* address_overlap - whether no two sockets could be bound to a and b at once: equal, or one is a wildcard. */
bool address_overlap(const struct address *a, const struct address *b);

/* address_is_same - address, port and link alike, as they are written. */
bool address_is_same(const struct address *a, const struct address *b);

/* address_is_same_host - the same address, by the same interface where it says nothing without; whatever the ports. */
bool address_is_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

/* address_any_is_low - has one of n a port that only root, or who has CAP_NET_BIND_SERVICE, may bind? */
bool address_any_is_low(const struct address *all, uint32_t n);

/* address_port - in the host's byte order. */
uint16_t address_port(const struct address *a);

/* What an address is, as bits. */
enum {
	ADDRESS_IS_WILDCARD = 1, /* 0.0.0.0 or [::] */
	ADDRESS_IS_GROUP = 2, /* multicast */
	ADDRESS_IS_BROADCAST = 4, /* 255.255.255.255 */
	ADDRESS_IS_MAPPED = 8, /* IPv4 in IPv6 form */
	ADDRESS_COMES_BACK = 16, /* loopback, or the group that every host is in */
	ADDRESS_LACKS_SCOPE = 32, /* another one on each link, and no link is named */
	ADDRESS_LACKS_INTERFACE = 64, /* a group, and no interface is named */
};

uint32_t address_traits(const struct address *a);

#endif
