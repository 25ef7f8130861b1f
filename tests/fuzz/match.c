/*
 * match.c - any text as a rule, and any datagram: the rule is refused, or written as a text that is read as the same;
 * and the program that the kernel gets for it decides as match_eval() does.
 */
#include "config/match.h"

#include <errno.h>

#include "config/port.h"
#include "config/value.h"
#include "harness/socket_program.h"
#include "input.h"

#define HEADER_BYTES 40
#define MOST_PAYLOAD 256

struct packet {
	uint8_t header[HEADER_BYTES]; /* of IP: as far as a rule can see it */
	uint8_t payload[MOST_PAYLOAD];
	uint32_t len_bytes;
};

/* What the kernel would load. */
static const uint8_t *bytes_of(const void *datagram, uint32_t k, uint32_t n_bytes)
{
	const struct packet *p = datagram;
	int is_header = k >= (uint32_t)SKF_NET_OFF;
	uint32_t at = is_header ? k - (uint32_t)SKF_NET_OFF : k;

	must(at + n_bytes <= (is_header ? HEADER_BYTES : p->len_bytes)); /* else it would end the program */
	return (is_header ? p->header : p->payload) + at;
}

/* The kernel's verdict: the number of the socket. */
static uint32_t run(const struct sock_filter *program, uint32_t n, const struct packet *p)
{
	uint32_t verdict = 0;

	must(socket_program_run(program, n, bytes_of, p, p->len_bytes, &verdict) == 0);
	return verdict;
}

static void make_packet(struct input *in, struct packet *p, struct match_datagram *d)
{
	static uint8_t source[16];

	d->is_v6 = input_byte(in) & 1;
	d->tos = input_byte(in);
	input_take(in, source, sizeof(source));
	p->len_bytes = input_byte(in);
	input_take(in, p->payload, p->len_bytes);
	d->source = source;
	d->payload = p->payload;
	d->len_bytes = p->len_bytes;
	memset(p->header, 0, sizeof(p->header));
	p->header[0] = (uint8_t)(d->is_v6 ? 6 << 4 | d->tos >> 4 : 4 << 4 | 5);
	p->header[1] = (uint8_t)(d->is_v6 ? d->tos << 4 : d->tos);
	memcpy(p->header + (d->is_v6 ? 8 : 12), source, d->is_v6 ? 16 : 4);
}

static void check_program(const struct match *m, const struct packet *p, const struct match_datagram *d)
{
	static struct config c;
	static struct sock_filter program[PORT_MOST_STEPS];
	struct port port;
	uint32_t n;

	config_defaults(&c);
	c.n_classes = 2;
	c.classes[0].match = *m;
	for (int i = 0; i < 2; i++)
		address_parse(d->is_v6 ? "[::1]:9" : "127.0.0.1:9", d->is_v6 ? 7 : 11, &c.classes[i].listen[0]);
	port_of(&c, &c.classes[0].listen[0], &port);
	must(port.n == 2);
	n = port_compile(&c, &port, program);
	must(n > 0 && n <= PORT_MOST_STEPS);
	must(run(program, n, p) == (uint32_t)match_eval(m, d));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct match m = { 0 }, again = { 0 };
	struct match_datagram d;
	struct packet p;
	char text[2 * MATCH_BYTES], written[MATCH_BYTES], reason[REASON_BYTES] = "";
	struct input in = { data, size };

	make_packet(&in, &p, &d);
	memcpy(text, "", 1);
	if (in.left)
		snprintf(text, sizeof(text), "%.*s", (int)(in.left < sizeof(text) ? in.left : sizeof(text) - 1), in.at);
	if (match_parse(&m, text, reason)) {
		must(reason[0] && strnlen(reason, REASON_BYTES) < REASON_BYTES);
		return 0;
	}
	match_format(&m, written);
	must(match_parse(&again, written, reason) == 0 && memcmp(&m, &again, sizeof(m)) == 0);
	check_program(&m, &p, &d);
	return 0;
}
