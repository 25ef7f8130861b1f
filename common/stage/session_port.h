/*
 * session_port.h - the local port of a session's socket.
 *
 * Rules:   the kernel chooses it at random. One that a session gave up is not used for a minute, as far as there are
 *          others, because an answer may be under way to it: it must find nobody there. A socket without a peer has no
 *          port, because it would take anybody's datagrams as replies.
 * Source:  connect(2) AF_UNSPEC: the kernel forgets the port that it chose itself.
 */
#ifndef ONTIME_STAGE_SESSION_PORT_H
#define ONTIME_STAGE_SESSION_PORT_H

#include <netinet/in.h>

#include "shm/layout.h"

/* session_port - of a socket; 0: it has none. */
in_port_t session_port(int fd);

/* session_port_drop - nothing can come to the socket any more. */
void session_port_drop(int fd);

/* session_port_give_up - likewise, and the port rests from now on. ports: NULL: it does not. */
void session_port_give_up(struct session_ports *ports, int fd, uint64_t now);

/*
 * session_port_connect - by a port that does not rest. 0, or -errno: then the socket has none. ports: NULL: none rests.
 */
int session_port_connect(const struct session_ports *ports, int fd, const struct sockaddr_storage *to, socklen_t len,
			 uint64_t now);

#endif
