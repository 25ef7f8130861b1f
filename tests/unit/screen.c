/* screen.c - the monitor's screen, at any size. */
#include "stat/screen.h"

#include <stdio.h>
#include <string.h>

#include "looks.h"
#include "units.h"
#include "suites.h"

static struct view before, now;
static struct health health;
static struct grid grid;

static struct screen screen_of(void)
{
	return (struct screen){
		.instance = "test", .clock = "12:34:56", .now = &now, .before = &before, .health = &health
	};
}

static uint32_t draw(const struct screen *s, int rows, int cols)
{
	memset(&health, 0, sizeof(health));
	if (now.at_ns)
		health_note(&health, &now);
	grid_clear(&grid, rows, cols);
	return screen_draw(s, &grid);
}

static int row_of(const char *name)
{
	for (int r = 0; r < grid.rows; r++)
		if (strncmp(grid.text[r], name, strlen(name)) == 0)
			return r;
	return 0;
}

static int row_with(const char *text)
{
	for (int r = 0; r < grid.rows; r++)
		if (strstr(grid.text[r], text))
			return r;
	return -1;
}

static void what_destinations_of_copies_did_not_get_is_among_what_is_lost(void)
{
	struct screen s = screen_of();
	struct account *a = &now.classes[0].account;

	take_looks(&before, &now, 2);
	before.classes[0].account.n_copies = a->n_copies = 2;
	a->copies[1].skipped_pkts[SKIP_FULL] = 40;
	a->copies[0].skipped_pkts[SKIP_FULL] = 2;
	draw(&s, 30, 100);
	CU_ASSERT(row_with("skipped full") >= 0 && strstr(grid.text[row_with("skipped full")], " 42"));
	CU_ASSERT_EQUAL(row_with("copy errors"), -1);
	a->copies[1].error_pkts = 7;
	draw(&s, 30, 100);
	CU_ASSERT(row_with("copy errors") >= 0);
}

static void marks_have_a_column_where_a_class_marks(void)
{
	struct screen s = screen_of();

	take_looks(&before, &now, 2);
	now.classes[0].account.marked_pkts = before.classes[0].account.marked_pkts + 137;
	draw(&s, 24, 100);
	CU_ASSERT_PTR_NULL(strstr(grid.text[1], "mark/s"));
	s.marks = 1;
	draw(&s, 24, 100);
	CU_ASSERT_PTR_NOT_NULL(strstr(grid.text[1], " mark/s"));
	CU_ASSERT_PTR_NOT_NULL(strstr(grid.text[2], "  137"));
	draw(&s, 24, 80);
	CU_ASSERT_PTR_NOT_NULL(strstr(grid.text[1], "mark/s"));
	now.classes[0].account.marked_pkts = before.classes[0].account.marked_pkts = 0;
}

static void without_an_earlier_look_all_is_since_launch(void)
{
	struct screen s = screen_of();

	take_looks(&before, &now, 2);
	draw(&s, 24, 80);
	CU_ASSERT_PTR_NOT_NULL(strstr(grid.text[0], "last 1.0 s  up 6s"));
	CU_ASSERT_PTR_NOT_NULL(strstr(grid.text[2], " 1.00k"));
	before.created_at_ns--; /* another launch */
	draw(&s, 24, 80);
	CU_ASSERT_PTR_NOT_NULL(strstr(grid.text[0], "since launch, 6s"));
	CU_ASSERT_PTR_NOT_NULL(strstr(grid.text[2], "  167")); /* 1000 in 6 s */
}

static void four_classes_and_all_that_happens_to_them_fit_80_by_24(void)
{
	struct screen s = screen_of();

	take_looks(&before, &now, 4);
	for (uint32_t i = 0; i < 4; i++)
		for (int r = DROP_NONE + 1; r <= DROP_LATE; r++)
			/* one way, from no front, and from anybody */
			now.classes[i].account.dropped_pkts[r] =
				r == DROP_NO_SESSION || r == DROP_BAD_PROXY || r == DROP_DENIED || r == DROP_LIMITED
					? 0
					: 5;
	draw(&s, 24, 80);
	for (uint32_t i = 0; i < 4; i++)
		CU_ASSERT_NSTRING_EQUAL(grid.text[2 + i], now.classes[i].name, strlen(now.classes[i].name));
	CU_ASSERT(row_with("waiting for egress") > 0);
	for (int i = 0; i < N_STAGES; i++)
		CU_ASSERT(row_with(stage_name((enum stage_id)i)) > 0);
	CU_ASSERT(row_with("p50    p95    p99  p99.9    max budget") == 1);
	CU_ASSERT(row_with("+14 more: key 4") > 0);
	s.part = PART_LOST;
	draw(&s, 24, 80);
	CU_ASSERT(row_with("more") < 0);
}

