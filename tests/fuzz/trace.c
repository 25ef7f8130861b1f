/*
 * trace.c - any bytes as a trace: refused with a line, or packets of the config's classes in order of their arrival.
 */
#include "input.h"
#include "traffic/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config c;
	static int fd = -1;
	struct trace t = { 0 };
	char name[FILE_NAME_BYTES];

	if (c.n_classes == 0)
		config_defaults(&c);
	input_file(&fd, data, size, name);
	if (trace_read(&t, name, &c) == 0)
		for (size_t i = 0; i < t.n; i++)
			must(t.packets[i].class < c.n_classes && t.packets[i].bytes <= UINT16_MAX &&
			     (i == 0 || t.packets[i].arrival_ns >= t.packets[i - 1].arrival_ns));
	trace_free(&t);
	return 0;
}
