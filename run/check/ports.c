/* ports.c - ports that several classes share, and congestion marks. */
#include "ports.h"

#include <stdio.h>
#include <string.h>

#include "config/port.h"

/* Has each datagram for which `a` holds what `b` asks for? */
static int implies(const struct match_term *a, const struct match_term *b)
{
	uint32_t whole = b->prefix_bits / 8, rest = b->prefix_bits % 8;

	if (a->kind != b->kind)
		return 0;
	if (a->kind == TERM_DSCP)
		return a->value == b->value;
	if (a->kind == TERM_SIZE_MOST)
		return a->bytes <= b->bytes;
	if (a->kind == TERM_SIZE_LEAST)
		return a->bytes >= b->bytes;
	if (a->kind == TERM_BYTE)
		return a->bytes == b->bytes && (b->mask & ~a->mask) == 0 && (a->value & b->mask) == b->value;
	return a->is_v6 == b->is_v6 && a->prefix_bits >= b->prefix_bits && memcmp(a->prefix, b->prefix, whole) == 0 &&
	       (rest == 0 || (a->prefix[whole] ^ b->prefix[whole]) >> (8 - rest) == 0);
}

/* The end of the alternative that begins there. */
static uint32_t end_of(const struct match *m, uint32_t from)
{
	uint32_t to = from + 1;

	while (to < m->n && !m->terms[to].begins)
		to++;
	return to;
}

/* Each term of the one follows from a term of the other. */
static int is_part(const struct match *below, uint32_t from, const struct match *above, uint32_t at)
{
	for (uint32_t i = at; i < end_of(above, at); i++) {
		int follows = 0;

		for (uint32_t k = from; k < end_of(below, from); k++)
			follows |= implies(&below->terms[k], &above->terms[i]);
		if (!follows)
			return 0;
	}
	return 1;
}

int ports_covers(const struct match *above, const struct match *below)
{
	for (uint32_t from = 0; from < below->n; from = end_of(below, from)) {
		int is_covered = 0;

		for (uint32_t at = 0; at < above->n; at = end_of(above, at))
			is_covered |= is_part(below, from, above, at);
		if (!is_covered)
			return 0;
	}
	return below->n > 0;
}

static void print_member(const struct config *c, const struct port *port, uint32_t i)
{
	const struct class_config *class = &c->classes[port->members[i].class];
	char text[MATCH_BYTES];

	printf("  %-12s %s\n", class->name, i ? match_format(&class->match, text) : "what no rule of the others names");
	for (uint32_t above = i + 1; i > 0 && above < port->n; above++) {
		const struct class_config *other = &c->classes[port->members[above].class];

		if (ports_covers(&other->match, &class->match)) {
			printf("  %-12s gets nothing here: the rule of %s, which is asked before, names all of it\n",
			       class->name, other->name);
			return;
		}
	}
}

/* At the first class that has it. */
static void print_port(const struct config *c, uint32_t class, const struct address *a)
{
	struct port port;
	char text[ADDRESS_BYTES];

	port_of(c, a, &port);
	if (port.n < 2 || port.members[port.n - 1].class != class)
		return;
	printf("%s: %u classes, asked in this order\n", address_format(a, text), port.n);
	for (uint32_t i = port.n; i-- > 0;)
		print_member(c, &port, i);
}

void ports_print(const struct config *c)
{
	for (uint32_t i = 0; i < c->n_classes; i++)
		for (uint32_t k = 0; k < c->classes[i].n_listen; k++)
			print_port(c, i, &c->classes[i].listen[k]);
	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct class_config *class = &c->classes[i];

		if (class->ecn == ECN_MARK)
			printf("%s: ecn = mark: what came with ECT leaves with CE from %.4g ms after its arrival on\n",
			       class->name, (double)class->budget_ns / 100 * class->ecn_mark_at_percent / 1e6);
	}
}
