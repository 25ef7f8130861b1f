/* batch.c - collect packets for one system call, and mark runs for UDP_SEGMENT. */
#include "batch.h"

#include <assert.h>
#include <netinet/udp.h>
#include <string.h>

#include "config/address.h"
#include "config/shown.h"
#include "target.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

static_assert(LONGEST_SCAN <= UINT16_MAX, "released[] holds as many");

static int is_late(const struct sender *s, uint32_t class, uint32_t index, uint64_t now)
{
	uint64_t budget_ns = s->stage->config.classes[class].budget_ns;

	return s->stage->config.late == LATE_DROP && budget_ns != BUDGET_NONE &&
	       now > s->stage->seg.views[class].arrivals[index].arrived_at_ns + budget_ns;
}

int batch_admits(struct sender *s, uint32_t class, uint32_t index, uint64_t now)
{
	const struct lane_view *v = &s->stage->seg.views[class];

	if (v->results[index].drop != DROP_NONE)
		return 0;
	v->departures[index].drop = s->ways[class].choice && target_is_lost(s, class, index, now) ? DROP_NO_DESTINATION
				    : is_late(s, class, index, now)				  ? DROP_LATE_EGRESS
												  : DROP_NONE;
	return v->departures[index].drop == DROP_NONE;
}

/*
 * What a packet leaves with. An ECN-capable one that has used the given part of its budget is marked, so that its
 * sender slows down before packets are late. Congestion that it met before is kept, unless nothing is.
 */
static uint8_t decide_tos(struct sender *s, uint32_t class, uint32_t index, uint64_t now)
{
	const struct class_config *c = &s->stage->config.classes[class];
	const struct arrival *a = &s->stage->seg.views[class].arrivals[index];
	uint8_t dscp = c->dscp == DSCP_KEEP ? a->tos >> 2 : (uint8_t)c->dscp;
	uint8_t ecn = c->ecn == ECN_OFF ? TOS_NOT_ECT : a->tos & TOS_ECN;
	int marks =
		c->ecn == ECN_MARK && ecn_is_due(a->tos, a->arrived_at_ns, c->budget_ns, c->ecn_mark_at_percent, now);

	s->stage->seg.views[class].departures[index].marked = (uint8_t)marks;
	return (uint8_t)(dscp << 2 | (marks ? TOS_CE : ecn));
}

static int joins_run(const struct batch *b, uint32_t len_bytes, uint8_t tos, const struct session *session,
		     const struct sockaddr_in6 *sender)
{
	return tos == b->run_tos && session == b->session && b->n_msgs > 0 && b->run_len_bytes > 0 && len_bytes > 0 &&
	       len_bytes <= b->run_len_bytes && b->run_len_bytes < b->gso_below_bytes &&
	       b->run_total_bytes + len_bytes <= GSO_MOST_BYTES && seen_is_same(sender, b->sender);
}

/* One more thing said beside the last message's payload. */
static void say(struct batch *b, struct egress_journal *j, int level, int type, const void *value, size_t bytes)
{
	struct msghdr *m = &j->msgs[b->n_msgs - 1].msg_hdr;
	uint8_t *control = j->control[b->n_msgs - 1]; /* not m->msg_control, which others can write to */
	struct cmsghdr *c = (struct cmsghdr *)(control + b->control_bytes);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(c), value, bytes);
	b->control_bytes += (uint32_t)CMSG_SPACE(bytes);
	m->msg_control = control;
	m->msg_controllen = b->control_bytes;
}

static void say_segment_size(struct batch *b, struct egress_journal *j)
{
	uint16_t size = (uint16_t)b->run_len_bytes;

	say(b, j, SOL_UDP, UDP_SEGMENT, &size, sizeof(size));
}

static void say_tos(struct batch *b, struct egress_journal *j)
{
	int v4 = b->to->to->at.ss_family == AF_INET, tos = b->run_tos;

	say(b, j, v4 ? SOL_IP : SOL_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &tos, sizeof(tos));
}

/* scope: the interface of a link-local address, without which the kernel refuses it; else 0. */
static void say_source(struct batch *b, struct egress_journal *j, int is_v4, const uint8_t address[16], uint32_t scope)
{
	struct in6_pktinfo v6 = { .ipi6_ifindex = scope };
	struct in_pktinfo v4 = { 0 };

	memcpy(&v4.ipi_spec_dst, address, sizeof(v4.ipi_spec_dst));
	memcpy(&v6.ipi6_addr, address, sizeof(v6.ipi6_addr));
	if (is_v4)
		say(b, j, SOL_IP, IP_PKTINFO, &v4, sizeof(v4));
	else
		say(b, j, SOL_IPV6, IPV6_PKTINFO, &v6, sizeof(v6));
}

