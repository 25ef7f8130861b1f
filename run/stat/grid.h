/*
 * grid.h - a screen as an array of characters and styles, and tables that fit the columns there are.
 *
 * Memory:  struct grid is private; what lies outside of it is cut silently, so nobody needs to know its size to draw.
 * Rules:   pure; ASCII only, since a terminal's character set is not ours to know. No meaning is in a style alone.
 */
#ifndef ONTIME_STAT_GRID_H
#define ONTIME_STAT_GRID_H

#include <stddef.h>

#define GRID_ROWS 200
#define GRID_COLS 400
#define CELL_BYTES 64

enum style { STYLE_PLAIN, STYLE_STRONG, STYLE_HEAD, STYLE_FAINT, STYLE_WARN, STYLE_BAD, STYLE_GOOD, N_STYLES };

struct grid {
	int rows, cols; /* at most GRID_ROWS, GRID_COLS */
	char text[GRID_ROWS][GRID_COLS + 1]; /* each row ends with a NUL at `cols` */
	unsigned char style[GRID_ROWS][GRID_COLS]; /* enum style */
};

/* One cell of a table: filled in by its column. */
struct cell {
	char text[CELL_BYTES];
	enum style style;
};

struct column {
	const char *title;
	int width; /* the blank before it included */
	int rank; /* what is lower is dropped last when the columns do not all fit */
	int left; /* 1: flush left */
	void (*fill)(const void *row, const struct column *column, struct cell *cell); /* writes the cell of a row */
	size_t what; /* which figure of the row: for fill() */
	enum style when_any; /* of a rate above 0: for fill() */
};

#define MAX_COLUMNS 24
#define RANK_EXTRA 5 /* columns from this rank on come after names are whole */

/* Which columns of a table fit, in their order. */
struct table {
	const struct column *columns[MAX_COLUMNS];
	int n_columns;
	int name_width; /* of the first column, which is always there */
};

void grid_clear(struct grid *g, int rows, int cols);

/* grid_put - text at a place, cut at the right edge of the grid. Returns the column after it. */
int grid_put(struct grid *g, int row, int col, enum style style, const char *text);

__attribute__((format(printf, 5, 6))) int grid_printf(struct grid *g, int row, int col, enum style style,
						      const char *format, ...);

/* grid_put_wrapped - broken at blanks, from `row` on. Returns the row after it. */
int grid_put_wrapped(struct grid *g, int row, enum style style, const char *text);

/* grid_style_row - all of a row. */
void grid_style_row(struct grid *g, int row, enum style style);

/*
 * table_fit - choose the columns; the first one is a name, `longest` characters at most, and gets what it needs last.
 */
void table_fit(struct table *t, const struct column *columns, int n_columns, int longest, int cols);

void table_put_titles(const struct table *t, struct grid *g, int row);
void table_put_row(const struct table *t, struct grid *g, int row, const void *data);

/* shorten - a name that is too long, its middle as `~`: what tells names apart is often at the end. */
void shorten(const char *name, int width, char text[CELL_BYTES]);

#endif
