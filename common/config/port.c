/* port.c - the classes of one address, and the program that tells them apart. */
#include "port.h"

#include <assert.h>

#include "acl_program.h"
#include "bucket.h"

#define TERM_MOST_STEPS 12 /* a prefix of IPv6: four words, three steps each */
#define NEGATED 1 /* in jt, until the distance is known: the jump leaves when it holds */

void port_of(const struct config *c, const struct address *a, struct port *port)
{
	*port = (struct port){ 0 };
	for (uint32_t k = c->n_classes; k-- > 0;)
		for (uint32_t i = 0; i < c->classes[k].n_listen; i++)
			if (address_is_same(&c->classes[k].listen[i], a))
				port->members[port->n++] = (struct port_member){ (uint8_t)k, (uint8_t)i };
}

uint32_t port_buckets(const struct config *c, const struct port_member *m)
{
	return c->classes[m->class].fair ? c->classes[m->class].fair : 1;
}

uint32_t port_first(const struct config *c, const struct port *port, uint32_t i)
{
	uint32_t place = 0;

	for (uint32_t k = 0; k < i; k++)
		place += port_buckets(c, &port->members[k]);
	return place;
}

bool port_denies(const struct config *c, const struct port *port)
{
	for (uint32_t i = 0; i < port->n; i++)
		if (acl_is_asked(&c->classes[port->members[i].class].acl))
			return true;
	return false;
}

bool port_is_group(const struct config *c, const struct port *port)
{
	return port_first(c, port, port->n) > 1 || port_denies(c, port);
}

/* A program while it is written; where each jump to the next alternative is, until that place is known. */
struct writer {
	struct program *p;
	uint32_t open[MAX_TERMS * TERM_MOST_STEPS], n_open;
};

static void put(struct writer *w, uint16_t code, uint32_t k)
{
	program_put(w->p, code, k);
}

/* Go on only if `jump` holds for what was loaded, else with the next alternative. */
static void need(struct writer *w, uint16_t jump, uint32_t k)
{
	w->open[w->n_open++] = w->p->n;
	put(w, BPF_JMP | jump | BPF_K, k);
}

/* Go on only if it does not hold. */
static void need_not(struct writer *w, uint16_t jump, uint32_t k)
{
	uint32_t at = w->p->n;

	need(w, jump, k);
	if (at < PROGRAM_MOST)
		w->p->steps[at].jt = NEGATED;
}

static void close_alternative(struct writer *w)
{
	while (w->n_open) {
		uint32_t at = w->open[--w->n_open];
		struct sock_filter *jump = &w->p->steps[at];

		if (at < PROGRAM_MOST)
			*(jump->jt == NEGATED ? &jump->jt : &jump->jf) = (uint8_t)(w->p->n - at - 1);
	}
}

static uint32_t word_of(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void compile_from(struct writer *w, const struct match_term *t)
{
	uint32_t at = (uint32_t)SKF_NET_OFF + (t->is_v6 ? 8 : 12);

	for (uint32_t bits = 0; bits < t->prefix_bits; bits += 32) {
		uint32_t left = t->prefix_bits - bits;

		put(w, BPF_LD | BPF_W | BPF_ABS, at + bits / 8);
		if (left < 32)
			put(w, BPF_ALU | BPF_AND | BPF_K, ~(UINT32_MAX >> left));
		need(w, BPF_JEQ, word_of(t->prefix + bits / 8));
	}
}

static void compile_term(struct writer *w, const struct match_term *t, bool is_v6)
{
	switch ((enum term_kind)t->kind) {
	case TERM_DSCP: /* IPv6: version 4, traffic class 8, flow label 20 bits */
		put(w, BPF_LD | (is_v6 ? BPF_H : BPF_B) | BPF_ABS, (uint32_t)SKF_NET_OFF + !is_v6);
		put(w, BPF_ALU | BPF_AND | BPF_K, is_v6 ? 0x0fc0 : 0xfc);
		need(w, BPF_JEQ, (uint32_t)t->value << (is_v6 ? 6 : 2));
		break;
	case TERM_FROM:
		compile_from(w, t);
		break;
	case TERM_SIZE_MOST:
		put(w, BPF_LD | BPF_W | BPF_LEN, 0);
		need_not(w, BPF_JGT, t->bytes);
		break;
	case TERM_SIZE_LEAST:
		put(w, BPF_LD | BPF_W | BPF_LEN, 0);
		need(w, BPF_JGE, t->bytes);
		break;
	case TERM_BYTE: /* a load behind the end would end the program */
		put(w, BPF_LD | BPF_W | BPF_LEN, 0);
		need(w, BPF_JGT, t->bytes);
		put(w, BPF_LD | BPF_B | BPF_ABS, t->bytes);
		put(w, BPF_ALU | BPF_AND | BPF_K, t->mask);
		need(w, BPF_JEQ, t->value);
		break;
	}
}

/* Where the alternative that begins at term i ends; *possible: whether this family's datagrams can meet it. */
static uint32_t end_of(const struct match *m, uint32_t i, bool is_v6, bool *possible)
{
	*possible = true;
	do {
		const struct match_term *t = &m->terms[i];

		if (t->kind == TERM_FROM && (t->is_v6 != 0) != is_v6)
			*possible = false;
	} while (++i < m->n && !m->terms[i].begins);
	return i;
}

/* Goes on behind this part for what the rule names; what it does not name leaves (*next: program_leave). */
static void put_rule(struct program *p, const struct match *m, bool is_v6, uint32_t *next)
{
	struct writer w = { .p = p };
	uint32_t named = 0;

	static_assert(MAX_TERMS * TERM_MOST_STEPS < UINT8_MAX, "a jump over an alternative fits its byte");
	for (uint32_t i = 0, end; i < m->n; i = end) {
		bool possible;

		end = end_of(m, i, is_v6, &possible);
		if (!possible)
			continue;
		for (uint32_t k = i; k < end; k++)
			compile_term(&w, &m->terms[k], is_v6);
		program_leave(p, &named);
		close_alternative(&w);
	}
	program_leave(p, next);
	program_land(p, named);
}

/* The datagrams of a member: which are denied, and which socket has the others. */
static void put_choice(struct program *p, const struct config *c, const struct port *port, uint32_t i, bool is_v6)
{
	const struct class_config *class = &c->classes[port->members[i].class];
	const struct bucket_rule rule = { class->fair, class->source_bits[is_v6], c->seed };
	uint32_t first = port_first(c, port, i);

	if (acl_is_asked(&class->acl))
		acl_program(p, &class->acl, is_v6, port_first(c, port, port->n) + i);
	if (class->fair)
		bucket_program(p, &rule, is_v6, first);
	else
		program_put(p, BPF_RET | BPF_K, first);
}

uint32_t port_compile(const struct config *c, const struct port *port, struct sock_filter *steps)
{
	const struct port_member *last = &port->members[0];
	bool is_v6 = c->classes[last->class].listen[last->listen].at.ss_family == AF_INET6;
	struct program p = { .steps = steps };

	for (uint32_t i = port->n - 1; i > 0; i--) {
		uint32_t next = 0;

		put_rule(&p, &c->classes[port->members[i].class].match, is_v6, &next);
		put_choice(&p, c, port, i, is_v6);
		program_land(&p, next);
	}
	put_choice(&p, c, port, 0, is_v6);
	return p.n;
}
