/* failing.c - system calls that must work and do not. */
#include "failing.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "log.h"

#define FIRST_PAUSE_NS NS_PER_MS
#define LONGEST_PAUSE_NS (10 * NS_PER_MS) /* what a packet may have to wait when no sleep can be ended */
#define SAID_AT 3 /* failures: one alone is counted, and no news */
#define FREE_INTERRUPTS 8 /* in a row */
#define WELL_NS NS_PER_S
#define FORGOTTEN_NS (5 * NS_PER_S) /* nobody makes that call any more */

static struct failing_row *find(struct failing *f, const char *name)
{
	for (struct failing_row *r = f->rows; r < f->rows + FAILING_ROWS; r++)
		if (r->name && strcmp(r->name, name) == 0)
			return r;
	return NULL;
}

/* A place for a row that begins; where all are taken, everything fails, and the first is as good as any. */
static struct failing_row *begin(struct failing *f, const char *name, uint64_t now)
{
	struct failing_row *at = f->rows;

	for (struct failing_row *r = f->rows; at->name && r < f->rows + FAILING_ROWS; r++)
		if (!r->name)
			at = r;
	f->n_rows += !at->name;
	*at = (struct failing_row){ .name = name, .since_ns = now };
	return at;
}

static void end(struct failing *f, struct failing_row *r)
{
	r->name = NULL;
	f->n_rows--;
}

static void tell(const struct failing *f, struct stage_block *self)
{
	uint64_t since_ns = 0;

	for (const struct failing_row *r = f->rows; r < f->rows + FAILING_ROWS; r++)
		if (r->name && r->failures && (since_ns == 0 || r->since_ns < since_ns))
			since_ns = r->since_ns;
	atomic_store_explicit(&self->failing_since_ns, since_ns, memory_order_relaxed); /* relaxed: for observers */
}

static void count(struct failing_row *r, struct stage_block *self, int err)
{
	uint64_t so_far = atomic_load_explicit(&self->failed_calls, memory_order_relaxed);

	r->failures++;
	/* relaxed, both: for observers, and written by this process alone */
	atomic_store_explicit(&self->failed_calls, so_far + 1, memory_order_relaxed);
	atomic_store_explicit(&self->failing_errno, (uint32_t)err, memory_order_relaxed);
	if (r->failures == SAID_AT)
		log_warn("%s fails: %s: it is tried again until it works, at most %llu ms apart", r->name,
			 log_text_of(err), (unsigned long long)(LONGEST_PAUSE_NS / NS_PER_MS));
}

static void owe_pause(struct failing *f, struct failing_row *r)
{
	r->pause_ns = r->pause_ns && !r->works ? 2 * r->pause_ns : FIRST_PAUSE_NS;
	if (r->pause_ns > LONGEST_PAUSE_NS)
		r->pause_ns = LONGEST_PAUSE_NS;
	r->works = 0;
	if (r->pause_ns > f->owed_pause_ns)
		f->owed_pause_ns = r->pause_ns;
}

void failing_pause(struct failing *f)
{
	struct timespec t = { .tv_nsec = (long)f->owed_pause_ns };

	f->owed_pause_ns = 0;
	nanosleep(&t, NULL); /* a stop or a reload ends it */
}

void failing_note(struct failing *f, struct stage_block *self, const char *name, int err)
{
	uint64_t now = now_ns();
	struct failing_row *r = find(f, name);

	if (!r)
		r = begin(f, name, now);
	r->last_ns = now;
	if (err == EINTR && ++r->interrupts <= FREE_INTERRUPTS)
		return;
	count(r, self, err);
	tell(f, self);
	owe_pause(f, r);
}

void failing_works(struct failing *f, const char *name)
{
	struct failing_row *r = find(f, name);

	if (!r)
		return;
	r->works = 1;
	r->interrupts = 0;
	if (r->failures == 0)
		end(f, r);
}

void failing_beat(struct failing *f, struct stage_block *self, uint64_t now)
{
	if (f->n_rows == 0)
		return;
	for (struct failing_row *r = f->rows; r < f->rows + FAILING_ROWS; r++) {
		if (!r->name || now < r->last_ns + (r->works ? WELL_NS : FORGOTTEN_NS))
			continue;
		if (r->failures >= SAID_AT)
			log_info("%s works again, after %llu failures in %.1f s", r->name,
				 (unsigned long long)r->failures, (double)(r->last_ns - r->since_ns) / 1e9);
		end(f, r);
	}
	tell(f, self);
}
