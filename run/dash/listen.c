/* listen.c - the socket that a dashboard serves on. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http.h"

#define BACKLOG 128

int server_listen(const struct address *at, int *out)
{
	int fd = socket(at->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, buffer = SEND_BUFFER_BYTES;

	if (fd < 0)
		return -errno;
	/* Connections of a dash before do not keep the port. Accepted connections inherit the buffer. */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
	if (bind(fd, (const struct sockaddr *)&at->at, at->len) || listen(fd, BACKLOG)) {
		int err = -errno;

		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}