static void a_drop_stands_under_its_class_and_reason_with_rate_and_total(void)
{
	struct screen s = screen_of();
	int row;

	take_looks(&before, &now, 2);
	before.classes[1].account.dropped_pkts[DROP_INGRESS_FULL] = 1000;
	now.classes[1].account.dropped_pkts[DROP_INGRESS_FULL] = 1025;
	draw(&s, 24, 80);
	row = row_with("ingress_full");
	CU_ASSERT_FATAL(row > 0);
	CU_ASSERT_NSTRING_EQUAL(grid.text[row], "class1", 6);
	CU_ASSERT_PTR_NOT_NULL(strstr(grid.text[row], " 25    1025"));
	CU_ASSERT(row_with("nothing dropped") < 0);
}

static void what_grows_comes_first_when_not_all_reasons_fit(void)
{
	struct screen s = screen_of();

	take_looks(&before, &now, 16);
	for (uint32_t i = 0; i < 16; i++)
		before.classes[i].account.dropped_pkts[DROP_KERNEL] = now.classes[i].account.dropped_pkts[DROP_KERNEL] =
			3;
	now.classes[15].account.dropped_pkts[DROP_POISON] = 1;
	s.part = PART_LOST;
	for (int rows = 5; rows < 20; rows++) {
		draw(&s, rows, 80);
		CU_ASSERT_EQUAL(row_with("poison"), 2);
		CU_ASSERT_EQUAL(row_with("more: key 4"), rows - 2);
	}
	draw(&s, 20, 80); /* all fit, in the classes' order */
	CU_ASSERT_EQUAL(row_with("poison"), 18);
	CU_ASSERT(row_with("more: key 4") < 0);
}

static void a_time_above_the_budget_is_marked_without_colour(void)
{
	struct screen s = screen_of();

	take_looks(&before, &now, 2);
	now.classes[0].account.latency[histogram_bucket(2500000)] = 10;
	now.classes[0].account.latency_max_ns = 2500000;
	draw(&s, 24, 80);
	CU_ASSERT_PTR_NOT_NULL(strstr(grid.text[2], "!2.50ms"));
	CU_ASSERT_PTR_NULL(strchr(grid.text[3], '!'));
	CU_ASSERT_PTR_NULL(strstr(grid.text[2], "!106us"));
}

static void a_process_that_was_replaced_is_marked(void)
{
	struct screen s = screen_of();

	take_looks(&before, &now, 1);
	now.stages[STAGE_EDF].pid = 4711;
	now.stages[STAGE_EDF].starts = 2;
	draw(&s, 24, 80);
	CU_ASSERT_PTR_NOT_NULL(strstr(grid.text[row_of("edf ")], "!1"));
	CU_ASSERT_PTR_NULL(strchr(grid.text[row_of("egress ")], '!'));
}

static void the_last_row_says_balanced_or_who_is_off_by_how_much(void)
{
	struct screen s = screen_of();

	take_looks(&before, &now, 4);
	draw(&s, 24, 80);
	CU_ASSERT_NSTRING_EQUAL(grid.text[23], "balanced ", 9);
	now.classes[2].account.unbalanced_pkts = -3;
	draw(&s, 24, 80);
	CU_ASSERT_NSTRING_EQUAL(grid.text[23], "class class2 is not balanced: off by -3 packets  ", 49);
}

static void each_cause_has_a_row_and_what_has_no_room_is_counted(void)
{
	struct screen s = screen_of();

	take_looks(&before, &now, 4);
	for (int i = 0; i < 4; i++)
		now.classes[i].account.unbalanced_pkts = i + 1;
	now.stages[STAGE_EDF].beat_age_ns = 9 * NS_PER_S;
	draw(&s, 24, 80);
	CU_ASSERT_NSTRING_EQUAL(grid.text[20], "class class0 is not balanced", 28);
	CU_ASSERT_NSTRING_EQUAL(grid.text[23], "class class3 is not balanced: off by +4 packets (+1)", 52);
	CU_ASSERT(row_with("? help") == 23);
	draw(&s, 15, 60);
	CU_ASSERT_NSTRING_EQUAL(grid.text[14], "class class0 is not balanced: off by +1 packets (+4)", 52);
	CU_ASSERT(row_with("egress ") > 0);
}

static void classes_that_do_not_fit_can_be_scrolled_to(void)
{
	struct screen s = screen_of();
	char name[CLASS_NAME_BYTES + 1];
	uint32_t first;

	take_looks(&before, &now, 16);
	for (uint32_t i = 0; i < 16; i++) {
		s.first_class = i;
		first = draw(&s, 24, 80);
		CU_ASSERT(first <= i);
		snprintf(name, sizeof(name), "class%u ", i);
		CU_ASSERT(row_with(name) > 0);
		CU_ASSERT_PTR_NOT_NULL(strstr(grid.text[23], "of 16: up, down"));
	}
	s.first_class = 1000;
	CU_ASSERT_EQUAL(draw(&s, 24, 80), 9); /* seven are in view */
	CU_ASSERT_PTR_NOT_NULL(strstr(grid.text[23], "classes 10-16 of 16"));
	for (uint32_t i = 0; i < 16; i++)
		now.classes[i].account.dropped_pkts[DROP_KERNEL] = 1;
	CU_ASSERT_EQUAL(draw(&s, 24, 80), 11); /* five, and four reasons */
	CU_ASSERT(row_with("+12 more: key 4") == 22);
	s.part = PART_LATENCY;
	CU_ASSERT_EQUAL(draw(&s, 24, 80), 0);
	CU_ASSERT(row_with("class15") > 0);
}

