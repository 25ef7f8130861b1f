/*
 * bounds.c - the shares and the rate on the way out, at every packet.
 *
 * Rules:   shares (drr.h): while two classes stay backlogged, |S_i/f_i - S_j/f_j| <= Q_min + 2 * Max between any two
 *          instants.
 *          So per pair the difference is followed, with its least and its most since both are backlogged.
 *          Times Q_i * Q_j * Q_min all is whole numbers.
 *          Rate (egress/limit.h): in any window of t seconds <= rate * t + burst; across deaths too; of all classes, of
 *          a class, of a destination. The instant of a
 *          packet is the one at which egress decided: between that and the call lies what a scheduler may do to any
 *          process.
 */
#include <string.h>

#include "egress/shaper.h"
#include "sim.h"

#define BITS 8

struct pair {
	int64_t difference, least, most; /* S_i * Q_j - S_j * Q_i, since both are backlogged */
};

static struct pair pairs[MAX_CLASSES][MAX_CLASSES];
static uint32_t backlogged; /* bit per class */
static uint32_t longest_bytes, least_quantum_bytes;
/* Of one rate, in bits * ns per s; least: of sent - granted at the start of any window. */
struct window {
	__int128 sent, granted, least;
	uint64_t granted_at_ns;
};

static struct window of_all, of_class[MAX_CLASSES], of_dest[MAX_CLASSES][MAX_DESTS];
static uint64_t second, second_bytes[MAX_CLASSES]; /* what left in this second of the run ... */
static int second_counts; /* ... in which all classes were backlogged from the beginning */

void bounds_open(void)
{
	const struct config *c = &sim.config;

	backlogged = 0;
	longest_bytes = c->payload_bytes < sim.setup.most_bytes ? c->payload_bytes : sim.setup.most_bytes;
	longest_bytes += IPV6_UDP_BYTES;
	least_quantum_bytes = UINT32_MAX;
	for (uint32_t i = 0; i < c->n_classes; i++)
		if (c->classes[i].egress_quantum_bytes < least_quantum_bytes)
			least_quantum_bytes = c->classes[i].egress_quantum_bytes;
	of_all = (struct window){ .granted_at_ns = SIM_BEGIN_NS };
	for (uint32_t i = 0; i < c->n_classes; i++) {
		of_class[i] = of_all;
		for (uint32_t k = 0; k < MAX_DESTS; k++)
			of_dest[i][k] = of_all;
	}
	second = 0;
	second_counts = 0;
}

void bounds_reset(uint32_t class)
{
	for (uint32_t other = 0; other < sim.config.n_classes; other++)
		pairs[class][other] = pairs[other][class] = (struct pair){ 0 };
}

void bounds_set_backlog(uint32_t class, int is_backlogged)
{
	if (is_backlogged && !(backlogged >> class & 1))
		bounds_reset(class);
	if (is_backlogged)
		backlogged |= 1u << class;
	else
		backlogged &= ~(1u << class);
	second_counts &= is_backlogged;
}

static void note_pair(uint32_t i, uint32_t j, uint32_t wire_bytes)
{
	const struct class_config *classes = sim.config.classes;
	int64_t quantum_i = classes[i].egress_quantum_bytes, quantum_j = classes[j].egress_quantum_bytes;
	struct pair *p = i < j ? &pairs[i][j] : &pairs[j][i];
	__int128 bound = (__int128)(least_quantum_bytes + 2 * longest_bytes) * quantum_i * quantum_j;

	p->difference += i < j ? wire_bytes * quantum_j : -(int64_t)wire_bytes * quantum_j;
	if (p->difference < p->least)
		p->least = p->difference;
	if (p->difference > p->most)
		p->most = p->difference;
	if ((__int128)(p->most - p->least) * least_quantum_bytes > bound) {
		sim_complain("classes %u and %u, both backlogged, differ by more than Q_min + 2 * Max", i, j);
		*p = (struct pair){ 0 };
	}
}

static void note_rate(struct window *w, uint64_t rate_bits_per_s, uint64_t burst_bytes, uint32_t wire_bytes,
		      uint64_t decided_at_ns)
{
	uint64_t burst = burst_bytes > longest_bytes ? burst_bytes : longest_bytes;

	if (rate_bits_per_s == 0)
		return;
	if (decided_at_ns > w->granted_at_ns) {
		w->granted += (__int128)(decided_at_ns - w->granted_at_ns) * rate_bits_per_s;
		w->granted_at_ns = decided_at_ns;
	}
	if (w->sent - w->granted < w->least)
		w->least = w->sent - w->granted; /* a window that starts now */
	w->sent += (__int128)wire_bytes * BITS * NS_PER_S;
	if (w->sent - w->granted - w->least > (__int128)burst * BITS * NS_PER_S) {
		sim_complain("more than rate * t + burst left, of %s", w == &of_all ? "all classes"
								       : w >= of_class && w < of_class + MAX_CLASSES
									       ? "a class"
									       : "a destination");
		w->least = w->sent - w->granted;
	}
}

/* How far are the shares of the second that ends now from the weights? */
static void note_shares(void)
{
	uint64_t total_bytes = 0, total_quanta = 0;

	sim.result.shared_seconds++;
	for (uint32_t i = 0; i < sim.config.n_classes; i++) {
		total_bytes += second_bytes[i];
		total_quanta += sim.config.classes[i].egress_quantum_bytes;
	}
	for (uint32_t i = 0; i < sim.config.n_classes; i++) {
		double due = (double)total_bytes * sim.config.classes[i].egress_quantum_bytes / (double)total_quanta;
		double off = ((double)second_bytes[i] - due) / due;

		off = off < 0 ? -off : off;
		if (off > sim.result.worst_share)
			sim.result.worst_share = off;
	}
}

static void note_second(uint32_t class, uint32_t wire_bytes, uint64_t now)
{
	uint64_t this_second = (now - SIM_BEGIN_NS) / NS_PER_S;

	if (this_second != second) {
		if (second_counts)
			note_shares();
		memset(second_bytes, 0, sizeof(second_bytes));
		second = this_second;
		second_counts = (backlogged + 1) >> sim.config.n_classes & 1;
	}
	second_bytes[class] += wire_bytes;
}

void bounds_note(uint32_t class, uint32_t dest, uint32_t wire_bytes, uint64_t decided_at_ns)
{
	const struct class_config *c = &sim.config.classes[class];

	if (backlogged >> class & 1)
		for (uint32_t other = backlogged & ~(1u << class); other; other &= other - 1)
			note_pair(class, (uint32_t)__builtin_ctz(other), wire_bytes);
	note_rate(&of_all, sim.config.rate_bits_per_s, sim.config.burst_bytes, wire_bytes, decided_at_ns);
	note_rate(&of_class[class], c->rate_bits_per_s, c->burst_bytes, wire_bytes, decided_at_ns);
	note_rate(&of_dest[class][dest], c->destination_rate_bits_per_s, c->destination_burst_bytes, wire_bytes,
		  decided_at_ns);
	note_second(class, wire_bytes, decided_at_ns);
}
