/* socket_drops.c - how many datagrams the kernel dropped before a socket. */
#include "socket_drops.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <sys/socket.h>

int socket_drops(int fd, uint32_t *drops)
{
	uint32_t info[SK_MEMINFO_VARS] = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) < 0)
		return -errno;
	*drops = info[SK_MEMINFO_DROPS];
	return 0;
}
