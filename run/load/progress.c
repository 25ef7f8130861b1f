/* progress.c - a bar on the terminal. */
#include "progress.h"

#include <stdio.h>
#include <unistd.h>

#include "clock.h"

#define REDRAW_NS (100 * NS_PER_MS)
#define BAR_CELLS 30

static void draw(const struct progress *p, uint64_t now, uint64_t *sent_before, uint64_t *at_before_ns)
{
	uint64_t length_ns = p->until_ns - p->began_at_ns, since_ns = now > *at_before_ns ? now - *at_before_ns : 1,
		 sent = 0, received = 0;
	double part = now > p->began_at_ns ? (double)(now - p->began_at_ns) / (double)length_ns : 0;
	char bar[BAR_CELLS + 1] = { 0 };

	for (uint32_t i = 0; i < p->n_flows; i++) { /* relaxed: for a look */
		sent += atomic_load_explicit(&p->flows[i].sent_pkts, memory_order_relaxed);
		received += atomic_load_explicit(&p->flows[i].received_pkts, memory_order_relaxed);
	}
	part = part > 1 ? 1 : part;
	for (int i = 0; i < BAR_CELLS; i++)
		bar[i] = i < (int)(part * BAR_CELLS) ? '#' : '.';
	if (p->until_ns == UINT64_MAX)
		fprintf(stderr, "\r\033[Kreceived %llu", (unsigned long long)received);
	else
		fprintf(stderr, "\r\033[K[%s] %3.0f %%  %.0f/s  sent %llu  received %llu", bar, part * 100,
			(double)(sent - *sent_before) * 1e9 / (double)since_ns, (unsigned long long)sent,
			(unsigned long long)received);
	*sent_before = sent;
	*at_before_ns = now;
}

static void *run_progress(void *arg)
{
	struct progress *p = arg;
	struct timespec pause = { .tv_nsec = (long)REDRAW_NS };
	uint64_t sent_before = 0, at_before_ns = p->began_at_ns;

	while (!atomic_load_explicit(&p->stop, memory_order_relaxed)) { /* relaxed: only a flag */
		draw(p, now_ns(), &sent_before, &at_before_ns);
		nanosleep(&pause, NULL);
	}
	fputs("\r\033[K", stderr);
	return NULL;
}

void progress_start(struct progress *p, const struct flow *flows, uint32_t n_flows, uint64_t began_at_ns,
		    uint64_t until_ns)
{
	*p = (struct progress){ .flows = flows, .n_flows = n_flows, .began_at_ns = began_at_ns, .until_ns = until_ns };
	p->is_shown = isatty(STDERR_FILENO) && pthread_create(&p->thread, NULL, run_progress, p) == 0;
}

void progress_finish(struct progress *p)
{
	if (!p->is_shown)
		return;
	atomic_store_explicit(&p->stop, 1, memory_order_relaxed); /* relaxed: only a flag */
	pthread_join(p->thread, NULL);
}
