/*
 * group.h - multicast groups: a socket becomes a member, or sends to one.
 *
 * Memory:  memberships and settings are the socket's: they live as long as one process has it open, whatever is killed.
 * Rules:   a group comes in by one interface, which the address names (239.1.2.3%eth0:5000). A socket gets what is sent
 *          to its own groups, and nothing that other sockets of this machine have joined.
 *          Each member on a machine gets each datagram, so others may bind the same group and port.
 * Errors:  0 or -errno; -ENODEV: there is no such interface now.
 * Source:  ip(7), ipv6(7), RFC 3678 (protocol-independent joins, any-source and source-specific).
 */
#ifndef ONTIME_CONFIG_GROUP_H
#define ONTIME_CONFIG_GROUP_H

#include "address.h"

#define MAX_GROUP_SOURCES 8

/* The senders of a source-specific group. */
struct group_sources {
	uint32_t n; /* 0: any sender. Those of the other family than a group's are not about it */
	struct sockaddr_storage at[MAX_GROUP_SOURCES]; /* without a port */
};

/* group_is - whether an address is one. */
bool group_is(const struct address *a);

/*
 * group_interface - the index of the interface that the address names, as of now; 0: there is none, or it names none.
 */
uint32_t group_interface(const struct address *a);

/*
 * group_bind - bind to `at`, what `a` is now. A group's socket is beside others on the machine, and gets only its own
 * groups. Of IPv6 the kernel does not ask by which interface a group was joined, so the socket is bound to that. An
 * address that is no group: a plain bind.
 */
int group_bind(int fd, const struct address *a, const struct sockaddr_storage *at);

/* group_receive - bind likewise, and join a group, from any source. */
int group_receive(int fd, const struct address *a, const struct sockaddr_storage *at);

/*
 * group_join - by the interface with this index; 0: which one is the routing table's choice. To be a member already is
 * fine; *is_new: it was none.
 */
int group_join(int fd, const struct address *a, uint32_t interface, const struct group_sources *sources, bool *is_new);

/* group_leave - what was joined by that interface, which may be gone. */
void group_leave(int fd, const struct address *a, uint32_t interface);

/* group_aim - before connect: by the interface that the address names, through most ttl - 1 routers. */
int group_aim(int fd, const struct address *a, uint32_t ttl, uint32_t loop);

#endif
