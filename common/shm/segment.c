/* segment.c - create, attach, check and remove the shared segment. */
#include "segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "find.h"

#define PAGE 4096u
#define SHM "/dev/shm"

void segment_name(const char *instance, char name[SEGMENT_NAME_BYTES])
{
	snprintf(name, SEGMENT_NAME_BYTES, "/ontime.%s.v%d", instance, LAYOUT_VERSION);
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

/* FNV-1a over the header behind the magic word, up to the checksum. */
static uint64_t header_checksum(const struct header *h)
{
	const uint8_t *p = (const uint8_t *)&h->layout, *end = (const uint8_t *)&h->checksum;
	uint64_t sum = 0xcbf29ce484222325ULL;

	while (p < end)
		sum = (sum ^ *p++) * 0x100000001b3ULL;
	return sum;
}

/* Where everything lies: a function of the config alone. Returns the size in bytes. */
static uint64_t plan(struct header *h, const struct config *c)
{
	uint64_t at = round_up(sizeof(struct shared), LINE);
	uint32_t half = (uint32_t)round_up(c->payload_bytes, LINE);

	h->n_classes = c->n_classes;
	h->payload_bytes = c->payload_bytes;
	h->second_offset = c->work == WORK_PLUGIN ? half : 0;
	for (uint32_t i = 0; i < c->n_classes; i++) {
		struct class_entry *e = &h->classes[i];
		uint32_t stride = h->second_offset + half;

		while ((stride & (stride - 1)) == 0)
			stride += LINE; /* powers of two put all slots into the same cache sets */
		memcpy(e->name, c->classes[i].name, sizeof(e->name));
		e->slots = config_slots_pkts(&c->classes[i]);
		e->stride_bytes = stride;
		e->lane_offset = at;
		e->arrivals_offset = at += sizeof(struct lane);
		e->results_offset = at = round_up(at + sizeof(struct arrival) * e->slots, LINE);
		e->departures_offset = at = round_up(at + sizeof(struct result) * e->slots, LINE);
		e->payload_offset = at = round_up(at + sizeof(struct departure) * e->slots, LINE);
		at = round_up(at + (uint64_t)stride * e->slots, PAGE);
	}
	return at;
}

static void make_views(struct segment *seg)
{
	char *base = (char *)seg->shared;
	const struct header *h = &seg->header;

	seg->n_classes = h->n_classes;
	for (uint32_t i = 0; i < h->n_classes; i++) {
		const struct class_entry *e = &h->classes[i];

		seg->views[i] = (struct lane_view){
			.lane = (struct lane *)(base + e->lane_offset),
			.arrivals = (struct arrival *)(base + e->arrivals_offset),
			.results = (struct result *)(base + e->results_offset),
			.departures = (struct departure *)(base + e->departures_offset),
			.payload = (uint8_t *)(base + e->payload_offset),
			.slots = e->slots,
			.mask = e->slots - 1,
			.stride_bytes = e->stride_bytes,
			.second_offset = h->second_offset,
		};
	}
}

static int map(struct segment *seg, int prot)
{
	void *at = mmap(NULL, seg->size_bytes, prot, MAP_SHARED, seg->fd, 0);

	if (at == MAP_FAILED)
		return -errno;
	seg->shared = at;
	/* Lock what gets touched, without touching all of it now: a restart has 1 ms, not 10. */
	seg->locked = (prot & PROT_WRITE) && mlock2(at, seg->size_bytes, MLOCK_ONFAULT) == 0;
	return 0;
}

static void fill_header(struct segment *seg, const struct config *c, const uint64_t *cookies, uint32_t n_sockets)
{
	struct header *h = &seg->shared->header;

	plan(h, c);
	h->layout = LAYOUT_VERSION;
	h->layout_hash = layout_hash();
	h->size_bytes = seg->size_bytes;
	h->config_digest = config_digest(c);
	h->created_at_ns = now_ns();
	h->n_sockets = n_sockets;
	if (n_sockets)
		memcpy(h->socket_cookies, cookies, n_sockets * sizeof(*cookies));
	h->checksum = header_checksum(h);
	/* ORDER ready: release; pairs with the acquire in check_header(). The header first, then the magic word. */
	atomic_store_explicit(&h->magic, LAYOUT_MAGIC, memory_order_release);
}

static const char another_user[] = "it belongs to another user";

static void explain_refusal(const char *name, const char *wrong, uid_t owner, char why[WHY_BYTES])
{
	snprintf(why, WHY_BYTES,
		 "attach segment %s: %s (uid %u; this is uid %u): nothing of it is touched; act as its owner, or "
		 "choose another `instance`",
		 name, wrong, owner, geteuid());
}

static int stat_name(const char *name, struct stat *st)
{
	char path[SEGMENT_NAME_BYTES + sizeof(SHM)];

	snprintf(path, sizeof(path), SHM "%s", name);
	return lstat(path, st) < 0 ? -errno : 0;
}

int segment_is_named(const char *instance, char why[WHY_BYTES])
{
	char name[SEGMENT_NAME_BYTES];
	struct stat st;

	segment_name(instance, name);
	if (stat_name(name, &st))
		return 0;
	if (st.st_uid != geteuid())
		explain_refusal(name, another_user, st.st_uid, why);
	else
		snprintf(why, WHY_BYTES,
			 "launch instance '%s': segment %s is there already: it runs, or was not stopped cleanly; "
			 "run/stop.sh ends and removes it",
			 instance, name);
	return 1;
}

int segment_create(struct segment *seg, const struct config *c, const uint64_t *cookies, uint32_t n_sockets,
		   char why[WHY_BYTES])
{
	struct header planned = { 0 };
	int err;

	memset(seg, 0, sizeof(*seg));
	segment_name(c->instance, seg->name);
	seg->size_bytes = plan(&planned, c);
	seg->fd = shm_open(seg->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (seg->fd < 0) {
		err = -errno;
		if (err != -EEXIST || !segment_is_named(c->instance, why))
			snprintf(why, WHY_BYTES, "create segment %s for instance '%s': %s: see /dev/shm", seg->name,
				 c->instance, strerror(-err));
		return err;
	}
	err = -posix_fallocate(seg->fd, 0, (off_t)seg->size_bytes);
	if (!err)
		err = map(seg, PROT_READ | PROT_WRITE);
	if (err) {
		snprintf(why, WHY_BYTES,
			 "allocate %.1f MiB for segment %s: %s; make room in /dev/shm, or use smaller "
			 "queue limits",
			 (double)seg->size_bytes / 1048576, seg->name, strerror(-err));
		shm_unlink(seg->name);
		segment_close(seg);
		return err;
	}
	fill_header(seg, c, cookies, n_sockets);
	memcpy(&seg->header, &seg->shared->header, sizeof(seg->header));
	make_views(seg);
	return 0;
}

static int range_is_inside(uint64_t offset, uint64_t bytes, uint64_t size)
{
	return offset >= sizeof(struct shared) && offset % LINE == 0 && offset <= size && bytes <= size - offset;
}

/* It goes to terminals and into files as it is. */
static int class_name_is_sane(const char name[CLASS_NAME_BYTES])
{
	size_t len = strnlen(name, CLASS_NAME_BYTES);

	return len > 0 && len < CLASS_NAME_BYTES && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

static int class_is_sane(const struct class_entry *e, const struct header *h, uint64_t size)
{
	return e->slots >= 2 && (e->slots & (e->slots - 1)) == 0 && e->slots <= 1u << 20 &&
	       class_name_is_sane(e->name) && h->payload_bytes <= 65536 && h->second_offset <= 1u << 17 &&
	       e->stride_bytes >= h->second_offset + h->payload_bytes && e->stride_bytes <= 1u << 18 &&
	       range_is_inside(e->lane_offset, sizeof(struct lane), size) &&
	       range_is_inside(e->arrivals_offset, sizeof(struct arrival) * e->slots, size) &&
	       range_is_inside(e->results_offset, sizeof(struct result) * e->slots, size) &&
	       range_is_inside(e->departures_offset, sizeof(struct departure) * e->slots, size) &&
	       range_is_inside(e->payload_offset, (uint64_t)e->stride_bytes * e->slots, size);
}

/* Returns NULL when the header makes sense, else what is wrong with it, and *err. It is judged, and used from then on, as a copy:
   its owner may be another user, who changes it after the look. */
static const char *check_header(struct segment *seg, int *err)
{
	const struct header *h = &seg->header;

	*err = -EPROTO;
	/* ORDER ready: acquire; pairs with the release in fill_header(). */
	if (atomic_load_explicit(&seg->shared->header.magic, memory_order_acquire) != LAYOUT_MAGIC)
		return "it is not an ontime segment, or its creation was cut short";
	memcpy(&seg->header, &seg->shared->header, sizeof(seg->header));
	if (h->layout != LAYOUT_VERSION || h->layout_hash != layout_hash()) {
		*err = -ESTALE;
		return "it was made by a build with another layout of the segment";
	}
	if (h->checksum != header_checksum(h))
		return "its header or class table is damaged";
	if (h->size_bytes != seg->size_bytes || h->n_classes == 0 || h->n_classes > MAX_CLASSES ||
	    h->n_sockets > MAX_SOCKETS)
		return "its header contradicts its size";
	for (uint32_t i = 0; i < h->n_classes; i++)
		if (!class_is_sane(&h->classes[i], h, seg->size_bytes))
			return "its class table makes no sense";
	return NULL;
}

/* A segment of that instance, of whatever layout? Anybody may put names there: only this user's count. */
static int is_name_of_mine(DIR *dir, const char *name, const char *prefix, size_t prefix_bytes)
{
	struct stat st;

	return strncmp(name, prefix, prefix_bytes) == 0 && name[prefix_bytes] != 0 &&
	       strspn(name + prefix_bytes, "0123456789") == strlen(name + prefix_bytes) &&
	       fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == geteuid();
}

/* Another layout's segment of the same instance explains a missing one better than "not found". */
static int find_other_layout(const char *instance, char *found, size_t bytes)
{
	char prefix[SEGMENT_NAME_BYTES];
	int n = snprintf(prefix, sizeof(prefix), "ontime.%s.v", instance);
	DIR *dir = opendir(SHM);
	struct dirent *e;
	int any = 0;

	while (dir && !any && (e = readdir(dir)))
		if (is_name_of_mine(dir, e->d_name, prefix, (size_t)n)) {
			snprintf(found, bytes, "%s", e->d_name);
			any = 1;
		}
	if (dir)
		closedir(dir);
	return any;
}

static int explain_missing(struct segment *seg, const char *instance, int err, char why[WHY_BYTES])
{
	char other[256];
	struct stat st;

	if (err != -ENOENT && stat_name(seg->name, &st) == 0 && (st.st_uid != geteuid() || !S_ISREG(st.st_mode))) {
		explain_refusal(seg->name, st.st_uid != geteuid() ? another_user : "it is no regular file", st.st_uid,
				why);
		return -EPERM;
	}
	if (err == -ENOENT && find_other_layout(instance, other, sizeof(other))) {
		snprintf(why, WHY_BYTES,
			 "attach segment %s: instance '%s' runs with another layout (%s): run/stop.sh, then "
			 "run/launch.sh",
			 seg->name, instance, other);
		return -EPROTO;
	}
	if (err == -ENOENT)
		snprintf(why, WHY_BYTES, "attach segment %s: instance '%s' is not running; run/launch.sh starts it",
			 seg->name, instance);
	else
		snprintf(why, WHY_BYTES, "attach segment %s: %s", seg->name, strerror(-err));
	return err;
}

/* A shared name proves nothing: whoever came first may have made it. Returns NULL, or what is wrong, and *err. */
static const char *check_owner(const struct stat *st, int writable, int *err)
{
	*err = -EPERM;
	if (!S_ISREG(st->st_mode))
		return "it is no regular file";
	if (st->st_uid != geteuid() && (writable || geteuid() != 0))
		return another_user;
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return "other users may write to it";
	if (st->st_nlink > 1)
		return "it has another name too, which may be another instance's";
	*err = -EPROTO;
	return st->st_size < (off_t)sizeof(struct shared) ? "it is too small to be one of ours" : NULL;
}

/* By descriptor, by name, or by a process that has it open. A name that somebody else has taken is no reason not to find ours. */
static int open_segment(const char *instance, const char *name, int handed, int flags)
{
	char path[32];
	struct stat st;
	int fd = -1, found;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", handed);
	if (handed >= 0) /* a description of its own, so that locks are its own too */
		fd = open(path, flags);
	if (fd >= 0)
		return fd;
	fd = shm_open(name, flags | O_NONBLOCK, 0); /* a pipe of that name must not be waited for */
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid())
		return fd;
	fd = fd < 0 ? -errno : fd;
	found = segment_find(instance, flags);
	if (found < 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return found;
}

static int refuse_segment(struct segment *seg, const char *wrong, int err, uid_t owner, char why[WHY_BYTES])
{
	char both[128];

	if (err != -EPERM && owner != geteuid()) { /* what is wrong with it is not for this user to put right */
		snprintf(both, sizeof(both), "%s, and %s", wrong, another_user);
		wrong = both;
		err = -EPERM;
	}
	if (err == -EPERM)
		explain_refusal(seg->name, wrong, owner, why);
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
	explain_refusal(seg->name, another_user, st.st_uid, why);
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
	seg->fd = open_segment(instance, seg->name, handed, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
	if (seg->fd < 0)
		return explain_missing(seg, instance, seg->fd, why);
	if (fstat(seg->fd, &st) < 0)
		memset(&st, 0, sizeof(st));
	wrong = check_owner(&st, writable, &err);
	if (wrong)
		return refuse_segment(seg, wrong, err, st.st_uid, why);
	seg->size_bytes = (uint64_t)st.st_size;
	err = map(seg, writable ? PROT_READ | PROT_WRITE : PROT_READ);
	if (err) {
		snprintf(why, WHY_BYTES, "map segment %s: %s", seg->name, strerror(-err));
		segment_close(seg);
		return err;
	}
	if (!writable)
		bear_truncation(seg);
	wrong = check_header(seg, &err);
	if (wrong)
		return refuse_segment(seg, wrong, err, st.st_uid, why);
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
	err = err ? err : segment_lanes_are_sane(seg, why);
	if (err)
		segment_close(seg);
	return err;
}

int segment_observe(struct segment *seg, const char *instance, char why[WHY_BYTES])
{
	return open_and_map(seg, instance, 0, -1, why);
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

int segment_remove(const char *instance)
{
	char name[SEGMENT_NAME_BYTES];
	struct stat st;
	int err;

	segment_name(instance, name);
	err = stat_name(name, &st);
	if (!err && st.st_uid != geteuid())
		return -EPERM;
	return err ? err : shm_unlink(name) < 0 ? -errno : 0;
}

int segment_remove_all(const char *instance)
{
	char prefix[SEGMENT_NAME_BYTES];
	size_t n = (size_t)snprintf(prefix, sizeof(prefix), "ontime.%s.v", instance);
	DIR *dir = opendir(SHM);
	struct dirent *e;
	int err = 0;

	while (dir && (e = readdir(dir)))
		if (is_name_of_mine(dir, e->d_name, prefix, n) && unlinkat(dirfd(dir), e->d_name, 0) < 0)
			err = -errno;
	if (dir)
		closedir(dir);
	return err;
}
