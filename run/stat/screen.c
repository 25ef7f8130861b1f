/* screen.c - the monitor's screen, drawn from two looks into a grid. */
#include "screen.h"

#include <stdio.h>
#include <string.h>

#include "look/change.h"
#include "columns.h"
#include "lost.h"
#include "look/number.h"

#define ROOMY_ROWS 20 /* a terminal of 22: from here on four reasons always have a place, below two */
#define MOST_CAUSES 4 /* of those that tell what is wrong, in view */
#define FEWEST_CLASSES 3 /* with fewer in view, the queues make room for more */

struct drawing {
	const struct screen *s;
	struct grid *g;
	struct class_change classes[MAX_CLASSES];
	struct stage_change stages[N_STAGES];
	struct lost_lists lost;
	uint64_t window_ns;
	int is_since_launch;
	int longest_name;
	uint32_t first, n; /* classes in view */
};

/* How many rows each part gets; 0: it is left out. */
struct row_counts {
	int classes, lost, gap;
	int latency, queues, stages; /* 1: shown */
};

static const char *const help[] = {
	"q      quit                       c      since launch, or the last interval",
	"space  pause, go on               1..4   all, latency, queues, dropped and late",
	"up, down, j, k  other classes     ?      this help",
	"",
	"in/s, out/s, drop/s  packets per second",
	"on-time   of the packets sent or dropped: the share sent before its deadline",
	"p50..max  time from arrival to departure; ! above the budget",
	"waiting   packets in the queue to a stage, against the queue's limit",
	"sock ingr wait work outq send   where the time of what was sent went: in the",
	"          socket, ingress, queue to edf, edf's work, queue to egress, send call",
	"restarts  ! another process than before; rescued: packets, by the crash journal",
	"dropped   by reason; indented: errors of the send call, and ICMP errors",
	"late      sent after the deadline, by where most of its time went",
	"balanced  received = sent + dropped + held, in every class; else what is wrong",
};

static void draw_help(struct grid *g)
{
	int row = 2;

	for (size_t i = 0; i < sizeof(help) / sizeof(help[0]); i++)
		grid_put(g, row++, 0, STYLE_PLAIN, help[i]);
}

static void draw_title(const struct drawing *d)
{
	const struct screen *s = d->s;
	char text[NUMBER_BYTES];
	int col;

	grid_style_row(d->g, 0, STYLE_STRONG);
	col = grid_printf(d->g, 0, 0, STYLE_STRONG, "ontime %s", s->instance);
	if (s->trouble)
		col = grid_put(d->g, 0, col, STYLE_BAD,
			       s->is_absent ? "  not running, waiting" : "  cannot be read, waiting");
	else if (d->is_since_launch)
		col = grid_printf(d->g, 0, col, STYLE_STRONG, "  since launch, %s", number_of_age(d->window_ns, text));
	else
		col = grid_printf(d->g, 0, col, STYLE_STRONG, "  last %.1f s  up %s", (double)d->window_ns / 1e9,
				  number_of_age(s->now->at_ns - s->now->created_at_ns, text));
	if (s->paused)
		col = grid_put(d->g, 0, col, STYLE_WARN, "  PAUSED");
	if (col + 2 + (int)strlen(s->clock) <= d->g->cols)
		grid_put(d->g, 0, d->g->cols - (int)strlen(s->clock), STYLE_STRONG, s->clock);
}

/*
 * How many rows the verdict takes: each cause has its own while there are rows enough, and the keys are in the last
 * one.
 */
static int verdict_rows(const struct drawing *d)
{
	int n = d->s->trouble ? 0 : d->s->health->n_causes, most = d->g->rows > ROOMY_ROWS ? MOST_CAUSES : 1;

	return n < 1 ? 1 : n < most ? n : most;
}

/* Returns the column after it, in the last row. */
static int draw_verdict(const struct drawing *d)
{
	const struct health *h = d->s->health;
	int row = d->g->rows - 1, n = verdict_rows(d), col = 0;

	if (d->s->trouble)
		return 0;
	if (h->n_causes == 0)
		return grid_put(d->g, row, 0, STYLE_GOOD, "balanced");
	for (int i = 0; i < n; i++)
		col = grid_put(d->g, row - n + 1 + i, 0, STYLE_BAD, h->causes[i].text);
	if (h->n_causes > n)
		col = grid_printf(d->g, row, col, STYLE_BAD, " (+%d)", h->n_causes - n);
	return col;
}

/* The verdict, and the keys as far as they fit. */
static void draw_footer(const struct drawing *d)
{
	static const char *const keys[] = { "? help", "q quit", "space pause", "c since launch", "1-4 parts" };
	const struct view *now = d->s->now;
	struct grid *g = d->g;
	int row = g->rows - 1, col = draw_verdict(d), end = g->cols;

	if (d->n > 0 && d->n < now->n_classes)
		col = grid_printf(g, row, col + 2, STYLE_WARN, "classes %u-%u of %u: up, down", d->first + 1,
				  d->first + d->n, now->n_classes);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		end -= (int)strlen(keys[i]) + (i > 0 ? 2 : 0);
		if (end < col + 2)
			return;
		grid_put(g, row, end, STYLE_PLAIN, keys[i]);
	}
}

