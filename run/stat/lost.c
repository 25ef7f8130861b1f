/* lost.c - what was dropped, by reason, and what was sent late, by where it lost its time. */
#include "lost.h"

#include <stdio.h>
#include <string.h>

#include "look/number.h"

#define SIDE_BY_SIDE_COLS 78
#define ENTRY_COLS 38 /* the narrowest that is read without effort */
#define WHAT_WIDTH 14 /* "no_destination" */
#define RATE_WIDTH 7
#define TOTAL_WIDTH 8

/* One list's place on the screen, and its titles. */
struct area {
	int row, rows, col, cols;
	const char *name, *what;
};

static void add(struct lost *list, int *n, const char *class, const char *what, double per_s, uint64_t total,
		enum style style)
{
	struct lost *l = &list[*n];

	if (total == 0)
		return;
	*l = (struct lost){ .class = class, .per_s = per_s, .total = total, .style = style };
	snprintf(l->what, sizeof(l->what), "%s", what);
	(*n)++;
}

/* The errors the kernel reported: indented, since these are counted as send_error already, or are no drops at all. */
static void add_errors(struct lost_lists *l, const struct class_view *c, const struct class_change *change)
{
	char name[ERRNO_NAME_BYTES], text[CELL_BYTES];

	for (int i = 0; i < SEND_ERRNOS; i++) {
		snprintf(text, sizeof(text), " %s", send_errno_name(&c->account, i, name));
		add(l->dropped, &l->n_dropped, c->name, text, change->errno_pps[i], c->account.send_errno_pkts[i],
		    STYLE_PLAIN);
	}
	add(l->dropped, &l->n_dropped, c->name, " unexpected", change->unexpected_pps, c->account.unexpected_reply_pkts,
	    STYLE_PLAIN);
	add(l->dropped, &l->n_dropped, c->name, " ICMP errors", change->refused_per_s, c->account.refused_events,
	    STYLE_PLAIN);
}

void lost_collect(struct lost_lists *l, const struct view *now, const struct class_change *changes, uint32_t first)
{
	l->n_dropped = l->n_late = 0;
	for (uint32_t i = first; i < now->n_classes; i++) {
		const struct class_view *c = &now->classes[i];

		for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++)
			add(l->dropped, &l->n_dropped, c->name, drop_reason_name((enum drop_reason)r),
			    changes[i].reason_pps[r], c->account.dropped_pkts[r], STYLE_BAD);
		add_errors(l, c, &changes[i]);
		for (int s = 0; s < N_SPANS; s++)
			add(l->late, &l->n_late, c->name, span_name((enum span)s), changes[i].late_span_pps[s],
			    c->account.late_span_pkts[s], STYLE_WARN);
	}
}

static int columns_of(int cols)
{
	return cols / ENTRY_COLS > 1 ? cols / ENTRY_COLS : 1;
}

static int rows_of(int n, int cols)
{
	return (n + columns_of(cols) - 1) / columns_of(cols);
}

int lost_rows(const struct lost_lists *l, int cols)
{
	int dropped, late;

	if (l->n_dropped + l->n_late == 0)
		return 1;
	if (cols < SIDE_BY_SIDE_COLS)
		return (l->n_dropped > 0) + l->n_dropped + (l->n_late > 0) + l->n_late;
	dropped = rows_of(l->n_dropped, cols / 2);
	late = rows_of(l->n_late, cols / 2);
	return 1 + (dropped > late ? dropped : late);
}

static void put_right(struct grid *g, int row, int end, enum style style, const char *text)
{
	grid_put(g, row, end - (int)strlen(text), style, text);
}

static int name_width(int width)
{
	int left = width - 1 - WHAT_WIDTH - RATE_WIDTH - TOTAL_WIDTH;

	return left < CLASS_NAME_BYTES - 1 ? left : CLASS_NAME_BYTES - 1;
}

