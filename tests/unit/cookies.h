/* cookies.h - can a test tell sockets apart by their cookies here? */
#ifndef ONTIME_TESTS_COOKIES_H
#define ONTIME_TESTS_COOKIES_H

#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

/* has_cookies - 0 under an emulator that passes the question on to nobody. */
static inline int has_cookies(void)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
	close(fd);
	return cookie != 0;
}

#endif
