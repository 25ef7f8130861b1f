/* sharded.c - several pipelines behind the same addresses. */
#include "sharded.h"

#include <netinet/in.h>
#include <sched.h>
#include <string.h>

#include "group.h"

uint32_t sharded_count(const struct config *c)
{
	cpu_set_t allowed;
	int n = 1;

	if (c->shards > 0)
		return c->shards;
	if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
		n = CPU_COUNT(&allowed);
	return n < MOST_SHARDS ? (uint32_t)n : MOST_SHARDS;
}

#define NAMES(shard)                                                                                                   \
	{                                                                                                              \
		"ingress." #shard, "edf." #shard, "egress." #shard                                                     \
	}

const char *sharded_stage_name(enum stage_id id, uint32_t shard, uint32_t n_shards)
{
	static const char *const names[MOST_SHARDS][N_STAGES] = {
		NAMES(0), NAMES(1), NAMES(2),  NAMES(3),  NAMES(4),  NAMES(5),	NAMES(6),  NAMES(7),
		NAMES(8), NAMES(9), NAMES(10), NAMES(11), NAMES(12), NAMES(13), NAMES(14), NAMES(15),
	};

	return n_shards > 1 ? names[shard][id] : stage_name(id);
}

void sharded_take_part(struct config *c, uint32_t n)
{
	if (n <= 1)
		return;
	c->rate_bits_per_s /= n;
	c->burst_bytes /= n;
	for (uint32_t i = 0; i < c->n_classes; i++) {
		c->classes[i].rate_bits_per_s /= n;
		c->classes[i].burst_bytes /= n;
		c->classes[i].destination_rate_bits_per_s /= n;
		c->classes[i].destination_burst_bytes /= n;
	}
}

static const char part_too_small[] =
	"less than payload_bytes for each of the shards, which have a part of it each; raise it, or use shards = 1";

const char *sharded_conflict(const struct config *c, const char **key)
{
	if (!sharded_may_be_many(c))
		return NULL;
	*key = "burst";
	if (c->rate_bits_per_s && c->burst_bytes / sharded_count(c) < c->payload_bytes)
		return part_too_small;
	*key = "cpus";
	for (int i = 0; i < N_STAGES; i++)
		if (c->cpu[i] >= 0)
			return "several shards cannot share a CPU of that number; use auto (one for each) or none, or "
			       "shards = 1";
	return NULL;
}

static bool has_address_like(const struct class_config *class, bool (*is_so)(const struct address *a))
{
	for (uint32_t k = 0; k < class->n_listen; k++)
		if (is_so(&class->listen[k]))
			return true;
	return false;
}

static bool is_link_local(const struct address *a)
{
	struct sockaddr_in6 v6;

	memcpy(&v6, &a->at, sizeof(v6));
	return v6.sin6_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&v6.sin6_addr);
}

const char *sharded_class_conflict(const struct config *c, uint32_t class, const char **key)
{
	const struct class_config *own = &c->classes[class];

	if (!sharded_may_be_many(c))
		return NULL;
	*key = "replies";
	if (own->replies[0])
		return "the sessions of a class belong to one pipeline; use shards = 1";
	*key = "match";
	if (own->match.n > 0)
		return "an address is shared either by classes or by shards; use shards = 1, or an address for each "
		       "class";
	*key = "from";
	if (own->n_from)
		return "each shard sends from a port of its own; use shards = 1, or remove this";
	*key = "listen";
	if (has_address_like(own, group_is))
		return "of a multicast group each socket gets each datagram, so each shard would; use shards = 1";
	if (has_address_like(own, is_link_local))
		return "a group of sockets does not outlive the interface of a link-local address; use shards = 1";
	*key = "burst";
	if (own->rate_bits_per_s && own->burst_bytes / sharded_count(c) < c->payload_bytes)
		return part_too_small;
	*key = "destination_burst";
	if (own->destination_rate_bits_per_s && own->destination_burst_bytes / sharded_count(c) < c->payload_bytes)
		return part_too_small;
	*key = "broadcast";
	if (own->broadcast)
		return "of a broadcast each socket gets a copy, so each shard would; use shards = 1";
	return NULL;
}
