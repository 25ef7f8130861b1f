/* view.c - one look at a running instance. */
#include "view.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "destinations.h"
#include "shm/lock.h"
#include "stage/waits.h"

#define SCHED_DEADLINE_POLICY 6 /* its name is not in every C library */

void viewer_open(struct viewer *v, const char *instance)
{
	memset(v, 0, sizeof(*v));
	v->seg.fd = -1;
	v->shard = -1;
	snprintf(v->instance, sizeof(v->instance), "%s", instance);
}

void viewer_shard(struct viewer *v, int shard)
{
	v->shard = shard;
}

void viewer_close(struct viewer *v)
{
	for (uint32_t k = 1; k < v->n_shards; k++)
		segment_close(&v->parts[k]);
	v->n_shards = 0;
	if (v->seg.shared)
		segment_close(&v->seg);
}

/*
 * Is the mapped segment still the one with this name? The name may have been removed while a stage is alive (by a
 * logout, or a cleaner of /dev/shm): that instance goes on.
 */
int viewer_is_current(const struct viewer *v)
{
	char path[SEGMENT_NAME_BYTES + sizeof("/dev/shm")];
	struct stat st;

	if (!v->seg.shared)
		return 0;
	snprintf(path, sizeof(path), "/dev/shm%s", v->seg.name);
	if (stat(path, &st) == 0)
		return st.st_ino == v->inode;
	for (uint32_t i = 0; i < N_STAGES * v->n_shards && errno == ENOENT; i++)
		if (segment_stage_is_alive(viewer_part(v, i / N_STAGES), (enum stage_id)(i % N_STAGES)))
			return 1;
	return 0;
}

/* All, or that one in the place of the first. */
static int map_parts(struct viewer *v, char why[WHY_BYTES])
{
	struct segment first = v->seg;
	int err = 0;

	v->n_shards = 1;
	if (v->shard >= (int)first.n_shards) {
		snprintf(why, WHY_BYTES, "instance '%s' has no shard %d: it has %u, counted from 0", v->instance,
			 v->shard, first.n_shards);
		err = -EINVAL;
	} else if (v->shard > 0) {
		err = segment_observe_shard(&v->seg, &first, (uint32_t)v->shard, why);
		segment_close(&first);
	}
	for (uint32_t k = 1; v->shard < 0 && !err && k < first.n_shards; k++) {
		err = segment_observe_shard(&v->parts[k], &v->seg, k, why);
		v->n_shards += !err;
	}
	if (err)
		viewer_close(v);
	return err;
}

int viewer_map(struct viewer *v, char why[WHY_BYTES])
{
	struct stat st;
	int err;

	if (viewer_is_current(v))
		return 0;
	viewer_close(v);
	err = segment_observe(&v->seg, v->instance, why);
	if (!err)
		err = map_parts(v, why);
	if (err)
		return err;
	v->inode = fstat(v->seg.fd, &st) == 0 ? st.st_ino : 0;
	return 0;
}

const char *sched_name(uint32_t policy)
{
	switch (policy) {
	case SCHED_OTHER:
		return "other";
	case SCHED_FIFO:
		return "fifo";
	case SCHED_RR:
		return "rr";
	case SCHED_BATCH:
		return "batch";
	case SCHED_IDLE:
		return "idle";
	case SCHED_DEADLINE_POLICY:
		return "deadline";
	default:
		return "-";
	}
}

static struct stage_view look_at_stage(const struct segment *seg, enum stage_id id, uint64_t now)
{
	const struct stage_block *b = &seg->shared->stages[id];
	int alive = segment_stage_is_alive(seg, id);
	/* relaxed, all of them: each field is read by itself */
	uint64_t started_ns = atomic_load_explicit(&b->started_at_ns, memory_order_relaxed);
	uint64_t beat_ns = atomic_load_explicit(&b->beat_at_ns, memory_order_relaxed);
	uint64_t failing_ns = atomic_load_explicit(&b->failing_since_ns, memory_order_relaxed);
	struct stage_view s = {
		.state = segment_stage_state(seg, id),
		.pid = alive ? (uint32_t)segment_stage_pid(seg, id) : 0,
		.starts = atomic_load_explicit(&b->generation, memory_order_relaxed),
		.has_work = atomic_load_explicit(&b->has_work, memory_order_relaxed),
		.up_ns = alive && started_ns && now > started_ns ? now - started_ns : 0,
		.beat_age_ns = beat_ns && now > beat_ns ? now - beat_ns : 0,
		.parks = atomic_load_explicit(&b->parks, memory_order_relaxed),
		.rings = atomic_load_explicit(&b->rings, memory_order_relaxed),
		.rescued_pkts = atomic_load_explicit(&b->rescued_pkts, memory_order_relaxed),
		.failed_calls = atomic_load_explicit(&b->failed_calls, memory_order_relaxed),
		.remade_sockets = atomic_load_explicit(&b->remade_sockets, memory_order_relaxed),
		.workers = alive ? atomic_load_explicit(&b->workers, memory_order_relaxed) : 0,
		.workers_busy = alive ? atomic_load_explicit(&b->workers_busy, memory_order_relaxed) : 0,
		.workers_died = atomic_load_explicit(&b->workers_died, memory_order_relaxed),
		.failing_ns = failing_ns && now > failing_ns ? now - failing_ns : 0,
		.failing_errno = atomic_load_explicit(&b->failing_errno, memory_order_relaxed),
		.sched_policy = atomic_load_explicit(&b->sched_policy, memory_order_relaxed),
	};
	struct waits waits;

