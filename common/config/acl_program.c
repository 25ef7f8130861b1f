/* acl_program.c - ranges of addresses to a tree of comparisons. */
#include "acl_program.h"

#include <assert.h>
#include <string.h>

#define NET ((uint32_t)SKF_NET_OFF)
#define NEAR 100 /* comparisons in a row that share their two ends: each reaches these within 8 bits */
#define FEW 32 /* parts that may be near enough for a jump of 8 bits */
#define WORDS_V6 4
#define MOST_EDGES (2 * ACL_MOST_RANGES)

/* An address at which what is before it and what is from it on differ. */
struct edge {
	uint32_t word[WORDS_V6];
};

/* What follows from a word that is as large as `from`, and less than the next one's. */
struct part {
	uint32_t from;
	bool is_denied;
	uint32_t first, n; /* edges that differ in the next words only: these decide; n 0: none */
};

struct tree {
	struct program *p;
	uint32_t n_words, denied;
	uint32_t passed; /* jumps behind all of this (program_leave) */
	/*
	 * Room for parts. Those of all levels that are being written are there at once: an edge is in one level, but
	 * for the few that a level leaves to the next one.
	 */
	struct part *free;
};

static uint32_t word_at(const uint8_t *bytes)
{
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static bool is_aligned(const struct tree *t, const struct edge *e, uint32_t level)
{
	for (uint32_t i = level + 1; i < t->n_words; i++)
		if (e->word[i])
			return false;
	return true;
}

static void put_end(struct tree *t, bool is_denied)
{
	if (is_denied)
		program_put(t->p, BPF_RET | BPF_K, t->denied);
	else
		program_leave(t->p, &t->passed);
}

static void put_level(struct tree *t, const struct edge *edges, uint32_t n, bool is_denied, uint32_t level);

/* Comparisons of parts that end at once, then their two ends; parts[0] is what is below parts[1].from. */
static void put_near(struct tree *t, const struct part *parts, uint32_t n, uint32_t ends_at)
{
	uint32_t half = n / 2, at = t->p->n;
	struct sock_filter step;

	program_put(t->p, BPF_JMP | BPF_JGE | BPF_K, parts[half].from);
	step = (struct sock_filter){ .code = BPF_JMP | BPF_JGE | BPF_K, .k = parts[half].from };
	if (half > 1)
		put_near(t, parts, half, ends_at);
	else /* the first of the two ends takes what passes */
		step.jf = (uint8_t)(ends_at + parts[0].is_denied - at - 1);
	if (n - half > 1) {
		step.jt = (uint8_t)(t->p->n - at - 1);
		put_near(t, parts + half, n - half, ends_at);
	} else {
		step.jt = (uint8_t)(ends_at + parts[half].is_denied - at - 1);
	}
	if (at < PROGRAM_MOST)
		t->p->steps[at] = step;
}

static bool ends_at_once(const struct part *parts, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (parts[i].n)
			return false;
	return n <= NEAR;
}

static bool put_short(struct tree *t, const struct edge *edges, const struct part *parts, uint32_t n, uint32_t level);

static void put_parts(struct tree *t, const struct edge *edges, const struct part *parts, uint32_t n, uint32_t level)
{
	uint32_t half = n / 2, right = 0;

	if (n == 1 && parts[0].n) {
		put_level(t, edges + parts[0].first, parts[0].n, parts[0].is_denied, level + 1);
	} else if (n == 1) {
		put_end(t, parts[0].is_denied);
	} else if (ends_at_once(parts, n)) {
		put_near(t, parts, n, t->p->n + n - 1);
		put_end(t, false);
		put_end(t, true);
	} else if (!put_short(t, edges, parts, n, level)) {
		program_jump(t->p, BPF_JGE, parts[half].from, 0, 1);
		program_leave(t->p, &right);
		put_parts(t, edges, parts, half, level);
		program_land(t->p, right);
		put_parts(t, edges, parts + half, n - half, level);
	}
}

/* The same without a jump of its own, if the lower half is short enough. */
static bool put_short(struct tree *t, const struct edge *edges, const struct part *parts, uint32_t n, uint32_t level)
{
	uint32_t half = n / 2, at = t->p->n, passed = t->passed, far;

	if (half > FEW)
		return false;
	program_jump(t->p, BPF_JGE, parts[half].from, 0, 0);
	put_parts(t, edges, parts, half, level);
	far = t->p->n - at - 1;
	if (far > UINT8_MAX) {
		t->p->n = at;
		t->passed = passed;
		return false;
	}
	if (at < PROGRAM_MOST)
		t->p->steps[at].jt = (uint8_t)far;
	put_parts(t, edges, parts + half, n - half, level);
	return true;
}

/* One more part, unless it is as the one before it; one that begins where that does takes its place. */
static uint32_t add_part(struct part *parts, uint32_t n, struct part next)
{
	if (n > 0 && parts[n - 1].from == next.from)
		n--;
	if (n > 0 && parts[n - 1].n == 0 && next.n == 0 && parts[n - 1].is_denied == next.is_denied)
		return n;
	parts[n++] = next;
	return n;
}

/* The parts of a word; each edge makes two at most. */
static uint32_t make_parts(const struct tree *t, const struct edge *edges, uint32_t n, bool is_denied, uint32_t level,
			   struct part *parts)
{
	uint32_t n_parts = add_part(parts, 0, (struct part){ .is_denied = is_denied });

	for (uint32_t i = 0, next; i < n; i = next) {
		uint32_t word = edges[i].word[level], first = i;

		for (next = i; next < n && edges[next].word[level] == word;)
			next++;
		if (is_aligned(t, &edges[first], level)) {
			is_denied = !is_denied;
			first++;
		}
		n_parts = add_part(parts, n_parts, (struct part){ word, is_denied, first, next - first });
		if ((next - first) % 2)
			is_denied = !is_denied;
		if (next > first && word != UINT32_MAX)
			n_parts = add_part(parts, n_parts, (struct part){ word + 1, is_denied, 0, 0 });
	}
	return n_parts;
}

/* One value of this word alone has more to be looked at, and all others go one way: no tree is needed. */
static bool is_one_value(const struct part *parts, uint32_t n)
{
	uint32_t at = n > 1 && parts[0].n == 0 ? 1 : 0;
	bool ends = n == at + 1 ? parts[at].from == UINT32_MAX : n == at + 2 && parts[at + 1].n == 0;

	return parts[at].n && ends && (at == 0 || n == at + 1 || parts[0].is_denied == parts[at + 1].is_denied) &&
	       (at == 1 || n == at + 2);
}

static void put_one_value(struct tree *t, const struct edge *edges, const struct part *parts, uint32_t level)
{
	const struct part *one = parts[0].n ? &parts[0] : &parts[1];

	program_jump(t->p, BPF_JEQ, one->from, 1, 0);
	put_end(t, parts[0].n ? parts[1].is_denied : parts[0].is_denied);
	put_level(t, edges + one->first, one->n, one->is_denied, level + 1);
}

/* n edges that are alike in all words before `level`; is_denied: what is before the first of them. */
static void put_level(struct tree *t, const struct edge *edges, uint32_t n, bool is_denied, uint32_t level)
{
	struct part *parts = t->free;
	uint32_t n_parts = make_parts(t, edges, n, is_denied, level, parts);

	t->free = parts + n_parts;
	if (t->n_words > 1)
		program_put(t->p, BPF_LD | BPF_MEM, level);
	if (is_one_value(parts, n_parts))
		put_one_value(t, edges, parts, level);
	else
		put_parts(t, edges, parts, n_parts, level);
	t->free = parts;
}

static bool step_up(struct edge *e, uint32_t n_words)
{
	for (uint32_t i = n_words; i-- > 0;)
		if (++e->word[i])
			return true;
	return false;
}

static uint32_t make_edges(const struct acl_range *ranges, uint32_t n_ranges, uint32_t n_words, struct edge *edges)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_ranges; i++) {
		struct edge end = { { 0 } };

		for (uint32_t k = 0; k < n_words; k++) {
			edges[n].word[k] = word_at(ranges[i].first + 4 * k);
			end.word[k] = word_at(ranges[i].last + 4 * k);
		}
		n++;
		if (step_up(&end, n_words)) /* else all that is left is denied */
			edges[n++] = end;
	}
	return n;
}

void acl_program(struct program *p, const struct acl *acl, bool is_v6, uint32_t denied)
{
	struct acl_range ranges[ACL_MOST_RANGES];
	struct edge edges[MOST_EDGES];
	struct part parts[2 * MOST_EDGES + 4 * WORDS_V6];
	struct tree t = { .p = p, .n_words = is_v6 ? WORDS_V6 : 1, .denied = denied, .free = parts };
	uint32_t n = make_edges(ranges, acl_ranges(acl, is_v6, ranges), t.n_words, edges);

	if (n == 0)
		return;
	for (uint32_t k = 0; k < t.n_words; k++) {
		program_put(p, BPF_LD | BPF_W | BPF_ABS, NET + (is_v6 ? 8 : 12) + 4 * k);
		if (is_v6)
			program_put(p, BPF_ST, k);
	}
	put_level(&t, edges, n, false, 0);
	program_land(p, t.passed);
}
