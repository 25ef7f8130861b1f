/*
 * spread.h - which shard a sender's datagrams belong to: here, and as a program by which the kernel picks their socket.
 *
 * Rules:   pure. By the sender's address and port and nothing else, so a sender stays with its shard whatever restarts,
 *          as long as there are as many shards. IPv6 extension headers in front of the UDP header hide the port: then
 *          it is the address alone.
 *          The program returns the number of a socket in its reuseport group, which is the order of bind(2).
 * Source:  socket(7) SO_ATTACH_REUSEPORT_CBPF; the IP header is at SKF_NET_OFF.
 */
#ifndef ONTIME_SPREAD_H
#define ONTIME_SPREAD_H

#include <linux/filter.h>
#include <netinet/in.h>
#include <stdint.h>

#define SPREAD_MOST_STEPS 32

/* spread_shard - of a sender (a sockaddr_in or sockaddr_in6) among n shards. */
uint32_t spread_shard(const struct sockaddr *sender, uint32_t n);

/* spread_program - that for datagrams of one family. Returns how long it is. */
uint32_t spread_program(int family, uint32_t n, struct sock_filter steps[SPREAD_MOST_STEPS]);

#endif
