/* grid.c - a screen as an array of characters and styles. */
#include "grid.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NARROWEST_NAME 11 /* characters, the blank after it not included */

void grid_clear(struct grid *g, int rows, int cols)
{
	g->rows = rows < 0 ? 0 : rows > GRID_ROWS ? GRID_ROWS : rows;
	g->cols = cols < 0 ? 0 : cols > GRID_COLS ? GRID_COLS : cols;
	for (int r = 0; r < g->rows; r++) {
		memset(g->text[r], ' ', (size_t)g->cols);
		g->text[r][g->cols] = '\0';
		memset(g->style[r], STYLE_PLAIN, (size_t)g->cols);
	}
}

int grid_put(struct grid *g, int row, int col, enum style style, const char *text)
{
	for (; *text; text++, col++) {
		if (row < 0 || row >= g->rows || col < 0 || col >= g->cols)
			continue;
		g->text[row][col] = *text >= ' ' && *text <= '~' ? *text : '?';
		g->style[row][col] = (unsigned char)style;
	}
	return col;
}

int grid_printf(struct grid *g, int row, int col, enum style style, const char *format, ...)
{
	char text[GRID_COLS + 1];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return grid_put(g, row, col, style, text);
}

int grid_put_wrapped(struct grid *g, int row, enum style style, const char *text)
{
	while (*text && row < g->rows && g->cols > 0) {
		int len = (int)strlen(text), end = len;

		if (len > g->cols) {
			for (end = g->cols; end > 0 && text[end] != ' ';)
				end--;
			end = end ? end : g->cols;
		}
		grid_printf(g, row++, 0, style, "%.*s", end, text);
		text += end;
		text += *text == ' ';
	}
	return row;
}

void grid_style_row(struct grid *g, int row, enum style style)
{
	if (row >= 0 && row < g->rows)
		memset(g->style[row], (int)style, (size_t)g->cols);
}

void shorten(const char *name, int width, char text[CELL_BYTES])
{
	int len = (int)strlen(name), tail = (width - 1) / 2;

	if (width < 3 || len <= width)
		snprintf(text, CELL_BYTES, "%.*s", width < 0 ? 0 : width, name);
	else
		snprintf(text, CELL_BYTES, "%.*s~%s", width - 1 - tail, name, name + len - tail);
}

void table_fit(struct table *t, const struct column *columns, int n_columns, int longest, int cols)
{
	int name = longest < NARROWEST_NAME ? longest : NARROWEST_NAME, used = name, last_rank = -1;

	/* By rank: all columns of a rank, or none of it and nothing of those after it. */
	for (int rank = 0; rank < MAX_COLUMNS; rank++) {
		int width = rank == RANK_EXTRA ? longest - name : 0;

		for (int i = 1; i < n_columns; i++)
			width += columns[i].rank == rank ? columns[i].width : 0;
		if (used + width > cols)
			break;
		name = rank == RANK_EXTRA ? longest : name;
		used += width;
		last_rank = rank;
	}
	t->n_columns = 0;
	for (int i = 0; i < n_columns && t->n_columns < MAX_COLUMNS; i++)
		if (i == 0 || columns[i].rank <= last_rank)
			t->columns[t->n_columns++] = &columns[i];
	name += cols - used;
	t->name_width = name < 0 ? 0 : name < longest ? name : longest;
}

static int width_of(const struct table *t, int i)
{
	return i == 0 ? t->name_width : t->columns[i]->width;
}

static void put_cell(struct grid *g, int row, int col, int width, int left, const struct cell *c)
{
	int len = (int)strlen(c->text);

	grid_put(g, row, left ? col : col + (width > len ? width - len : 0), c->style, c->text);
}

void table_put_titles(const struct table *t, struct grid *g, int row)
{
	int col = 0;

	for (int i = 0; i < t->n_columns; i++) {
		const struct column *c = t->columns[i];
		struct cell title = { .style = STYLE_HEAD };

		snprintf(title.text, sizeof(title.text), "%.*s", width_of(t, i), c->title);
		put_cell(g, row, col + (c->left && i > 0), width_of(t, i), c->left, &title);
		col += width_of(t, i);
	}
	grid_style_row(g, row, STYLE_HEAD);
}

void table_put_row(const struct table *t, struct grid *g, int row, const void *data)
{
	int col = 0;

	for (int i = 0; i < t->n_columns; i++) {
		const struct column *c = t->columns[i];
		struct cell cell = { .style = STYLE_PLAIN }, name;

		c->fill(data, c, &cell);
		if (i == 0) {
			name = cell;
			shorten(name.text, t->name_width, cell.text);
		}
		put_cell(g, row, col + (c->left && i > 0), width_of(t, i), c->left, &cell);
		col += width_of(t, i);
	}
}
