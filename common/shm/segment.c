/* segment.c - create, attach and observe the shared segment. */
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "clock.h"
#include "config/address.h"
#include "config/copying.h"
#include "config/guard.h"
#include "config/proxied.h"
#include "cut.h"
#include "header.h"
#include "log.h"
#include "name.h"
#include "pages.h"

static void make_views(struct segment *seg)
{
	char *base = (char *)seg->shared;
	const struct header *h = &seg->header;

	seg->n_classes = h->n_classes;
	seg->scratch = h->scratch_offset ? (struct scratch *)(base + h->scratch_offset) : NULL;
	for (uint32_t i = 0; i < h->n_classes; i++) {
		const struct class_entry *e = &h->classes[i];

		seg->views[i] = (struct lane_view){
			.lane = (struct lane *)(base + e->lane_offset),
			.arrivals = (struct arrival *)(base + e->arrivals_offset),
			.results = (struct result *)(base + e->results_offset),
			.departures = (struct departure *)(base + e->departures_offset),
			.sessions = (struct session *)(base + e->sessions_offset),
			.origins = e->origins_offset ? (struct origin *)(base + e->origins_offset) : NULL,
			.guard = e->guard_offset ? (struct guard *)(base + e->guard_offset) : NULL,
			.payload = (uint8_t *)(base + e->payload_offset),
			.ports = e->n_sessions ? (struct session_ports *)(base + h->ports_offset) : NULL,
			.destinations =
				e->n_destinations ? (struct destinations *)(base + e->destinations_offset) : NULL,
			.n_destinations = e->n_destinations,
			.copies = e->n_copies ? (struct copies *)(base + e->copies_offset) : NULL,
			.n_sessions = e->n_sessions,
			.n_copies = e->n_copies,
			.slots = e->slots,
			.mask = e->slots - 1,
			.stride_bytes = e->stride_bytes,
			.second_offset = h->second_offset,
		};
	}
}

/* The part of the handle, and no other. */
static int map(struct segment *seg, int prot)
{
	void *at = mmap(pages_place(seg), seg->size_bytes, prot, MAP_SHARED, seg->fd,
			(off_t)(seg->shard * seg->size_bytes));

	if (at == MAP_FAILED)
		return -errno;
	seg->shared = at;
	/* Lock what gets touched, without touching all of it now: a restart has 1 ms, not 10. */
	seg->locked = (prot & PROT_WRITE) && mlock2(at, seg->size_bytes, MLOCK_ONFAULT) == 0;
	seg->scratch_locked = seg->locked;
	return 0;
}

/* Where not all may be locked, what each datagram passes is. */
static void lock_without_scratch(struct segment *seg)
{
	if (!seg->locked && seg->header.scratch_offset)
		seg->locked = mlock2(seg->shared, seg->header.scratch_offset, MLOCK_ONFAULT) == 0;
}

/* Where copies go, for observers, who have no config. */
static void name_copies(struct shared *shared, const struct config *c)
{
	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct class_entry *e = &shared->header.classes[i];
		struct copies *copies = (struct copies *)((char *)shared + e->copies_offset);

		for (uint32_t k = 0; k < e->n_copies; k++)
			address_format(&c->classes[i].dests[k], copies->to[k]);
	}
}

static void fill_header(struct segment *seg, const struct config *c, const uint64_t *cookies, uint32_t n_sockets,
			uint64_t created_at_ns)
{
	struct header *h = &seg->shared->header;

	header_plan(h, c);
	h->layout = LAYOUT_VERSION;
	h->layout_hash = layout_hash();
	h->size_bytes = seg->size_bytes;
	h->config_digest = config_digest(c);
	h->seed = c->seed;
	h->created_at_ns = created_at_ns;
	h->n_sockets = n_sockets;
	h->shard = (uint16_t)seg->shard;
	h->n_shards = (uint16_t)seg->n_shards;
	for (uint32_t i = 0; i < n_sockets; i++)
		h->socket_cookies[i] = cookies[i * seg->n_shards + seg->shard];
	name_copies(seg->shared, c);
	h->checksum = header_checksum(h);
	/* ORDER ready: release; pairs with the acquire in header_check(). The header first, then the magic word. */
	atomic_store_explicit(&h->magic, LAYOUT_MAGIC, memory_order_release);
}