static void a_long_name_keeps_its_end_where_it_is_cut(void)
{
	struct screen s = screen_of();

	take_looks(&before, &now, 2);
	strcpy(now.classes[0].name, "sensor-group-01");
	strcpy(now.classes[1].name, "sensor-group-02");
	draw(&s, 24, 80);
	CU_ASSERT_NSTRING_EQUAL(grid.text[2], "senso~up-01 ", 12);
	CU_ASSERT_NSTRING_EQUAL(grid.text[3], "senso~up-02 ", 12);
	draw(&s, 24, 84);
	CU_ASSERT_NSTRING_EQUAL(grid.text[2], "sensor-group-01", 15);
}

static void a_full_queue_has_a_full_bar(void)
{
	struct screen s = screen_of();

	take_looks(&before, &now, 3);
	now.classes[0].account.waiting_edf_pkts = 1;
	now.classes[1].account.waiting_edf_pkts = 128;
	now.classes[2].account.waiting_edf_pkts = 65536;
	now.classes[2].account.to_edf_limit_pkts = 65536;
	draw(&s, 24, 80);
	CU_ASSERT(row_with("[#.........] 1/256") > 0);
	CU_ASSERT(row_with("[####....] 128/256") > 0);
	CU_ASSERT(row_with("[####] 65.5k/65.5k") > 0);
}

static void while_the_instance_is_away_the_screen_says_so(void)
{
	struct screen s = screen_of();

	take_looks(&before, &now, 4);
	s.trouble = "instance 'test' is not running; run/launch.sh starts it";
	s.is_absent = 1;
	draw(&s, 24, 80);
	CU_ASSERT_PTR_NOT_NULL(strstr(grid.text[0], "not running, waiting"));
	CU_ASSERT(row_with("run/launch.sh") == 2);
	CU_ASSERT(row_with("last seen at 12:34:56") > 0);
	CU_ASSERT(row_with("balanced") < 0);
	draw(&s, 24, 20); /* broken at blanks */
	CU_ASSERT(row_with("running;") > 2);
	memset(&now, 0, sizeof(now));
	draw(&s, 24, 80);
	CU_ASSERT(row_with("last seen") < 0);
}

/* Each with every number of rows and columns: nothing may be written outside, and each row is text. */
static void every_size_of_screen_can_be_drawn(void)
{
	static const uint32_t counts[] = { 1, 4, 16 };

	for (int i = 0; i < 3 * N_PARTS * 2; i++) {
		struct screen s = screen_of();

		take_looks(&before, &now, counts[i % 3]);
		for (uint32_t c = 0; c < now.n_classes; c++) {
			memset(now.classes[c].account.dropped_pkts, 0x7f, sizeof(now.classes[c].account.dropped_pkts));
			memset(now.classes[c].account.late_span_pkts, 0x11,
			       sizeof(now.classes[c].account.late_span_pkts));
			memset(now.classes[c].name, 'n', CLASS_NAME_BYTES - 1);
		}
		s.part = (enum screen_part)(i / 3 % N_PARTS);
		s.help = i >= 3 * N_PARTS;
		s.first_class = 5;
		for (int n = 0; n < 60 * 160; n += 1 + n % 7) {
			int rows = n / 160, cols = n % 160;

			memset(&grid, 'x', sizeof(grid));
			draw(&s, rows, cols);
			CU_ASSERT(rows == 0 || strlen(grid.text[rows - 1]) == (size_t)cols);
			CU_ASSERT(grid.text[rows][0] == 'x' && grid.style[rows][0] == 'x' &&
				  grid.style[0][cols] == 'x');
		}
	}
	grid_clear(&grid, 10000, 10000);
	CU_ASSERT(grid.rows == GRID_ROWS && grid.cols == GRID_COLS);
}

SUITE(screen, TEST(what_destinations_of_copies_did_not_get_is_among_what_is_lost),
      TEST(marks_have_a_column_where_a_class_marks), TEST(without_an_earlier_look_all_is_since_launch),
      TEST(four_classes_and_all_that_happens_to_them_fit_80_by_24),
      TEST(a_drop_stands_under_its_class_and_reason_with_rate_and_total),
      TEST(what_grows_comes_first_when_not_all_reasons_fit), TEST(a_time_above_the_budget_is_marked_without_colour),
      TEST(a_process_that_was_replaced_is_marked), TEST(the_last_row_says_balanced_or_who_is_off_by_how_much),
      TEST(each_cause_has_a_row_and_what_has_no_room_is_counted), TEST(classes_that_do_not_fit_can_be_scrolled_to),
      TEST(a_long_name_keeps_its_end_where_it_is_cut), TEST(a_full_queue_has_a_full_bar),
      TEST(while_the_instance_is_away_the_screen_says_so), TEST(every_size_of_screen_can_be_drawn))
