/* gather.c - the sockets of all shards for one address, as a group. */
#include "gather.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "listen.h"
#include "spread.h"

int gather_shut(int fd)
{
	struct sock_filter drop = { .code = BPF_RET | BPF_K };
	struct sock_fprog program = { .len = 1, .filter = &drop };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) < 0 ? -errno : 0;
}

static int let_in(int fd)
{
	int unused = 0;

	if (setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &unused, sizeof(unused)) == 0 || errno == ENOENT)
		return 0;
	return -errno;
}

int gather_rule(const struct address *a, const int *fd, uint32_t n)
{
	struct sock_filter steps[SPREAD_MOST_STEPS];
	struct sock_fprog program = { .filter = steps };
	int err = 0;

	program.len = (unsigned short)spread_program(a->at.ss_family, n, steps);
	if (setsockopt(fd[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) < 0)
		err = -errno;
	for (uint32_t k = 0; !err && k < n; k++)
		err = let_in(fd[k]);
	return err;
}

/* What others of this machine have joined comes to all sockets of a wildcard address: to none of these. */
static void ignore_groups(const struct address *a, int fd)
{
	int off = 0;

	if (a->at.ss_family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof(off));
	else
		setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_ALL, &off, sizeof(off));
}

int gather_bind(const struct address *a, const int *fd, uint32_t n)
{
	struct sockaddr_storage at;
	int err = address_resolve(a, &at);

	for (uint32_t k = 0; !err && k < n; k++)
		err = gather_shut(fd[k]);
	for (uint32_t k = 0; !err && k < n; k++) {
		ignore_groups(a, fd[k]);
		if (k == 1)
			err = listen_share(fd[0]);
		if (!err && k > 0)
			err = listen_share(fd[k]);
		if (!err && !listen_is_bound(fd[k]) && bind(fd[k], (const struct sockaddr *)&at, a->len) < 0)
			err = -errno;
	}
	return err ? err : gather_rule(a, fd, n);
}
