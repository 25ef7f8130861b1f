/*
 * port.h - the classes that listen on one address: their order, and the program by which the kernel tells them apart.
 *
 * Rules:   members are in the order in which their sockets are bound: the class of the lowest rank first, which has no
 *          rule, then upwards. A member's place is what the program returns for its datagrams.
 *          The rules are asked from the highest rank down; a datagram that none names belongs to the last class.
 *          A class with `fair` has a socket for each bucket, in a row. Behind the sockets of all members come, in the
 *          same order, those for what each of them denies (`allow`, `deny`): they take nothing, and are bound only
 *          once a member denies anything.
 *          Nothing here is durable: order and program follow from the configuration.
 * Source:  socket(7) SO_ATTACH_REUSEPORT_CBPF: the program sees the payload from offset 0 on, and the IP header from
 *          SKF_NET_OFF on; places in the group are in the order of bind(2).
 */
#ifndef ONTIME_CONFIG_PORT_H
#define ONTIME_CONFIG_PORT_H

#include <linux/filter.h>

#include "config.h"
#include "program.h"

#define PORT_MOST_STEPS PROGRAM_MOST /* the kernel makes more of them, and takes what fits net.core.optmem_max */

struct port_member {
	uint8_t class, listen; /* classes[class].listen[listen] */
};

struct port {
	uint32_t n; /* 1: one class has the address alone */
	struct port_member members[MAX_CLASSES];
};

/* port_of - who listens on that address; n is 0 if nobody does. */
void port_of(const struct config *c, const struct address *a, struct port *port);

/* port_buckets - sockets that a member has for what it takes. */
uint32_t port_buckets(const struct config *c, const struct port_member *m);

/* port_first - the place of the first of them of member i; of i = port->n: how many all have. */
uint32_t port_first(const struct config *c, const struct port *port, uint32_t i);

/* port_denies - does a member have `allow` or `deny`? */
bool port_denies(const struct config *c, const struct port *port);

/* port_is_group - does the kernel have to choose among several sockets? */
bool port_is_group(const struct config *c, const struct port *port);

/*
 * port_compile - the program of a port, in steps[PORT_MOST_STEPS]; how long it is. More than PORT_MOST_STEPS: too long,
 * and what is in steps is none.
 */
uint32_t port_compile(const struct config *c, const struct port *port, struct sock_filter *steps);

#endif
