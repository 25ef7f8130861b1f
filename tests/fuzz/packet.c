/*
 * packet.c - datagrams as the sink of `load` may get them: whole ones, changed ones, of other runs, twice, in any
 * order.
 * Each is counted as one thing, and nothing else.
 */
#include "input.h"
#include "traffic/flow.h"
#include "units.h"

#define MOST_DATAGRAMS 256

static struct flow flow;

/* What fill() would send, or any bytes; then some byte of it may be another. Returns how long it is. */
static uint32_t next(struct input *in, uint8_t payload[MAX_LOAD_BYTES])
{
	uint8_t how = input_byte(in);
	uint32_t bytes = input_half(in) % (MAX_LOAD_BYTES + 1), at;
	uint64_t sequence, back;

	if (how & 1) {
		input_take(in, payload, bytes);
		return bytes;
	}
	back = how & 32 && flow.next_sequence > 8 ? 8 : 0;
	sequence = how & 8 && how & 16 ? input_word(in) : input_byte(in);
	if (how & 2) /* a near one, so that order and duplicates come about */
		packet_fill_stream(payload, bytes, flow.stream, flow.next_sequence + sequence % 16 - back,
				   input_byte(in));
	else
		packet_fill_stream(payload, bytes, input_half(in), sequence, input_word(in));
	at = input_byte(in);
	if (how & 4 && at < bytes)
		payload[at] = (uint8_t)(payload[at] ^ input_byte(in));
	return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint64_t n = 0, at_ns = 1;

	flow.sizes = (struct packet_sizes){ .seed = input_byte(&in), .smallest_bytes = input_byte(&in) };
	flow.sizes.largest_bytes = flow.sizes.smallest_bytes + input_byte(&in);
	flow.sizes.run_pkts = input_byte(&in) % 8;
	flow.sizes.run_bytes = input_byte(&in);
	flow.n_orders = 1 + input_byte(&in) % 8;
	flow.budget_ns = NS_PER_MS;
	flow_reset(&flow, input_byte(&in));
	for (; in.left && n < MOST_DATAGRAMS; n++) {
		uint8_t payload[MAX_LOAD_BYTES];
		uint32_t bytes = next(&in, payload);

		at_ns += input_half(&in);
		flow_note_at(&flow, 0, payload, bytes, at_ns);
	}
	flow_end(&flow, input_byte(&in) & 1);
	must(flow.received_pkts + flow.corrupt_pkts + flow.stray_pkts + flow.doubled_pkts == n);
	must(flow.timed_pkts <= n && flow.on_time_pkts <= flow.timed_pkts);
	return 0;
}
