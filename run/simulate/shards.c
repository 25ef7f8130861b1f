/* shards.c - a trace through several shards. */
#include "shards.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/sharded.h"
#include "random.h"

static uint32_t shard_of(size_t i, uint32_t n_shards)
{
	uint64_t state = i + 1;

	return (uint32_t)(random_next(&state) % n_shards);
}

static void add(struct outcome *sum, const struct outcome *one)
{
	sum->offered += one->offered;
	sum->on_time += one->on_time;
	sum->late += one->late;
	sum->sent_bytes += one->sent_bytes;
	sum->marked += one->marked;
	for (int i = 0; i < N_DROP_REASONS; i++)
		sum->dropped[i] += one->dropped[i];
	for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++)
		sum->latency[b] += one->latency[b];
}

/* Its packets out of the trace, or, with their fates, back into it. */
static void deal(struct trace *t, struct trace *part, uint32_t shard, uint32_t n_shards, int back)
{
	size_t n = 0;

	for (size_t i = 0; i < t->n; i++) {
		if (shard_of(i, n_shards) != shard)
			continue;
		if (back)
			t->packets[i] = part->packets[n++];
		else
			part->packets[n++] = t->packets[i];
	}
	part->n = n;
}

int shards_run(const struct config *c, struct trace *t, const struct model_setting *setting, uint32_t n_shards,
	       struct outcome *outcomes)
{
	static struct outcome one[MAX_CLASSES];
	struct trace part = { .has_tos = t->has_tos };
	struct config mine = *c;
	int err = 0;

	if (n_shards == 1)
		return model_run(c, t, setting, outcomes);
	part.packets = malloc((t->n + 1) * sizeof(*part.packets));
	if (!part.packets)
		return -ENOMEM;
	sharded_take_part(&mine, n_shards);
	memset(outcomes, 0, MAX_CLASSES * sizeof(*outcomes));
	for (uint32_t shard = 0; !err && shard < n_shards; shard++) {
		deal(t, &part, shard, n_shards, 0);
		err = model_run(&mine, &part, setting, one);
		deal(t, &part, shard, n_shards, 1);
		for (uint32_t i = 0; !err && i < c->n_classes; i++)
			add(&outcomes[i], &one[i]);
	}
	free(part.packets);
	return err;
}
