/*
 * socket_drops.h - how many datagrams the kernel dropped before a socket.
 *
 * Source:  sock_diag(7) SK_MEMINFO_DROPS.
 */
#ifndef ONTIME_SOCKET_DROPS_H
#define ONTIME_SOCKET_DROPS_H

#include <stdint.h>

/* socket_drops - datagrams that a socket had no room for, or its filter refused, since it was made. 0, or -errno. */
int socket_drops(int fd, uint32_t *drops);

#endif