/* The lists of what was lost have no end that is known before they are drawn: they scroll until one class is left. */
static uint32_t first_of_list(const struct screen *s)
{
	uint32_t last = s->now->n_classes ? s->now->n_classes - 1 : 0;

	return s->first_class < last ? s->first_class : last;
}

static void measure(struct drawing *d)
{
	const struct screen *s = d->s;
	const struct view *before = s->before;
	struct view launch;

	d->is_since_launch = s->since_launch || !view_follows(s->now, before);
	if (d->is_since_launch) {
		view_launch(s->now, &launch);
		before = &launch;
	}
	d->window_ns = s->now->at_ns > before->at_ns ? s->now->at_ns - before->at_ns : 1;
	for (uint32_t i = 0; i < s->now->n_classes; i++) {
		int len = (int)strlen(s->now->classes[i].name);

		class_change(&s->now->classes[i], &before->classes[i], d->window_ns, &d->classes[i]);
		d->longest_name = len > d->longest_name ? len : d->longest_name;
	}
	stages_change(s->now, before, d->window_ns, d->stages);
	lost_collect(&d->lost, s->now, d->classes, s->part == PART_LOST ? first_of_list(s) : 0);
}

/* Everything, as far as the rows go: stages and losses are always there, then latency, then queues. */
static struct row_counts plan_all(int n, int rows, int lost_rows)
{
	int least = rows >= ROOMY_ROWS ? 5 : 3, lost = lost_rows < least ? lost_rows : least, stages = 1 + N_STAGES;
	struct row_counts p = { .latency = 1, .queues = 1, .stages = 1 };

	p.classes = (rows - stages - lost - 2) / 2;
	if (p.classes < FEWEST_CLASSES && p.classes < n) {
		p.queues = 0;
		p.classes = rows - stages - lost - 1;
	}
	if (p.classes < 1) {
		p.stages = lost = stages = 0;
		p.classes = rows - 1;
	}
	p.classes = p.classes < n ? p.classes : n;
	rows -= (1 + p.classes) * (1 + p.queues) + stages;
	p.lost = rows < lost_rows ? rows : lost_rows;
	p.gap = rows - p.lost >= 1 + p.queues + p.stages;
	if (lost == 0)
		p.lost = 0;
	return p;
}

static struct row_counts make_plan(const struct drawing *d, int rows)
{
	int n = (int)d->s->now->n_classes, fit = rows - 1 < n ? rows - 1 : n;

	switch (d->s->part) {
	case PART_LATENCY:
		return (struct row_counts){ .latency = 1, .classes = fit };
	case PART_QUEUES:
		return (struct row_counts){ .queues = 1, .classes = fit };
	case PART_LOST:
		return (struct row_counts){ .lost = rows, .classes = n };
	default:
		return plan_all(n, rows, lost_rows(&d->lost, d->g->cols));
	}
}

static int draw_classes(const struct drawing *d, const struct table *t, int row)
{
	table_put_titles(t, d->g, row++);
	for (uint32_t i = d->first; i < d->first + d->n; i++) {
		struct class_row r = { &d->s->now->classes[i], &d->classes[i] };

		table_put_row(t, d->g, row++, &r);
	}
	return row;
}

static int draw_stages(const struct drawing *d, int row)
{
	struct table t;

	fit_stage_table(&t, d->g->cols);
	table_put_titles(&t, d->g, row++);
	for (int i = 0; i < N_STAGES; i++) {
		struct stage_row r = { stage_name((enum stage_id)i), &d->s->now->stages[i], &d->stages[i] };

		table_put_row(&t, d->g, row++, &r);
	}
	return row;
}

static void draw_parts(struct drawing *d)
{
	int row = 1, rows = d->g->rows - 1 - verdict_rows(d);
	struct row_counts p = make_plan(d, rows);
	uint32_t n = d->s->now->n_classes;
	struct table t;

	d->n = d->s->part == PART_LOST ? n - first_of_list(d->s) : p.classes > 0 ? (uint32_t)p.classes : 0;
	d->first = d->s->first_class < n - d->n ? d->s->first_class : n - d->n;
	if (p.latency) {
		fit_latency_table(&t, d->longest_name, d->g->cols, d->s->marks != 0);
		row = draw_classes(d, &t, row) + p.gap;
	}
	if (p.queues) {
		fit_queue_table(&t, d->longest_name, d->g->cols);
		row = draw_classes(d, &t, row) + p.gap;
	}
	if (p.stages)
		row = draw_stages(d, row) + p.gap;
	lost_draw(&d->lost, d->g, row, p.lost);
}

uint32_t screen_draw(const struct screen *s, struct grid *g)
{
	struct drawing d = { .s = s, .g = g };

	if (!s->trouble)
		measure(&d);
	if (s->help) {
		draw_help(g);
	} else if (s->trouble) {
		int row = grid_put_wrapped(g, 2, STYLE_PLAIN, s->trouble);

		if (s->now->at_ns)
			grid_printf(g, row + 1, 0, STYLE_PLAIN, "last seen at %s", s->clock);
	} else {
		draw_parts(&d);
	}
	draw_title(&d);
	draw_footer(&d);
	return s->trouble || s->help ? first_of_list(s) : d.first;
}
