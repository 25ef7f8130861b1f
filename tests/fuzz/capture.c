/*
 * capture.c - any bytes as a capture: refused with a line, or packets of the config's classes in order of their
 * arrival, with payloads that are there; and any bytes as a frame of any link: no datagram leads out of it.
 */
#include <stdlib.h>

#include "input.h"
#include "traffic/capture.h"
#include "traffic/frame.h"

static void check_frame(const uint8_t *data, size_t size)
{
	uint32_t n = (uint32_t)(size ? size - 1 : 0);
	struct frame f;

	if (size == 0 || frame_read(&f, data[0], data + 1, n) != FRAME_UDP)
		return;
	must(f.payload >= data + 1 && f.payload + f.there_bytes <= data + size && f.there_bytes <= f.len_bytes);
	must(f.source >= data + 1 && f.source + (f.is_v6 ? 16 : 4) <= data + size);
}

static void check_payloads(const struct trace *t, const struct config *c)
{
	for (size_t i = 0; i < t->n; i++) {
		const struct packet *p = &t->packets[i];

		must(p->class < c->n_classes && p->bytes <= UINT16_MAX);
		must(p->payload_at + p->bytes <= t->payload_bytes);
		must(i == 0 || p->arrival_ns >= t->packets[i - 1].arrival_ns);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config c;
	static int fd = -1;
	struct trace t = { 0 };
	char name[FILE_NAME_BYTES];

	if (c.n_classes == 0)
		config_defaults(&c);
	check_frame(data, size);
	input_file(&fd, data, size, name);
	if (capture_read(&t, name, &c, 1, 1) == 0)
		check_payloads(&t, &c);
	trace_free(&t);
	return 0;
}