static void put_titles(struct grid *g, const struct area *a, int width)
{
	int end = a->col + name_width(width) + 1 + WHAT_WIDTH + RATE_WIDTH;

	grid_put(g, a->row, a->col, STYLE_HEAD, a->name);
	grid_put(g, a->row, a->col + name_width(width) + 1, STYLE_HEAD, a->what);
	put_right(g, a->row, end, STYLE_HEAD, "/s");
	put_right(g, a->row, end + TOTAL_WIDTH, STYLE_HEAD, "total");
}

static void put_entry(struct grid *g, int row, int col, int width, const struct lost *e)
{
	char text[CELL_BYTES], number[NUMBER_BYTES];
	enum style style = e->per_s > 0 ? e->style : STYLE_PLAIN;
	int name = name_width(width), end;

	shorten(e->class, name, text);
	grid_put(g, row, col, STYLE_PLAIN, text);
	grid_put(g, row, col + name + 1, style, e->what);
	end = col + name + 1 + WHAT_WIDTH + RATE_WIDTH;
	put_right(g, row, end, style, number_of(e->per_s, number));
	put_right(g, row, end + TOTAL_WIDTH, STYLE_PLAIN, number_of_count(e->total, TOTAL_WIDTH - 1, number));
}

/* The order to show them in: as collected when all fit, else what grows first. */
static void sort(const struct lost *list, int n, int fits, const struct lost **order)
{
	int at = 0;

	for (int grows = 1; grows >= 0; grows--)
		for (int i = 0; i < n; i++)
			if (fits ? grows : (list[i].per_s > 0) == grows)
				order[at++] = &list[i];
}

static void draw_list(struct grid *g, struct area a, const struct lost *list, int n)
{
	const struct lost *order[MAX_LOST];
	int columns = columns_of(a.cols), places = (a.rows - 1) * columns, shown = n <= places ? n : places - 1;
	int width = a.cols / columns;

	put_titles(g, &a, width - 1);
	sort(list, n, n <= places, order);
	for (int i = 0; i < shown; i++)
		put_entry(g, a.row + 1 + i / columns, a.col + i % columns * width, width - 1, order[i]);
	if (shown >= 0 && shown < n && places > 0)
		grid_printf(g, a.row + 1 + shown / columns, a.col + shown % columns * width, STYLE_WARN,
			    "+%d more: key 4", n - shown);
}

/* One below the other. Both get a place: what is dropped may take all rows but three, if there are that many. */
static void draw_below(const struct lost_lists *l, struct grid *g, struct area dropped, struct area late)
{
	int rows = dropped.rows, first = l->n_dropped ? l->n_dropped + 1 : 0;

	if (l->n_late > 0 && first > rows - 3 && rows >= 5)
		first = rows - 3;
	dropped.rows = first < rows ? first : rows;
	if (l->n_dropped > 0)
		draw_list(g, dropped, l->dropped, l->n_dropped);
	late.row += first;
	late.rows -= first;
	if (l->n_late == 0 || late.rows < 2)
		return;
	grid_style_row(g, late.row, STYLE_HEAD);
	draw_list(g, late, l->late, l->n_late);
}

void lost_draw(const struct lost_lists *l, struct grid *g, int row, int rows)
{
	struct area dropped = { row, rows, 0, g->cols, "dropped", "reason" };
	struct area late = { row, rows, 0, g->cols, "late", "mostly in" };

	if (rows <= 0)
		return;
	grid_style_row(g, row, STYLE_HEAD);
	if (l->n_dropped + l->n_late == 0) {
		grid_put(g, row, 0, STYLE_HEAD, "nothing dropped, nothing late since launch");
		return;
	}
	if (g->cols < SIDE_BY_SIDE_COLS) {
		draw_below(l, g, dropped, late);
		return;
	}
	dropped.cols = late.cols = late.col = g->cols / 2;
	draw_list(g, dropped, l->dropped, l->n_dropped);
	draw_list(g, late, l->late, l->n_late);
}
