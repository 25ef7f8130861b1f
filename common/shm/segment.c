/* segment.c - create, attach and observe the shared segment. */
#include "segment.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>

#include "clock.h"
#include "config/proxied.h"
#include "header.h"
#include "log.h"
#include "name.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1; later headers than those of Debian 12 have it */
#endif

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
			.payload = (uint8_t *)(base + e->payload_offset),
			.ports = e->n_sessions ? (struct session_ports *)(base + h->ports_offset) : NULL,
			.n_sessions = e->n_sessions,
			.slots = e->slots,
			.mask = e->slots - 1,
			.stride_bytes = e->stride_bytes,
			.second_offset = h->second_offset,
		};
	}
}

/*
 * Where there is room at a multiple of HUGE_PAGE, which huge pages need: left alone, the kernel chooses any page. NULL:
 * it may do so.
 */
static void *aligned_place(const struct segment *seg)
{
	size_t room_bytes = seg->size_bytes + HUGE_PAGE;
	/* cppcheck-suppress invalidFunctionArg ; -1 is what MAP_ANONYMOUS wants */
	char *room = mmap(NULL, room_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (room == MAP_FAILED)
		return NULL;
	munmap(room, room_bytes);
	return room + -(uintptr_t)room % HUGE_PAGE;
}

static int map(struct segment *seg, int prot)
{
	void *at = mmap(aligned_place(seg), seg->size_bytes, prot, MAP_SHARED, seg->fd, 0);

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

static void fill_header(struct segment *seg, const struct config *c, const uint64_t *cookies, uint32_t n_sockets)
{
	struct header *h = &seg->shared->header;

	header_plan(h, c);
	h->layout = LAYOUT_VERSION;
	h->layout_hash = layout_hash();
	h->size_bytes = seg->size_bytes;
	h->config_digest = config_digest(c);
	h->created_at_ns = now_ns();
	h->n_sockets = n_sockets;
	if (n_sockets)
		memcpy(h->socket_cookies, cookies, n_sockets * sizeof(*cookies));
	h->checksum = header_checksum(h);
	/* ORDER ready: release; pairs with the acquire in header_check(). The header first, then the magic word. */
	atomic_store_explicit(&h->magic, LAYOUT_MAGIC, memory_order_release);
}

int segment_create(struct segment *seg, const struct config *c, const uint64_t *cookies, uint32_t n_sockets,
		   char why[WHY_BYTES])
{
	struct header planned = { 0 };
	int err;

	memset(seg, 0, sizeof(*seg));
	segment_name(c->instance, seg->name);
	seg->size_bytes = header_plan(&planned, c);
	seg->fd = shm_open(seg->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (seg->fd < 0) {
		err = -errno;
		if (err != -EEXIST || !segment_is_named(c->instance, why))
			snprintf(why, WHY_BYTES, "create segment %s for instance '%s': %s: see /dev/shm", seg->name,
				 c->instance, log_text_of(-err));
		return err;
	}
	err = -posix_fallocate(seg->fd, 0, (off_t)seg->size_bytes);
	if (!err)
		err = map(seg, PROT_READ | PROT_WRITE);
	if (err) {
		snprintf(why, WHY_BYTES,
			 "allocate %.1f MiB for segment %s: %s; make room in /dev/shm, or use smaller "
			 "queue limits",
			 (double)seg->size_bytes / 1048576, seg->name, log_text_of(-err));
		shm_unlink(seg->name);
		segment_close(seg);
		return err;
	}
	fill_header(seg, c, cookies, n_sockets);
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

/* What is observed may be cut short by its owner at any moment: then it reads as zeros, and the next look says so. */
static struct {
	void *at;
	size_t bytes;
} observed;

static void on_bus_error(int sig, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr, from = (uintptr_t)observed.at;
	void *zeros = MAP_FAILED;

	(void)context;
	if (observed.at && at >= from && at - from < observed.bytes)
		/* cppcheck-suppress invalidFunctionArg ; -1 is what MAP_ANONYMOUS wants */
		zeros = mmap(observed.at, observed.bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (zeros != MAP_FAILED)
		return;
	signal(sig, SIG_DFL); /* the instruction is tried again, and ends the process */
}

static void bear_truncation(const struct segment *seg)
{
	struct sigaction act = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };

	observed.at = seg->shared;
	observed.bytes = seg->size_bytes;
	sigaction(SIGBUS, &act, NULL);
}

static int open_and_map(struct segment *seg, const char *instance, int writable, int handed, char why[WHY_BYTES])
{
	struct stat st;
	const char *wrong;
	int err;

	memset(seg, 0, sizeof(*seg));
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
	if (wrong)
		return refuse_segment(seg, wrong, err, st.st_uid, why);
	seg->size_bytes = (uint64_t)st.st_size;
	err = map(seg, writable ? PROT_READ | PROT_WRITE : PROT_READ);
	if (err) {
		snprintf(why, WHY_BYTES, "map segment %s: %s", seg->name, log_text_of(-err));
		segment_close(seg);
		return err;
	}
	if (!writable)
		bear_truncation(seg);
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

	if (fstat(seg->fd, &st) == 0 && st.st_size < (off_t)seg->size_bytes) {
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
		if (proxied_needs_origin(&c->classes[i]) && !seg->views[i].origins) {
			snprintf(why, WHY_BYTES,
				 "segment %s: class %s: no room for the senders of its datagrams, which `source` or "
				 "`accept_proxy` asks for: run/stop.sh, then run/launch.sh",
				 seg->name, c->classes[i].name);
			return -EPROTO;
		}
	return 0;
}

int segment_attach_handed(struct segment *seg, int fd, const struct config *c, char why[WHY_BYTES])
{
	int err = open_and_map(seg, c->instance, 1, fd, why);

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
	return open_and_map(seg, instance, 0, -1, why);
}

int segment_observe_handed(struct segment *seg, int fd, const char *instance, char why[WHY_BYTES])
{
	return open_and_map(seg, instance, 0, fd, why);
}

int segment_is_mine(const struct segment *seg)
{
	struct stat st;

	return fstat(seg->fd, &st) == 0 && st.st_uid == geteuid();
}

void segment_touch(void *at, size_t bytes)
{
	uintptr_t first = (uintptr_t)at & ~(uintptr_t)(PAGE - 1), end = (uintptr_t)at + bytes;

	for (uintptr_t page = first; page < end; page += PAGE) {
		_Atomic uint8_t *byte = (_Atomic uint8_t *)(page < (uintptr_t)at ? (uintptr_t)at : page);

		/* relaxed: changes nothing, but must be a write */
		atomic_fetch_or_explicit(byte, 0, memory_order_relaxed);
	}
}

void segment_populate(const struct segment *seg)
{
	madvise(seg->shared, seg->size_bytes, MADV_COLLAPSE); /* refused: pages stay as small as they are */
	segment_touch(seg->shared, seg->size_bytes);
}

void segment_close(struct segment *seg)
{
	if (seg->shared && seg->shared == observed.at)
		observed.at = NULL;
	if (seg->shared)
		munmap(seg->shared, seg->size_bytes);
	if (seg->fd >= 0)
		close(seg->fd);
	seg->shared = NULL;
	seg->fd = -1;
}
