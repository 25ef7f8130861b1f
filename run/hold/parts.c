/* parts.c - all shards of an instance, one after the other. */
#include "parts.h"

#include "log.h"
#include "shm/account.h"

int parts_each(const struct segment *first, int (*look)(void *arg, const struct segment *part), void *arg)
{
	int sum = look(arg, first);

	for (uint32_t shard = 1; shard < first->n_shards; shard++) {
		char why[WHY_BYTES];
		struct segment part;
		int err = segment_observe_shard(&part, first, shard, why);

		if (err) {
			log_error("%s", why);
			return err;
		}
		sum += look(arg, &part);
		segment_close(&part);
	}
	return sum;
}

static int add_held(void *arg, const struct segment *part)
{
	uint64_t *held = arg;

	for (uint32_t class = 0; class < part->n_classes; class++) {
		struct account a;

		if (account_read(part, class, &a) == 0)
			*held += a.waiting_edf_pkts + a.waiting_egress_pkts;
	}
	return 0;
}

uint64_t parts_held_pkts(const struct segment *first)
{
	uint64_t held = 0;

	parts_each(first, add_held, &held);
	return held;
}

struct segment part_of(const struct segment *seg, uint32_t shard)
{
	return (struct segment){ .fd = seg->fd, .shard = shard, .n_shards = seg->n_shards };
}
