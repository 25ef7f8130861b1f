/* comment.c - what became of a packet, in words. */
#include "comment.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "units.h"

#define TO_WORK (SPAN_EDF_WAIT + 1) /* so many spans has a packet that edf dropped without work on it */

/* How far it came: what lies behind was written about another packet, in the slot's earlier use. */
static uint32_t spans_of(const struct result *r, const struct departure *d)
{
	if (r->drop != DROP_NONE)
		return r->done_at_ns > r->started_at_ns ? SPAN_EDF_WORK + 1 : TO_WORK;
	if (d->drop == DROP_LATE_EGRESS)
		return SPAN_EDF_WORK + 1;
	return d->drop == DROP_SEND_ERROR ? SPAN_EGRESS_WAIT + 1 : N_SPANS;
}

static void read_spans(struct fate *f, const struct arrival *a, const struct result *r, const struct departure *d)
{
	const uint64_t ends[N_SPANS + 1] = {
		a->arrived_at_ns, a->read_at_ns,   a->published_at_ns,		 r->started_at_ns,
		r->done_at_ns,	  d->handed_at_ns, d->handed_at_ns + d->send_ns,
	};

	for (uint32_t i = 0; i < f->n_spans; i++) {
		f->span_ns[i] = ends[i + 1] > ends[i] ? ends[i + 1] - ends[i] : 0;
		if (f->span_ns[i] > f->span_ns[f->most])
			f->most = (enum span)i;
	}
	f->total_ns = ends[f->n_spans] > ends[0] ? ends[f->n_spans] - ends[0] : 0;
}

void fate_read(struct fate *f, const struct arrival *a, const struct result *r, const struct departure *d,
	       uint64_t budget_ns)
{
	*f = (struct fate){ .n_spans = spans_of(r, d), .most = SPAN_SOCKET, .budget_ns = budget_ns };
	read_spans(f, a, r, d);
	if (r->drop != DROP_NONE || d->drop == DROP_LATE_EGRESS || d->drop == DROP_SEND_ERROR) {
		f->is_dropped = 1;
		f->name = drop_reason_name((enum drop_reason)(r->drop ? r->drop : d->drop));
		f->send_errno = r->drop == DROP_NONE && d->drop == DROP_SEND_ERROR ? d->send_errno : 0;
		return;
	}
	f->is_late = budget_ns != BUDGET_NONE && f->total_ns > budget_ns;
	f->name = f->is_late ? "sent_late" : "sent";
}

/* Text that is put together; what has no room is left out. */
struct words {
	char *text;
	size_t len;
};

static void add(struct words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct words *w, const char *format, ...)
{
	size_t room = COMMENT_BYTES - w->len;
	va_list values;
	int n;

	va_start(values, format);
	n = vsnprintf(w->text + w->len, room, format, values);
	va_end(values);
	if (n > 0 && (size_t)n < room)
		w->len += (size_t)n;
	else
		w->text[w->len] = '\0';
}

static void add_time(struct words *w, const char *name, uint64_t ns)
{
	uint64_t ms = ns / NS_PER_MS, us = ns % NS_PER_MS / NS_PER_US;

	add(w, " %s=%" PRIu64 ".%03" PRIu64 "ms", name, ms, us);
}

const char *comment_write(char text[COMMENT_BYTES], const struct comment *c, const struct fate *f)
{
	struct words w = { text, 0 };

	add(&w, "class=%s fate=%s", c->class, f->name);
	if (f->send_errno)
		add(&w, " errno=%u", f->send_errno);
	if (f->budget_ns == BUDGET_NONE)
		add(&w, " budget=none");
	else
		add_time(&w, "budget", f->budget_ns);
	for (uint32_t i = 0; i < f->n_spans; i++)
		add_time(&w, span_name((enum span)i), f->span_ns[i]);
	add_time(&w, "total", f->total_ns);
	if (f->is_late || f->is_dropped)
		add(&w, " most=%s", span_name(f->most));
	if (c->sent_bytes)
		add(&w, " sent_bytes=%u", c->sent_bytes);
	if (c->n_shards > 1)
		add(&w, " shard=%u", c->shard);
	add(&w, " packet=%" PRIu64, c->number);
	if (c->note[0])
		add(&w, " %s", c->note);
	return text;
}
