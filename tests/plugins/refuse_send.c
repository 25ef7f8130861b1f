/*
 * refuse_send.c - preloaded into egress: no datagram leaves, as where a security module refuses the packets of a class.
 */
#include <errno.h>
#include <sys/socket.h>

int sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	(void)fd;
	(void)msgs;
	(void)n;
	(void)flags;
	errno = ECONNREFUSED;
	return -1;
}
