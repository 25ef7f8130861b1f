/* bundle.c - many descriptors kept as one. */
#include "bundle.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union room {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(BUNDLE_FDS * sizeof(int))];
};

int bundle_make(const int *fds, uint32_t n)
{
	union room control = {
		.header = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(n * sizeof(int)) }
	};
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(n * sizeof(int))
	};
	int ends[2], err = 0;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return -errno;
	memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
	if (sendmsg(ends[0], &m, MSG_NOSIGNAL) < 0)
		err = -errno;
	close(ends[0]);
	if (err)
		close(ends[1]);
	return err ? err : ends[1];
}

int bundle_look(int bundle, int fds[BUNDLE_FDS])
{
	union room control;
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = sizeof(byte) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c;
	int n = 0;

	if (recvmsg(bundle, &m, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
		n = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), (size_t)n * sizeof(int));
	}
	if (!(m.msg_flags & MSG_CTRUNC))
		return n;
	while (n)
		close(fds[--n]);
	return -EMFILE;
}
