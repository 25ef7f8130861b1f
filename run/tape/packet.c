/* packet.c - one released packet. */
#include "packet.h"

#include <string.h>

#include "ends.h"
#include "udp_header.h"

#define SUM_AT 2 /* from the end of the header */
#define IP_V4_BYTES 20
#define IP_SUM_AT 10

int packet_is_wanted(const struct tape_options *o, const struct fate *f)
{
	if (!o->late && !o->dropped)
		return 1;
	return (o->late && f->is_late) || (o->dropped && f->is_dropped);
}

/* That of an IPv4 header, which the kernel adds where a header is sent. */
static void put_ip_sum(uint8_t *header)
{
	uint32_t sum = 0;
	uint16_t word;

	for (int i = 0; i < IP_V4_BYTES; i += (int)sizeof(word)) {
		memcpy(&word, header + i, sizeof(word));
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	word = (uint16_t) ~(sum + (sum >> 16));
	memcpy(header + IP_SUM_AT, &word, sizeof(word));
}

/* The sum is of the whole payload: where that is not here there is none. Returns the header's length. */
static uint32_t write_ip(uint8_t *header, const struct ends *e, const struct copy *c, uint32_t len)
{
	static const uint8_t nothing[UINT16_MAX];
	int is_whole = c->payload_bytes == len;
	uint32_t bytes =
		udp_header_write(header, &e->from, &e->to, c->arrival.tos, is_whole ? c->payload : nothing, len);

	if (bytes && !is_whole)
		memset(header + bytes - SUM_AT, 0, SUM_AT);
	if (bytes == UDP_HEADER_V4_BYTES)
		put_ip_sum(header);
	return bytes;
}

static uint32_t write_header(uint8_t *header, const struct ends *e, const struct copy *c, uint32_t len)
{
	block_link(header, e->to.sin6_family == AF_INET6);
	return BLOCK_LINK_BYTES + write_ip(header + BLOCK_LINK_BYTES, e, c, len);
}

size_t packet_block(struct record *r, const struct taken *p, const struct fate *f, uint64_t missed_pkts)
{
	const struct segment *seg = viewer_part(&r->viewer, p->shard);
	const struct copy *c = p->copy;
	const struct config *config = r->in_force.is_known ? &r->in_force.config : NULL;
	uint8_t header[BLOCK_HEADER_BYTES];
	char text[COMMENT_BYTES];
	uint32_t len = c->arrival.len_bytes, header_bytes;
	struct ends ends;

	ends_find(&ends, seg, p->class, config, &c->arrival, seg->views[p->class].origins ? &c->origin : NULL);
	if (len > UINT16_MAX - UDP_HEADER_MOST_BYTES && len > c->payload_bytes)
		len = c->payload_bytes; /* no datagram is as long: the segment is damaged */
	header_bytes = write_header(header, &ends, c, len);
	return block_packet(
		r->block, &(struct block_packet){
				  .interface = r->interface_of[p->class],
				  .at_ns = c->arrival.arrived_at_ns + r->to_wall_ns,
				  .header = header,
				  .payload = c->payload,
				  .header_bytes = header_bytes,
				  .payload_bytes = c->payload_bytes,
				  .len_bytes = header_bytes + len,
				  .missed_pkts = missed_pkts,
				  .comment = comment_write(
					  text,
					  &(struct comment){ .class = seg->header.classes[p->class].name,
							     .number = p->number,
							     .shard = p->shard,
							     .n_shards = seg->n_shards,
							     .note = ends.note,
							     .sent_bytes = !f->is_dropped && c->result.len_bytes != len
										   ? c->result.len_bytes
										   : 0 },
					  f) });
}
