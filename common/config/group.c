/* group.c - multicast groups. */
#include "group.h"

#include <errno.h>
#include <string.h>

#ifndef SO_BINDTOIFINDEX
#define SO_BINDTOIFINDEX 62
#endif
#ifndef IPV6_MULTICAST_ALL
#define IPV6_MULTICAST_ALL 29
#endif

bool group_is(const struct address *a)
{
	return address_traits(a) & ADDRESS_IS_GROUP;
}

static int level_of(const struct address *a)
{
	return a->at.ss_family == AF_INET ? SOL_IP : SOL_IPV6;
}

static void prepare(int fd, const struct address *a, const struct sockaddr_storage *at)
{
	int on = 1, off = 0;
	struct sockaddr_in6 v6;

	if (!group_is(a))
		return;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, level_of(a), a->at.ss_family == AF_INET ? IP_MULTICAST_ALL : IPV6_MULTICAST_ALL, &off,
		   sizeof(off));
	memcpy(&v6, at, sizeof(v6));
	if (at->ss_family == AF_INET6 && v6.sin6_scope_id)
		setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &v6.sin6_scope_id, sizeof(v6.sin6_scope_id));
}

int group_bind(int fd, const struct address *a, const struct sockaddr_storage *at)
{
	prepare(fd, a, at);
	return bind(fd, (const struct sockaddr *)at, a->len) < 0 ? -errno : 0;
}

static int join_all(int fd, const struct address *a, uint32_t interface)
{
	struct group_req group = { .gr_interface = interface };

	memcpy(&group.gr_group, &a->at, a->len);
	return setsockopt(fd, level_of(a), MCAST_JOIN_GROUP, &group, sizeof(group)) < 0 ? -errno : 0;
}

static int join_source(int fd, const struct address *a, uint32_t interface, const struct sockaddr_storage *source)
{
	struct group_source_req group = { .gsr_interface = interface, .gsr_source = *source };

	memcpy(&group.gsr_group, &a->at, a->len);
	return setsockopt(fd, level_of(a), MCAST_JOIN_SOURCE_GROUP, &group, sizeof(group)) < 0 ? -errno : 0;
}

int group_join(int fd, const struct address *a, uint32_t interface, const struct group_sources *sources, bool *is_new)
{
	int err = 0;

	*is_new = false;
	for (uint32_t i = 0; i < sources->n && !err; i++) {
		if (sources->at[i].ss_family != a->at.ss_family)
			continue;
		err = join_source(fd, a, interface, &sources->at[i]);
		*is_new = *is_new || !err;
		if (err == -EADDRNOTAVAIL) /* that source is one already */
			err = 0;
	}
	if (sources->n == 0) {
		err = join_all(fd, a, interface);
		*is_new = !err;
	}
	return err == -EADDRINUSE ? 0 : err;
}

void group_leave(int fd, const struct address *a, uint32_t interface)
{
	struct group_req group = { .gr_interface = interface };

	memcpy(&group.gr_group, &a->at, a->len);
	setsockopt(fd, level_of(a), MCAST_LEAVE_GROUP, &group, sizeof(group));
}

static int aim_v4(int fd, uint32_t interface, int ttl, int loop)
{
	struct ip_mreqn by = { .imr_ifindex = (int)interface };

	if (setsockopt(fd, SOL_IP, IP_MULTICAST_IF, &by, sizeof(by)) < 0 ||
	    setsockopt(fd, SOL_IP, IP_MULTICAST_TTL, &ttl, sizeof(ttl)) < 0 ||
	    setsockopt(fd, SOL_IP, IP_MULTICAST_LOOP, &loop, sizeof(loop)) < 0)
		return -errno;
	return 0;
}

static int aim_v6(int fd, uint32_t interface, int ttl, int loop)
{
	int by = (int)interface;

	if (setsockopt(fd, SOL_IPV6, IPV6_MULTICAST_IF, &by, sizeof(by)) < 0 ||
	    setsockopt(fd, SOL_IPV6, IPV6_MULTICAST_HOPS, &ttl, sizeof(ttl)) < 0 ||
	    setsockopt(fd, SOL_IPV6, IPV6_MULTICAST_LOOP, &loop, sizeof(loop)) < 0)
		return -errno;
	return 0;
}

uint32_t group_interface(const struct address *a)
{
	struct sockaddr_in6 v6;

	if (a->scope[0])
		return address_interface(a->scope);
	memcpy(&v6, &a->at, sizeof(v6));
	return a->at.ss_family == AF_INET6 ? v6.sin6_scope_id : 0;
}

int group_receive(int fd, const struct address *a, const struct sockaddr_storage *at)
{
	const struct group_sources any = { 0 };
	bool is_new;
	int err = group_bind(fd, a, at);

	return !err && group_is(a) ? group_join(fd, a, group_interface(a), &any, &is_new) : err;
}

int group_aim(int fd, const struct address *a, uint32_t ttl, uint32_t loop)
{
	uint32_t interface = group_interface(a);

	if (!group_is(a))
		return 0;
	if (a->scope[0] && interface == 0)
		return -ENODEV;
	if (a->at.ss_family == AF_INET)
		return aim_v4(fd, interface, (int)ttl, (int)loop);
	return aim_v6(fd, interface, (int)ttl, (int)loop);
}
