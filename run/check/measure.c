/* measure.c - what a running instance does, between two looks. */
#include "measure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"

static const struct account *account_of(const struct view *v, const char *class)
{
	for (uint32_t i = 0; i < v->n_classes; i++)
		if (strcmp(v->classes[i].name, class) == 0)
			return &v->classes[i].account;
	return NULL;
}

static void measure_classes(const struct config *c, const struct view *before, const struct view *after,
			    struct measured *m)
{
	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct account *was = account_of(before, c->classes[i].name);
		const struct account *is = account_of(after, c->classes[i].name);

		if (!was || !is)
			continue;
		m->classes[i].received_pkts = is->received_pkts - was->received_pkts;
		m->classes[i].worked_pkts =
			is->sent_pkts + is->waiting_egress_pkts - was->sent_pkts - was->waiting_egress_pkts;
		m->classes[i].work_ns = is->work_ns - was->work_ns;
		m->seen.sent_pkts += is->sent_pkts - was->sent_pkts;
	}
}

/* A stage that was restarted began with a CPU time of 0: then the cost is not known. */
static void measure_stages(const struct view *before, const struct view *after, struct measured *m)
{
	for (int i = 0; i < N_STAGES; i++) {
		const struct stage_view *was = &before->stages[i], *is = &after->stages[i];
		uint64_t parks = is->parks - was->parks;

		if (is->pid == 0 || is->pid != was->pid) {
			m->seen.cpu_ns = 0;
			return;
		}
		m->seen.cpu_ns += is->cpu_ns - was->cpu_ns;
		m->seen.parks = parks > m->seen.parks ? parks : m->seen.parks;
	}
}

static void sleep_for(double seconds)
{
	struct timespec t = { .tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9) };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		continue;
}

int measure(const struct config *c, double seconds, struct measured *m, char why[WHY_BYTES])
{
	static struct view before, after;
	struct viewer viewer;
	int err;

	memset(m, 0, sizeof(*m));
	viewer_open(&viewer, c->instance);
	err = viewer_look(&viewer, &before, why);
	if (!err) {
		sleep_for(seconds);
		err = viewer_look(&viewer, &after, why);
	}
	viewer_close(&viewer);
	if (err)
		return err;
	if (!view_follows(&after, &before)) {
		snprintf(why, WHY_BYTES, "instance '%s' was launched anew meanwhile: measure it again", c->instance);
		return -EAGAIN;
	}
	m->seconds = (double)(after.at_ns - before.at_ns) / 1e9;
	measure_classes(c, &before, &after, m);
	measure_stages(&before, &after, m);
	return 0;
}
