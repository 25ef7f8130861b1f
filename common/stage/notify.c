/* notify.c - what a service manager is told. */
#include "notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* handed: a descriptor that goes with it, or -1. */
static int send_to(const char *path, const char *text, int handed)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = {
			      .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) } };
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct iovec iov = { .iov_base = (char *)(uintptr_t)text, .iov_len = strlen(text) };
	struct msghdr message = { .msg_name = &to, .msg_iov = &iov, .msg_iovlen = 1 };
	int fd, err = 0;

	if (strlen(path) >= sizeof(to.sun_path))
		return 0;
	memcpy(to.sun_path, path, strlen(path));
	if (to.sun_path[0] == '@')
		to.sun_path[0] = 0;
	message.msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	if (handed >= 0) {
		memcpy(CMSG_DATA(&control.header), &handed, sizeof(handed));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* Nobody waits for a service manager that does not read; a descriptor is handed over before anything runs. */
	if (sendmsg(fd, &message, MSG_NOSIGNAL | (handed < 0 ? MSG_DONTWAIT : 0)) < 0)
		err = -errno;
	close(fd);
	return err;
}

int notify_send_to(const char *path, const char *text)
{
	return send_to(path, text, -1);
}

int notify_send(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return path ? send_to(path, text, -1) : 0;
}

int notify_send_fd(const char *text, int handed)
{
	const char *path = getenv("NOTIFY_SOCKET");

	return path ? send_to(path, text, handed) : 0;
}