	if (alive && waits_read(s.pid, &waits) == 0) {
		s.cpu_ns = waits.cpu_ns;
		s.queued_ns = waits.queued_ns;
		s.is_ready = (uint32_t)waits.is_ready;
	}
	return s;
}

static int look_at_class(const struct segment *seg, uint32_t i, struct account *a, char why[WHY_BYTES])
{
	int err = account_read(seg, i, a);

	if (err)
		snprintf(why, WHY_BYTES, "read class %s of segment %s: its counts never held still: try again",
			 seg->header.classes[i].name, seg->name);
	return err;
}

static int look_at_classes(const struct viewer *v, uint32_t k, struct view *out, char why[WHY_BYTES])
{
	const struct segment *seg = viewer_part(v, k);
	static struct account a;

	for (uint32_t i = 0; i < out->n_classes; i++) {
		struct class_view *c = &out->classes[i];
		int err = look_at_class(seg, i, &a, why);

		if (err)
			return err;
		memcpy(c->name, seg->header.classes[i].name, sizeof(c->name));
		c->parts[k] =
			(struct class_part){ a.sent_pkts, account_dropped_pkts(&a), a.held_pkts, a.unbalanced_pkts };
		account_add(&c->account, &a);
		if (k == 0)
			destinations_look(&seg->views[i], c);
	}
	return 0;
}

static int look_at_part(const struct viewer *v, uint32_t k, struct view *out, char why[WHY_BYTES])
{
	int err = segment_lanes_are_sane(viewer_part(v, k), why);

	if (!err)
		err = look_at_classes(v, k, out, why);
	for (int i = 0; !err && i < N_STAGES; i++) {
		out->each[k][i] = look_at_stage(viewer_part(v, k), (enum stage_id)i, out->at_ns);
		stage_add(&out->stages[i], &out->each[k][i], k == 0);
	}
	return err;
}

int viewer_look(struct viewer *v, struct view *out, char why[WHY_BYTES])
{
	static struct view fresh;
	int err = viewer_map(v, why);

	if (err)
		return err;
	memset(&fresh, 0, sizeof(fresh));
	fresh.at_ns = now_ns();
	fresh.at_unix_ns = real_ns();
	fresh.created_at_ns = v->seg.header.created_at_ns;
	fresh.is_supervised = segment_is_supervised(&v->seg);
	fresh.n_classes = v->seg.n_classes;
	fresh.n_shards = v->n_shards;
	for (uint32_t k = 0; k < v->n_shards; k++) {
		err = look_at_part(v, k, &fresh, why);
		if (err)
			return err;
	}
	*out = fresh;
	return 0;
}

int64_t class_unbalanced_pkts(const struct class_view *c)
{
	int64_t off = c->account.unbalanced_pkts;

	for (uint32_t k = 0; k < MOST_SHARDS && !off; k++)
		off = c->parts[k].unbalanced_pkts;
	return off;
}

int view_is_balanced(const struct view *v)
{
	for (uint32_t i = 0; i < v->n_classes; i++)
		if (class_unbalanced_pkts(&v->classes[i]))
			return 0;
	return 1;
}

int view_follows(const struct view *now, const struct view *before)
{
	return before && before->at_ns && now->at_ns > before->at_ns && now->created_at_ns == before->created_at_ns &&
	       now->n_classes == before->n_classes && view_shards(now) == view_shards(before);
}

uint64_t class_latency_since(const struct class_view *now, const struct class_view *before,
			     uint64_t latency[HISTOGRAM_BUCKETS])
{
	uint64_t total = 0;

	for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++) {
		latency[b] = now->account.latency[b] - (before ? before->account.latency[b] : 0);
		total += latency[b];
	}
	return total;
}

static const struct {
	const char *name;
	uint32_t per_million;
} percentiles[N_PERCENTILES] = {
	[P50] = { "p50", 500000 },   [P95] = { "p95", 950000 },	  [P99] = { "p99", 990000 },
	[P999] = { "p999", 999000 }, [PMAX] = { "max", 1000000 },
};

const char *percentile_name(enum percentile p)
{
	return percentiles[p].name;
}

uint32_t percentile_per_million(enum percentile p)
{
	return percentiles[p].per_million;
}

uint64_t class_percentile_ns(const struct class_view *c, uint32_t per_million)
{
	uint64_t ns = histogram_percentile(c->account.latency, per_million);

	return ns < c->account.latency_max_ns ? ns : c->account.latency_max_ns;
}
