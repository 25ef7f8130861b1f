/* session_port.c - the local port of a session's socket. */
#include "session_port.h"

#include <errno.h>
#include <sys/socket.h>

#include "clock.h"

#define PORT_REST_S 60 /* as long as TCP's TIME_WAIT */
#define PORT_TRIES 9

in_port_t session_port(int fd)
{
	struct sockaddr_in6 at = { 0 };
	socklen_t len = sizeof(at);

	return getsockname(fd, (struct sockaddr *)&at, &len) < 0 ? 0 : at.sin6_port; /* at the same place in IPv4 */
}

void session_port_drop(int fd)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	connect(fd, &none, sizeof(none));
}

static uint16_t second_of(uint64_t now)
{
	uint16_t second = (uint16_t)(now / NS_PER_S);

	return second ? second : 1;
}

/* After 18 hours a second has the same number again: then a port rests for another minute. */
static int is_resting(const struct session_ports *ports, in_port_t port, uint64_t now)
{
	/* relaxed, here and below: stands alone */
	uint16_t at = ports ? atomic_load_explicit(&ports->given_up_s[port], memory_order_relaxed) : 0;

	return at && (uint16_t)(second_of(now) - at) < PORT_REST_S;
}

void session_port_give_up(struct session_ports *ports, int fd, uint64_t now)
{
	in_port_t port = session_port(fd);

	if (port && ports)
		atomic_store_explicit(&ports->given_up_s[port], second_of(now), memory_order_relaxed);
	session_port_drop(fd);
}

int session_port_connect(const struct session_ports *ports, int fd, const struct sockaddr_storage *to, socklen_t len,
			 uint64_t now)
{
	for (int tries = 1;; tries++) {
		int err = connect(fd, (const struct sockaddr *)to, len) < 0 ? -errno : 0;

		if (!err && (tries == PORT_TRIES || !is_resting(ports, session_port(fd), now)))
			return 0;
		session_port_drop(fd);
		if (err)
			return err;
	}
}