static void say_destination(struct batch *b, struct egress_journal *j, const struct sockaddr_in6 *at)
{
	struct msghdr *m = &j->msgs[b->n_msgs - 1].msg_hdr;
	struct sockaddr_in6 *to = &b->names[b->n_msgs - 1];

	once_copy(to, at, sizeof(*to));
	m->msg_name = to;
	m->msg_namelen = to->sin6_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

/* To the client, from the address that it wrote to. */
static void address_reply(struct batch *b, struct egress_journal *j)
{
	static const uint8_t unset[sizeof(b->session->local)];

	say_destination(b, j, &b->session->client);
	if (memcmp(b->session->local, unset, sizeof(unset)) != 0)
		say_source(b, j, b->session->is_v4_local, b->session->local, b->session->local_scope);
}

/* To the session's destination, from the session's address. */
static void address_forth(struct batch *b, struct egress_journal *j, const struct way *w)
{
	uint8_t of = once(b->session->destination);
	uint32_t i = of < w->via->n_dests ? of : 0;
	struct sockaddr_storage at;
	struct sockaddr_in6 to;
	uint8_t source[16];

	if (address_resolve(&w->via->dests[i], &at))
		at = w->via->dests[i].at; /* as it was last; the kernel says what is wrong */
	memcpy(&to, &at, sizeof(to));
	via_address(&w->via->via, w->n_sessions, (uint32_t)(b->session - w->sessions), b->session->number, source);
	say_destination(b, j, &to);
	say_source(b, j, !w->via->via.is_v6, source, 0);
}

static void extend_run(struct batch *b, struct egress_journal *j, uint32_t n_vectors, uint32_t len_bytes)
{
	j->msgs[b->n_msgs - 1].msg_hdr.msg_iovlen += n_vectors;
	if (b->run_pkts == 1)
		say_segment_size(b, j);
	b->run_total_bytes += len_bytes;
	b->run_pkts++;
	if (len_bytes < b->run_len_bytes)
		b->run_len_bytes = 0; /* a shorter packet ends the run */
}

/* From that sender, whatever the address of the socket. */
static void say_sender(struct batch *b, struct egress_journal *j, const struct sockaddr_in6 *sender)
{
	uint8_t address[16];

	seen_address(sender, address);
	say_source(b, j, sender->sin6_family == AF_INET, address, seen_scope(sender));
}

/* What is to be sent of the packet in a slot: no more than lies there. */
static struct iovec payload_of(const struct sender *s, uint32_t class, uint32_t index)
{
	const struct lane_view *v = &s->stage->seg.views[class];
	uint32_t len_bytes = once(v->results[index].len_bytes);
	uint32_t at_bytes = once(v->results[index].second) ? v->second_offset : lane_skip_bytes(v, index);

	stage_check_length(s->stage, class, (uint64_t)len_bytes + (at_bytes == v->second_offset ? 0 : at_bytes));
	return (struct iovec){ lane_payload(v, index) + at_bytes, len_bytes };
}

/* The packet in a slot as vectors, and the header before it, if it has one. Returns how many. */
static uint32_t add_vectors(struct batch *b, struct sender *s, uint32_t index, uint32_t header_bytes, uint8_t tos,
			    const struct iovec *payload)
{
	const struct lane_view *v = &s->stage->seg.views[b->class];
	struct iovec *at = &s->journal->vectors[b->n_vectors];
	uint8_t *header = b->headers[b->n_pkts];

	if (b->is_raw)
		*at++ = (struct iovec){ header,
					seen_header(s, b->to, seen_sender(s, b->class, index), tos, payload, header) };
	else if (header_bytes)
		*at++ = (struct iovec){ v->origins[index].header, header_bytes };
	*at++ = *payload;
	return (uint32_t)(at - &s->journal->vectors[b->n_vectors]);
}

static void begin_message(struct batch *b, const struct sender *s, uint32_t n_vectors, uint32_t len_bytes, uint8_t tos,
			  const struct session *session, const struct sockaddr_in6 *sender)
{
	struct egress_journal *j = s->journal;

	if (b->n_msgs == 0)
		b->first_len_bytes = len_bytes;
	b->pkts[b->n_msgs] = 0;
	b->bytes[b->n_msgs] = 0;
	j->msgs[b->n_msgs++].msg_hdr = (struct msghdr){ .msg_iov = &j->vectors[b->n_vectors], .msg_iovlen = n_vectors };
	b->run_len_bytes = b->run_total_bytes = len_bytes;
	b->run_pkts = 1;
	b->run_tos = tos;
	b->control_bytes = 0;
	b->session = b->sessions[b->n_msgs - 1] = session;
	b->sender = sender;
	if (b->n_msgs == 1)
		b->first_sender = sender;
	if (b->is_raw)
		return;
	if (sender)
		say_sender(b, j, sender);
	else if (session && s->ways[b->class].via)
		address_forth(b, j, &s->ways[b->class]);
	else if (session)
		address_reply(b, j);
	if (tos != b->to->tos)
		say_tos(b, j);
}

static uint32_t gso_below(const struct batch *b, const struct sender *s, const struct session *session,
			  const struct sockaddr_in6 *sender, uint64_t now)
{
	const struct output *peer = sender_known_peer(s, b->class, session, now);

	if (b->is_raw || now < (peer ? peer : b->to)->gso_again_at_ns || seen_is_in_doubt(s, sender, now))
		return 0;
	return b->to->gso_below_bytes;
}

static void add_packet(struct batch *b, struct sender *s, uint32_t index, uint64_t now)
{
	const struct lane_view *v = &s->stage->seg.views[b->class];
	const struct iovec payload = payload_of(s, b->class, index);
	uint32_t header_bytes = lane_header_bytes(v, index), n_vectors;
	uint32_t len_bytes = header_bytes + (uint32_t)payload.iov_len;
	uint8_t tos = decide_tos(s, b->class, index, now);
	const struct way *w = &s->ways[b->class];
	const struct session *session = w->forth || w->via ? sender_session(s, b->class, index) : NULL;
	const struct sockaddr_in6 *sender = seen_sender(s, b->class, index);

	v->departures[index].handed_at_ns = now;
	n_vectors = add_vectors(b, s, index, header_bytes, tos, &payload);
	if (joins_run(b, len_bytes, tos, session, sender)) {
		extend_run(b, s->journal, n_vectors, len_bytes);
	} else {
		begin_message(b, s, n_vectors, len_bytes, tos, session, sender);
		b->gso_below_bytes = gso_below(b, s, session, sender, now);
	}
	b->pkts[b->n_msgs - 1]++;
	b->bytes[b->n_msgs - 1] += len_bytes + b->to->overhead_bytes;
	b->n_pkts++;
	b->n_vectors += n_vectors;
	b->wire_bytes += len_bytes + b->to->overhead_bytes;
}

/* Once the last message is sent, all slots judged so far are released: by this process or by a successor. */
static void note_released(struct batch *b, struct egress_journal *j)
{
	j->released[b->n_msgs - 1] = b->released[b->n_msgs - 1] = (uint16_t)(b->scanned + 1);
}

static int goes_along(const struct batch *b, struct sender *s, uint32_t index)
{
	if (s->ways[b->class].choice && target_is_missing(s, b->class, index))
		return 0;
	return b->has_one_way || sender_output(s, b->class, index) == b->to;
}

static int has_room(const struct batch *b, const struct sender *s, uint32_t index, uint32_t most_bytes)
{
	const struct lane_view *v = &s->stage->seg.views[b->class];
	uint32_t len_bytes = lane_header_bytes(v, index) + once(v->results[index].len_bytes);

	return b->wire_bytes + len_bytes + b->to->overhead_bytes <= most_bytes;
}

static void begin_batch(struct batch *b, struct sender *s, uint32_t class, struct output *to, uint32_t index,
			uint64_t now)
{
	memset(b, 0, offsetof(struct batch, released));
	b->class = class;
	b->to = to;
	b->common = s->ways[class].n_sessions ? sender_common(s, class, index) : b->to;
	b->has_one_way = s->ways[class].n_sessions == 0 && s->stage->config.classes[class].n_dests == 1;
	b->is_raw = shown_has_port(&s->stage->config.classes[class]);
	add_packet(b, s, index, now);
	note_released(b, s->journal);
}

/* A run is full, and the next one would be cut short by the end of the batch: it leaves whole by the next call. */
static int ends_with_run(const struct batch *b)
{
	return b->run_len_bytes > 0 && b->run_total_bytes + b->run_len_bytes > GSO_MOST_BYTES &&
	       BATCH - b->n_pkts < b->run_pkts;
}

void batch_build(struct batch *b, struct sender *s, uint32_t class, uint32_t most_bytes, uint64_t now)
{
	uint32_t n = sender_waiting_pkts(s, class), index = sender_index(s, class, 0);

	begin_batch(b, s, class, sender_output(s, class, index), index, now);
	for (b->scanned = 1; b->scanned < n && b->n_pkts < BATCH; b->scanned++) {
		index = sender_index(s, class, b->scanned);
		if (batch_admits(s, class, index, now)) {
			if (!goes_along(b, s, index) || !has_room(b, s, index, most_bytes) || ends_with_run(b))
				break;
			add_packet(b, s, index, now);
		}
		note_released(b, s->journal);
	}
}

void batch_build_copy(struct batch *b, struct sender *s, uint32_t class, uint32_t most_bytes)
{
	const struct lane_view *v = &s->stage->seg.views[class];
	const struct copies_tally *t = &s->settled.copies[class];
	uint32_t first = (uint32_t)t->done_slots, n = (uint32_t)t->batch_slots - first, index = sender_head(s, class);
	uint64_t began_at_ns = v->departures[index].handed_at_ns; /* so that all destinations see it marked, or none */

	begin_batch(b, s, class, sender_copy_output(s, class), index, began_at_ns);
	for (b->scanned = 1; b->scanned < n && b->n_pkts < BATCH; b->scanned++) {
		index = sender_index(s, class, first + b->scanned);
		if (batch_is_offered(v, index)) {
			if (!has_room(b, s, index, most_bytes))
				break;
			add_packet(b, s, index, began_at_ns);
		}
		note_released(b, s->journal);
	}
}

uint32_t batch_wire_bytes(const struct batch *b, uint32_t n_msgs)
{
	uint32_t bytes = 0;

	for (uint32_t i = 0; i < n_msgs; i++)
		bytes += b->bytes[i];
	return bytes;
}