/* The last part first: who sees that the first one is there finds all of them. The first one stays mapped. */
static int fill_parts(struct segment *seg, const struct config *c, const uint64_t *cookies, uint32_t n_sockets)
{
	uint64_t created_at_ns = now_ns();

	for (seg->shard = seg->n_shards; seg->shard-- > 0;) {
		int err = map(seg, PROT_READ | PROT_WRITE);

		if (err)
			return err;
		fill_header(seg, c, cookies, n_sockets, created_at_ns);
		if (seg->shard == 0)
			break;
		munmap(seg->shared, seg->size_bytes);
		seg->shared = NULL;
	}
	return 0;
}

int segment_create(struct segment *seg, const struct config *c, const uint64_t *cookies, uint32_t n_sockets,
		   char why[WHY_BYTES])
{
	return segment_create_shards(seg, c, 1, cookies, n_sockets, why);
}

int segment_create_shards(struct segment *seg, const struct config *c, uint32_t n_shards, const uint64_t *cookies,
			  uint32_t n_sockets, char why[WHY_BYTES])
{
	struct header planned = { 0 };
	int err;

	memset(seg, 0, sizeof(*seg));
	snprintf(seg->instance, sizeof(seg->instance), "%s", c->instance);
	segment_name(c->instance, seg->name);
	seg->n_shards = n_shards;
	seg->size_bytes = header_plan(&planned, c);
	seg->fd = shm_open(seg->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (seg->fd < 0) {
		err = -errno;
		if (err != -EEXIST || !segment_is_named(c->instance, why))
			snprintf(why, WHY_BYTES, "create segment %s for instance '%s': %s: see /dev/shm", seg->name,
				 c->instance, log_text_of(-err));
		return err;
	}
	err = -posix_fallocate(seg->fd, 0, (off_t)(n_shards * seg->size_bytes));
	if (!err)
		err = fill_parts(seg, c, cookies, n_sockets);
	if (err) {
		snprintf(why, WHY_BYTES,
			 "allocate %.1f MiB for segment %s: %s; make room in /dev/shm, or use smaller "
			 "queue limits",
			 (double)(n_shards * seg->size_bytes) / 1048576, seg->name, log_text_of(-err));
		shm_unlink(seg->name);
		segment_close(seg);
		return err;
	}
	memcpy(&seg->header, &seg->shared->header, sizeof(seg->header));
	lock_without_scratch(seg);
	make_views(seg);
	return 0;
}

static int refuse_segment(struct segment *seg, const char *wrong, int err, uid_t owner, char why[WHY_BYTES])
{
	char both[128];

	if (err != -EPERM && owner != geteuid()) { /* what is wrong with it is not for this user to put right */
		snprintf(both, sizeof(both), "%s, and %s", wrong, name_another_user);
		wrong = both;
		err = -EPERM;
	}
	if (err == -EPERM)
		name_explain_refusal(seg->name, wrong, owner, why);
	else
		snprintf(why, WHY_BYTES, "attach segment %s: %s: run/stop.sh, then run/launch.sh", seg->name, wrong);
	segment_close(seg);
	return err;
}

int segment_must_be_mine(const struct segment *seg, char why[WHY_BYTES])
{
	struct stat st = { .st_uid = (uid_t)-1 };

	if (fstat(seg->fd, &st) == 0 && st.st_uid == geteuid())
		return 0;
	name_explain_refusal(seg->name, name_another_user, st.st_uid, why);
	return -EPERM;
}

/*
 * Where the part of the handle lies; NULL, or what is wrong. A header that makes no sense is judged by header_check().
 */
static const char *find_part(struct segment *seg, uint64_t whole_bytes, int *err)
{
	struct header first = { 0 };

	seg->size_bytes = whole_bytes;
	seg->n_shards = 1;
	if (pread(seg->fd, &first, sizeof(first), 0) == (ssize_t)sizeof(first) && first.layout == LAYOUT_VERSION &&
	    first.n_shards > 1 && first.n_shards <= MOST_SHARDS && whole_bytes / first.n_shards % HUGE_PAGE == 0 &&
	    whole_bytes % first.n_shards == 0) {
		seg->size_bytes = whole_bytes / first.n_shards;
		seg->n_shards = first.n_shards;
	}
	if (seg->shard < seg->n_shards)
		return NULL;
	if (first.layout != 0 && first.layout != LAYOUT_VERSION) { /* which may say it elsewhere */
		*err = -ESTALE;
		return "it was made by a build with another layout";
	}
	return "it has no such shard";
}

static int open_and_map(struct segment *seg, const char *instance, int writable, int handed, uint32_t shard,
			char why[WHY_BYTES])
{
	struct stat st;
	const char *wrong;
	int err;

	memset(seg, 0, sizeof(*seg));
	seg->shard = shard;
	snprintf(seg->instance, sizeof(seg->instance), "%s", instance);
	segment_name(instance, seg->name);
	seg->fd = name_open(instance, seg->name, handed, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (seg->fd < 0)
		return name_explain_missing(seg, instance, seg->fd, why);
	if (fstat(seg->fd, &st) < 0) {
		err = -errno;
		snprintf(why, WHY_BYTES, "ask segment %s for its size and owner: %s", seg->name, log_text_of(-err));
		segment_close(seg);
		return err;
	}
	wrong = name_check_owner(&st, writable, &err);
	if (!wrong)
		wrong = find_part(seg, (uint64_t)st.st_size, &err);
	if (wrong)
		return refuse_segment(seg, wrong, err, st.st_uid, why);
	err = map(seg, writable ? PROT_READ | PROT_WRITE : PROT_READ);
	if (err) {
		snprintf(why, WHY_BYTES, "map segment %s: %s", seg->name, log_text_of(-err));
		segment_close(seg);
		return err;
	}
	if (!writable)
		cut_bear(seg);
	wrong = header_check(seg, &err);
	if (wrong)
		return refuse_segment(seg, wrong, err, st.st_uid, why);
	if (writable)
		lock_without_scratch(seg);
	make_views(seg);
	return 0;
}

int segment_lanes_are_sane(const struct segment *seg, char why[WHY_BYTES])
{
	struct stat st;

	if (fstat(seg->fd, &st) == 0 && st.st_size < (off_t)(seg->n_shards * seg->size_bytes)) {
		snprintf(why, WHY_BYTES, "segment %s: it was cut short: run/stop.sh, then run/launch.sh", seg->name);
		return -EPROTO;
	}
	for (uint32_t i = 0; i < seg->n_classes; i++) {
		const struct lane_view *v = &seg->views[i];
		uint64_t sent = lane_sent(v->lane), processed = lane_processed(v->lane);
		uint64_t received = lane_received(v->lane);

		/* Read in this order the later counts can only be too new, so allow for a full lap. */
		if (lane_distance_pkts(processed, sent) <= 2ULL * v->slots &&
		    lane_distance_pkts(received, processed) <= 2ULL * v->slots)
			continue;
		snprintf(why, WHY_BYTES,
			 "segment %s: class %s: damaged counts (received %llu, processed %llu, sent %llu, %u "
			 "slots): run/stop.sh, then run/launch.sh",
			 seg->name, seg->header.classes[i].name, (unsigned long long)(received >> COUNT_SHIFT),
			 (unsigned long long)(processed >> COUNT_SHIFT), (unsigned long long)(sent >> COUNT_SHIFT),
			 v->slots);
		return -EPROTO;
	}
	return 0;
}

int segment_attach(struct segment *seg, const struct config *c, char why[WHY_BYTES])
{
	return segment_attach_handed(seg, -1, c, why);
}

/* Does each class have the room that its config makes stages use? */
static int has_room(const struct segment *seg, const struct config *c, char why[WHY_BYTES])
{
	for (uint32_t i = 0; i < seg->n_classes; i++)
		if (guard_needs_memory(&c->classes[i]) && !seg->views[i].guard) {
			snprintf(why, WHY_BYTES,
				 "segment %s: class %s: no room for the sources that `source_rate` or `fair` asks for: "
				 "run/stop.sh, then run/launch.sh",
				 seg->name, c->classes[i].name);
			return -EPROTO;
		}
	for (uint32_t i = 0; i < seg->n_classes; i++)
		if (proxied_needs_origin(&c->classes[i]) && !seg->views[i].origins) {
			snprintf(why, WHY_BYTES,
				 "segment %s: class %s: no room for the senders of its datagrams, which `source` or "
				 "`accept_proxy` asks for: run/stop.sh, then run/launch.sh",
				 seg->name, c->classes[i].name);
			return -EPROTO;
		} else if (copying_count(&c->classes[i]) != seg->views[i].n_copies) {
			snprintf(why, WHY_BYTES,
				 "segment %s: class %s: it was made for another `spread`: run/stop.sh, then "
				 "run/launch.sh",
				 seg->name, c->classes[i].name);
			return -EPROTO;
		}
	return 0;
}

int segment_attach_handed(struct segment *seg, int fd, const struct config *c, char why[WHY_BYTES])
{
	return segment_attach_shard(seg, fd, c, 0, why);
}

int segment_attach_shard(struct segment *seg, int fd, const struct config *c, uint32_t shard, char why[WHY_BYTES])
{
	int err = open_and_map(seg, c->instance, 1, fd, shard, why);

	if (err)
		return err;
	if (seg->header.config_digest != config_digest(c)) {
		snprintf(why, WHY_BYTES,
			 "attach segment %s: it was made from a config with other classes, addresses, sizes or "
			 "work than %s: run/stop.sh, then run/launch.sh",
			 seg->name, c->file[0] ? c->file : "the defaults");
		err = -EPROTO;
	}
	if (!err && !header_is_as_planned(&seg->header, c)) {
		snprintf(why, WHY_BYTES,
			 "attach segment %s: it is damaged: its classes are not those of the config it says it is of: "
			 "run/stop.sh, then run/launch.sh",
			 seg->name);
		err = -EPROTO;
	}
	err = err ? err : has_room(seg, c, why);
	err = err ? err : segment_lanes_are_sane(seg, why);
	if (err)
		segment_close(seg);
	return err;
}

int segment_observe(struct segment *seg, const char *instance, char why[WHY_BYTES])
{
	return open_and_map(seg, instance, 0, -1, 0, why);
}

int segment_observe_handed(struct segment *seg, int fd, const char *instance, char why[WHY_BYTES])
{
	return open_and_map(seg, instance, 0, fd, 0, why);
}

int segment_observe_shard(struct segment *seg, const struct segment *first, uint32_t shard, char why[WHY_BYTES])
{
	return open_and_map(seg, first->instance, 0, first->fd, shard, why);
}

int segment_is_mine(const struct segment *seg)
{
	struct stat st;

	return fstat(seg->fd, &st) == 0 && st.st_uid == geteuid();
}

void segment_close(struct segment *seg)
{
	cut_forget(seg);
	if (seg->shared)
		munmap(seg->shared, seg->size_bytes);
	if (seg->fd >= 0)
		close(seg->fd);
	seg->shared = NULL;
	seg->fd = -1;
}
