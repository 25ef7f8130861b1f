/* stat_view.c - one look at a running instance. */
#include "stat_view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"

void viewer_open(struct viewer *v, const char *instance)
{
	memset(v, 0, sizeof(*v));
	v->seg.fd = -1;
	snprintf(v->instance, sizeof(v->instance), "%s", instance);
}

void viewer_close(struct viewer *v)
{
	if (v->seg.shared)
		segment_close(&v->seg);
}

/* Is the mapped segment still the one that the name stands for? */
static int is_current(const struct viewer *v)
{
	char path[SEGMENT_NAME_BYTES + sizeof("/dev/shm")];
	struct stat st;

	snprintf(path, sizeof(path), "/dev/shm%s", v->seg.name);
	return v->seg.shared && stat(path, &st) == 0 && st.st_ino == v->inode;
}

static int map_current(struct viewer *v, char why[WHY_BYTES])
{
	struct stat st;
	int err;

	if (is_current(v))
		return 0;
	viewer_close(v);
	err = segment_observe(&v->seg, v->instance, why);
	if (err)
		return err;
	v->inode = fstat(v->seg.fd, &st) == 0 ? st.st_ino : 0;
	return 0;
}

/* The first figure of schedstat: nanoseconds on a CPU. 0 when the process is gone. */
static uint64_t read_cpu_ns(uint32_t pid)
{
	unsigned long long ns = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/schedstat", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &ns) != 1)
		ns = 0;
	fclose(f);
	return ns;
}

static struct stage_view look_at_stage(const struct segment *seg, enum stage_id id, uint64_t now)
{
	const struct stage_block *b = &seg->shared->stages[id];
	int alive = segment_stage_is_alive(seg, id);
	/* relaxed, all of them: each field stands alone */
	uint64_t started_ns = atomic_load_explicit(&b->started_at_ns, memory_order_relaxed);
	uint64_t beat_ns = atomic_load_explicit(&b->beat_at_ns, memory_order_relaxed);
	struct stage_view s = {
		.state = segment_stage_state(seg, id),
		.pid = atomic_load_explicit(&b->pid, memory_order_relaxed),
		.starts = atomic_load_explicit(&b->generation, memory_order_relaxed),
		.has_work = atomic_load_explicit(&b->has_work, memory_order_relaxed),
		.up_ns = alive && started_ns && now > started_ns ? now - started_ns : 0,
		.beat_age_ns = beat_ns && now > beat_ns ? now - beat_ns : 0,
		.parks = atomic_load_explicit(&b->parks, memory_order_relaxed),
		.rings = atomic_load_explicit(&b->rings, memory_order_relaxed),
		.rescued_pkts = atomic_load_explicit(&b->rescued_pkts, memory_order_relaxed),
	};

	s.cpu_ns = alive ? read_cpu_ns(s.pid) : 0;
	return s;
}

static int look_at_class(const struct segment *seg, uint32_t i, struct class_view *c, char why[WHY_BYTES])
{
	const struct class_entry *e = &seg->header.classes[i];
	const struct lane *lane = seg->views[i].lane;
	int err = account_read(seg, i, &c->account);

	if (err) {
		snprintf(why, WHY_BYTES, "read class %s of segment %s: its counts never held still: try again", e->name,
			 seg->name);
		return err;
	}
	memcpy(c->name, e->name, sizeof(c->name));
	c->slots = e->slots;
	/* relaxed, all of them: each field stands alone */
	c->budget_ns = atomic_load_explicit(&lane->budget_ns, memory_order_relaxed);
	c->ingress_to_edf_pkts = atomic_load_explicit(&lane->ingress_to_edf_pkts, memory_order_relaxed);
	c->edf_to_egress_pkts = atomic_load_explicit(&lane->edf_to_egress_pkts, memory_order_relaxed);
	return 0;
}

int viewer_look(struct viewer *v, struct view *out, char why[WHY_BYTES])
{
	static struct view fresh;
	int err = map_current(v, why);

	if (!err)
		err = segment_lanes_are_sane(&v->seg, why);
	if (err)
		return err;
	memset(&fresh, 0, sizeof(fresh));
	fresh.at_ns = now_ns();
	fresh.at_unix_ns = real_ns();
	fresh.created_at_ns = v->seg.header.created_at_ns;
	fresh.n_classes = v->seg.n_classes;
	for (uint32_t i = 0; i < fresh.n_classes; i++) {
		err = look_at_class(&v->seg, i, &fresh.classes[i], why);
		if (err)
			return err;
	}
	for (int i = 0; i < N_STAGES; i++)
		fresh.stages[i] = look_at_stage(&v->seg, (enum stage_id)i, fresh.at_ns);
	*out = fresh;
	return 0;
}

int view_is_balanced(const struct view *v)
{
	for (uint32_t i = 0; i < v->n_classes; i++)
		if (v->classes[i].account.unbalanced_pkts)
			return 0;
	return 1;
}

int view_follows(const struct view *now, const struct view *before)
{
	return before && before->at_ns && now->at_ns > before->at_ns && now->created_at_ns == before->created_at_ns &&
	       now->n_classes == before->n_classes;
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

uint64_t class_percentile_ns(const struct class_view *c, uint32_t per_million)
{
	uint64_t ns = histogram_percentile(c->account.latency, per_million);

	return ns < c->account.latency_max_ns ? ns : c->account.latency_max_ns;
}
