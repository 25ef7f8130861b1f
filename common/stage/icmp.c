/* icmp.c - the error queue of a socket. */
#include "icmp.h"

#include <errno.h>
#include <time.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define MOST_ERRORS 64 /* taken from a queue at once, because more may come in as fast */

void icmp_ask(int fd, int family, int on)
{
	int v4 = family == AF_INET;

	setsockopt(fd, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_RECVERR : IPV6_RECVERR, &on, sizeof(on));
}

int icmp_may_be_own(int err)
{
	return err == EHOSTUNREACH || err == ENETUNREACH || err == EMSGSIZE || err == EACCES || err == ENOPROTOOPT ||
	       err == EOPNOTSUPP;
}

int icmp_is_told(int err)
{
	return err == ECONNREFUSED || err == EPROTO || err == EHOSTDOWN || err == ENONET || icmp_may_be_own(err);
}

static uint32_t count_in(struct msghdr *m)
{
	uint32_t n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		struct sock_extended_err e;

		if (!(c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) &&
		    !(c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR))
			continue;
		memcpy(&e, CMSG_DATA(c), sizeof(e));
		n += e.ee_origin == SO_EE_ORIGIN_ICMP || e.ee_origin == SO_EE_ORIGIN_ICMP6;
	}
	return n;
}

uint32_t icmp_take(int fd)
{
	uint32_t n = 0;

	for (int i = 0; i < MOST_ERRORS; i++) {
		char control[512];
		struct msghdr m = { .msg_control = control, .msg_controllen = sizeof(control) };

		if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
			break;
		n += count_in(&m);
	}
	return n;
}

uint32_t icmp_take_all(int fd)
{
	uint32_t n = icmp_take(fd);
	socklen_t len = sizeof(int);
	int err;

	if (n == 0)
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	return n;
}
