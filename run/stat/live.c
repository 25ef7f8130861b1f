/* live.c - the monitor on a terminal. */
#include "live.h"

#include <errno.h>
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "screen.h"
#include "look/in_force.h"
#include "look/wait.h"

#include <term.h> /* last: its macros have names such as `columns` */

struct live {
	SCREEN *terminal;
	struct viewer viewer;
	struct view now, before;
	struct health health;
	struct in_force in_force;
	struct grid grid;
	struct screen screen;
	char clock[16], why[WHY_BYTES];
	attr_t attributes[N_STYLES];
	short pairs[N_STYLES]; /* colours; 0: the terminal's own */
};

static void take_look(struct live *l)
{
	struct screen *s = &l->screen;
	time_t at;
	struct tm local;
	int err;

	l->before = l->now;
	err = viewer_look(&l->viewer, &l->now, l->why);
	if (err == -EAGAIN) { /* counts that would not hold still: the next look is not far */
		l->now = l->before;
		return;
	}
	s->trouble = err ? l->why : NULL;
	s->is_absent = err == -ENOENT;
	if (err)
		return;
	health_note(&l->health, &l->now);
	in_force_look(&l->in_force, &l->now);
	s->marks = in_force_marks(&l->in_force, &l->now);
	at = (time_t)(l->now.at_unix_ns / NS_PER_S);
	if (localtime_r(&at, &local))
		strftime(l->clock, sizeof(l->clock), "%H:%M:%S", &local);
}

/* Neighbours of one style go out together. */
static void show_row(const struct live *l, int row)
{
	const struct grid *g = &l->grid;

	for (int from = 0, to; from < g->cols; from = to) {
		for (to = from + 1; to < g->cols && g->style[row][to] == g->style[row][from];)
			to++;
		attr_set(l->attributes[g->style[row][from]], l->pairs[g->style[row][from]], NULL);
		mvaddnstr(row, from, &g->text[row][from], to - from);
	}
}

static void draw(struct live *l)
{
	grid_clear(&l->grid, LINES, COLS);
	l->screen.first_class = screen_draw(&l->screen, &l->grid);
	erase();
	for (int row = 0; row < l->grid.rows; row++)
		show_row(l, row);
	refresh();
}

static void fit_terminal(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0)
		resizeterm(size.ws_row, size.ws_col);
	clearok(curscr, TRUE);
}

/* 1: quit. */
static int obey(struct live *l, int key)
{
	struct screen *s = &l->screen;

	if (key == 'q' || key == 'Q')
		return 1;
	if (key == ' ')
		s->paused = !s->paused;
	else if (key == 'c')
		s->since_launch = !s->since_launch;
	else if (key == '?' || key == 'h')
		s->help = !s->help;
	else if (key == 27 || key == '\n')
		s->help = 0;
	else if (key >= '1' && key < '1' + N_PARTS)
		s->part = (enum screen_part)(key - '1');
	else if (key == KEY_DOWN || key == 'j')
		s->first_class++;
	else if ((key == KEY_UP || key == 'k') && s->first_class > 0)
		s->first_class--;
	else if (key == 'L' - '@')
		clearok(curscr, TRUE);
	return 0;
}

/* All keys that are there. 1: quit, or the terminal is gone. */
static int read_keys(struct live *l)
{
	int waiting = 0, key;

	if (ioctl(STDIN_FILENO, FIONREAD, &waiting) < 0 || waiting == 0)
		return 1;
	while ((key = getch()) != ERR)
		if (obey(l, key))
			return 1;
	return 0;
}

static void choose_attributes(struct live *l)
{
	static const attr_t plain[N_STYLES] = { A_NORMAL, A_BOLD, A_REVERSE, A_NORMAL, A_BOLD, A_BOLD, A_NORMAL };
	static const short colours[N_STYLES] = {
		[STYLE_WARN] = COLOR_YELLOW, [STYLE_BAD] = COLOR_RED, [STYLE_GOOD] = COLOR_GREEN
	};
	const char *no_color = getenv("NO_COLOR");

	memcpy(l->attributes, plain, sizeof(plain));
	if ((no_color && *no_color) || !has_colors() || start_color() == ERR || use_default_colors() == ERR)
		return;
	for (short i = 0; i < N_STYLES; i++)
		if (colours[i] && init_pair(i, colours[i], -1) == OK)
			l->pairs[i] = i;
}

static int open_terminal(struct live *l)
{
	const char *term = getenv("TERM");
	int err = 0, is_able = setupterm(NULL, STDOUT_FILENO, &err) == OK && cursor_address;
	TERMINAL *looked_at = cur_term; /* newterm() reads its own */

	l->terminal = is_able ? newterm(NULL, stdout, stdin) : NULL;
	if (looked_at)
		del_curterm(looked_at);
	if (!l->terminal) {
		log_error("a terminal of type %s (TERM) cannot show the monitor: use --once, or set TERM to what it is",
			  term && *term ? term : "unknown");
		return 2;
	}
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	set_escdelay(25);
	choose_attributes(l);
	fit_terminal();
	return 0;
}

static void run(struct live *l, uint64_t interval_ns)
{
	int keys_fd = isatty(STDIN_FILENO) ? STDIN_FILENO : -1;
	uint64_t next_ns = now_ns();

	for (;;) {
		enum waited w = wait_until(next_ns, keys_fd);

		if (w == WAITED_END || (w == WAITED_INPUT && read_keys(l)))
			return;
		if (w == WAITED_RESIZE)
			fit_terminal();
		if (w == WAITED_TIME) {
			next_ns += interval_ns;
			if (next_ns < now_ns()) /* we were stopped for a while */
				next_ns = now_ns() + interval_ns;
			if (!l->screen.paused)
				take_look(l);
		}
		draw(l);
	}
}

int stat_live(const char *instance, int shard, uint64_t interval_ns)
{
	static struct live l;

	wait_begin(); /* first: ncurses leaves alone what has a handler */
	if (open_terminal(&l))
		return 2;
	viewer_open(&l.viewer, instance);
	viewer_shard(&l.viewer, shard);
	l.screen = (struct screen){
		.instance = instance, .clock = l.clock, .now = &l.now, .before = &l.before, .health = &l.health
	};
	run(&l, interval_ns);
	viewer_close(&l.viewer);
	endwin();
	delscreen(l.terminal);
	return 0;
}
