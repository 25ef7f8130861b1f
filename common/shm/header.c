/* header.c - does the header of a segment make sense? */
#include "header.h"

#include <errno.h>

#include "config/copying.h"
#include "config/guard.h"
#include "config/proxied.h"
#include "config/reply.h"

/* FNV-1a over the header behind the magic word, up to the checksum. */
uint64_t header_checksum(const struct header *h)
{
	const uint8_t *p = (const uint8_t *)&h->layout, *end = (const uint8_t *)&h->checksum;
	uint64_t sum = 0xcbf29ce484222325ULL;

	while (p < end)
		sum = (sum ^ *p++) * 0x100000001b3ULL;
	return sum;
}

static int range_is_inside(uint64_t offset, uint64_t bytes, uint64_t size)
{
	return offset >= sizeof(struct shared) && offset % LINE == 0 && offset <= size && bytes <= size - offset;
}

static uint64_t destinations_bytes(uint32_t n)
{
	return n ? sizeof(struct destinations) + n * sizeof(struct destination) : 0;
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
	       range_is_inside(e->payload_offset, (uint64_t)e->stride_bytes * e->slots, size) &&
	       e->n_sessions <= MAX_SESSIONS && e->n_session_sockets <= e->n_sessions &&
	       (e->n_session_sockets == e->n_sessions || e->n_session_sockets == 1 || e->n_session_sockets == 2) &&
	       e->forth <= h->n_classes &&
	       range_is_inside(e->sessions_offset, sizeof(struct session) * e->n_sessions, size) &&
	       e->n_destinations <= MAX_DESTS &&
	       range_is_inside(e->destinations_offset, destinations_bytes(e->n_destinations), size) &&
	       e->n_copies <= MAX_COPIES && (e->n_copies == 0) == (e->copies_offset == 0) &&
	       (e->n_copies == 0 || range_is_inside(e->copies_offset, sizeof(struct copies), size)) &&
	       (e->origins_offset == 0 || range_is_inside(e->origins_offset, sizeof(struct origin) * e->slots, size)) &&
	       (e->guard_offset == 0 || range_is_inside(e->guard_offset, sizeof(struct guard), size));
}

/* Who opens the sockets of all sessions has room for so many. */
static int sessions_are_sane(const struct header *h)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < h->n_classes; i++)
		sum += h->classes[i].n_sessions;
	return sum == 0 ||
	       (sum <= MAX_SESSIONS && range_is_inside(h->ports_offset, sizeof(struct session_ports), h->size_bytes));
}

const char *header_check(struct segment *seg, int *err)
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
	if (h->size_bytes != seg->size_bytes || h->shard != seg->shard || h->n_shards != seg->n_shards)
		return "its header contradicts its size";
	if (h->n_classes == 0 || h->n_classes > MAX_CLASSES || h->n_sockets > MAX_SOCKETS ||
	    (h->scratch_offset && !range_is_inside(h->scratch_offset, sizeof(struct scratch), seg->size_bytes)))
		return "its header contradicts its size";
	for (uint32_t i = 0; i < h->n_classes; i++)
		if (!class_is_sane(&h->classes[i], h, seg->size_bytes))
			return "its class table makes no sense";
	if (!sessions_are_sane(h))
		return "its classes have more sessions together than there can be, or no place for their ports";
	return NULL;
}

static uint64_t round_up(uint64_t n, uint64_t to)
{
	return (n + to - 1) / to * to;
}

uint64_t header_plan(struct header *h, const struct config *c)
{
	uint64_t at = round_up(sizeof(struct shared), LINE);
	uint32_t half = (uint32_t)round_up(c->payload_bytes, LINE), n_sessions = 0;

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
		e->sessions_offset = at = round_up(at + (uint64_t)stride * e->slots, PAGE);
		e->n_sessions = reply_sessions(c, i);
		e->n_session_sockets = reply_sockets(c, i);
		e->forth = (uint32_t)(reply_forth(c, i) + 1);
		n_sessions += e->n_sessions;
		at = round_up(at + sizeof(struct session) * e->n_sessions, PAGE);
		e->origins_offset = proxied_needs_origin(&c->classes[i]) ? at : 0;
		at = round_up(at + (e->origins_offset ? sizeof(struct origin) * e->slots : 0), PAGE);
		e->destinations_offset = at;
		e->n_destinations = c->classes[i].n_dests;
		at = round_up(at + destinations_bytes(e->n_destinations), PAGE);
		e->n_copies = copying_count(&c->classes[i]);
		e->copies_offset = e->n_copies ? at : 0;
		at = round_up(at + (e->n_copies ? sizeof(struct copies) : 0), PAGE);
		e->guard_offset = guard_needs_memory(&c->classes[i]) ? at : 0;
		at = round_up(at + (e->guard_offset ? sizeof(struct guard) : 0), PAGE);
	}
	h->ports_offset = n_sessions ? at : 0;
	at = round_up(at + (n_sessions ? sizeof(struct session_ports) : 0), PAGE);
	h->scratch_offset = c->gro == GRO_OFF ? 0 : at;
	return round_up(at + (h->scratch_offset ? sizeof(struct scratch) : 0), HUGE_PAGE);
}

int header_is_as_planned(const struct header *h, const struct config *c)
{
	struct header planned = { 0 };
	int same;

	header_plan(&planned, c);
	same = h->n_classes == planned.n_classes && h->payload_bytes == planned.payload_bytes &&
	       h->second_offset == planned.second_offset;
	for (uint32_t i = 0; same && i < h->n_classes; i++) {
		const struct class_entry *a = &h->classes[i], *b = &planned.classes[i];

		same = strcmp(a->name, b->name) == 0 && a->slots == b->slots && a->n_sessions == b->n_sessions &&
		       a->n_session_sockets == b->n_session_sockets && a->forth == b->forth &&
		       a->n_destinations == b->n_destinations && !a->guard_offset == !b->guard_offset;
	}
	return same;
}
