/* short.c - what became of datagrams too short for a header. */
#include "short.h"

#include <string.h>

/* sequences between two headers: what was lost before that many is not told by its sizes */
#define MOST_LISTED (1u << 20)

/* What should be in a window. */
struct expected {
	uint8_t sizes[SHORT_WINDOW];
	uint64_t n;
	uint64_t n_of[SHORT_SIZES];
};

void short_note(struct short_window *w, uint32_t bytes)
{
	if (w->n_got < SHORT_WINDOW)
		w->got[w->n_got] = (uint8_t)bytes;
	w->n_got++;
	w->got_of[bytes]++;
}

static void clear_got(struct short_window *w)
{
	w->n_got = 0;
	memset(w->got_of, 0, sizeof(w->got_of));
}

int short_is_exact(const struct short_window *w, const struct packet_sizes *sizes, uint64_t first)
{
	if (w->n_got != SHORT_WINDOW)
		return 0;
	for (uint32_t i = 0; i < SHORT_WINDOW; i++)
		if (packet_bytes(sizes, first + i) != w->got[i])
			return 0;
	return 1;
}

static void list_expected(struct expected *e, const struct packet_sizes *sizes, uint64_t first, uint64_t last)
{
	memset(e, 0, sizeof(*e));
	if (sizes->smallest_bytes >= SHORT_SIZES && !(sizes->run_pkts && sizes->run_bytes < SHORT_SIZES))
		return;
	if (last - first > MOST_LISTED) /* a sequence may be anything */
		first = last - MOST_LISTED;
	for (uint64_t i = first; i < last; i++) {
		uint32_t bytes = packet_bytes(sizes, i);

		if (bytes >= SHORT_SIZES)
			continue;
		if (e->n < SHORT_WINDOW)
			e->sizes[e->n] = (uint8_t)bytes;
		e->n++;
		e->n_of[bytes]++;
	}
}

/* The length of the longest common subsequence: that many datagrams are in order. */
static uint64_t count_in_order(const struct short_window *w, const struct expected *e)
{
	uint16_t row[SHORT_WINDOW + 1] = { 0 };

	if (w->n_got == e->n && memcmp(w->got, e->sizes, e->n) == 0)
		return e->n;
	for (uint64_t i = 0; i < w->n_got; i++) {
		uint16_t diagonal = 0;

		for (uint64_t k = 0; k < e->n; k++) {
			uint16_t above = row[k + 1];

			if (w->got[i] == e->sizes[k])
				row[k + 1] = (uint16_t)(diagonal + 1);
			else if (row[k] > above)
				row[k + 1] = row[k];
			diagonal = above;
		}
	}
	return row[e->n];
}

static uint64_t take_both(uint64_t *a, uint64_t *b)
{
	uint64_t n = *a < *b ? *a : *b;

	*a -= n;
	*b -= n;
	return n;
}

struct short_verdict short_close(struct short_window *w, const struct packet_sizes *sizes, uint64_t first,
				 uint64_t last)
{
	struct short_verdict v = { 0, 0 };
	struct expected e;
	uint64_t matched = 0, in_order = 0, n_left = 0;
	int order_is_known;

	if (first == last && w->n_got == 0 && !w->has_left)
		return v;
	list_expected(&e, sizes, first, last);
	order_is_known = w->n_got <= SHORT_WINDOW && e.n <= SHORT_WINDOW;
	if (order_is_known)
		in_order = count_in_order(w, &e);
	for (uint32_t s = 0; s < SHORT_SIZES; s++) {
		matched += take_both(&w->got_of[s], &e.n_of[s]);
		v.reordered_pkts += take_both(&w->got_of[s], &w->missing_of[s]);
		v.reordered_pkts += take_both(&w->extra_of[s], &e.n_of[s]);
		v.doubled_pkts += w->extra_of[s];
		w->extra_of[s] = w->got_of[s];
		w->missing_of[s] = e.n_of[s];
		n_left += w->extra_of[s] + w->missing_of[s];
	}
	if (order_is_known)
		v.reordered_pkts += matched - in_order;
	else if (n_left == 0 && v.doubled_pkts == 0 && v.reordered_pkts == 0)
		v.reordered_pkts = 1; /* all are there, and short_is_exact() found another order */
	w->has_left = n_left > 0;
	clear_got(w);
	return v;
}

uint64_t short_end(struct short_window *w)
{
	uint64_t doubled_pkts = 0;

	for (uint32_t s = 0; s < SHORT_SIZES; s++)
		doubled_pkts += w->extra_of[s];
	memset(w, 0, sizeof(*w));
	return doubled_pkts;
}
