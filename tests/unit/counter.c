/*
 * counter.c - whatever is described is shown: each drop reason, span and counter is in JSON, metrics, table, screen and
 * the page's description. All of it is driven off the descriptions, so that a printer with a list of its own is found
 * out.
 */
#include "shm/counter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dash/describe.h"
#include "dash/metrics.h"
#include "look/json.h"
#include "stat/screen.h"
#include "stat/table.h"
#include "looks.h"
#include "suites.h"

#define FIRST 700001 /* of values that are told apart by what they are */

static struct feed feed;
static struct grid grid;
static char *text;

/* A look whose counters of class 0 all differ, from FIRST on in the order of their descriptions. */
static void take_look(void)
{
	struct account *a;
	uint64_t value = FIRST;

	memset(&feed, 0, sizeof(feed));
	take_looks(&feed.before, &feed.now, 1);
	feed.runs = 1;
	snprintf(feed.viewer.instance, sizeof(feed.viewer.instance), "test");
	a = &feed.now.classes[0].account;
	for (const struct counter *c = counter_next(NULL); c; c = counter_next(c))
		for (int i = 0; i < counter_values(c); i++)
			((uint64_t *)(uintptr_t)counter_values_of(c, a))[i] = value++;
	for (int i = 0; i < SEND_ERRNOS; i++)
		a->send_errno[i] = (uint64_t)(EPERM + i);
	feed.before.classes[0] = feed.now.classes[0];
	for (int s = 0; s < N_STAGES; s++)
		for (const struct counter *c = stage_counter_next(NULL); c; c = stage_counter_next(c)) {
			uint64_t of_stage = value++;

			memcpy((char *)&feed.now.stages[s] + c->at, &of_stage, sizeof(of_stage));
		}
}

static FILE *begin(void)
{
	static size_t len;
	FILE *out;

	free(text);
	text = NULL;
	out = open_memstream(&text, &len);
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	return out;
}

static void print_json(void)
{
	const struct stat_line line = { "test", &feed.now, NULL, &feed.health, 0 };
	FILE *out = begin();

	stat_json(out, &line);
	fclose(out);
}

static void print_metrics(int open)
{
	FILE *out = begin();

	metrics_print(out, &feed, 0, open);
	fclose(out);
}

/* How often the text has it. */
static int times(const char *what)
{
	int n = 0;

	for (const char *at = text; (at = strstr(at, what)); at++)
		n++;
	return n;
}

static void must_have_once(const char *what)
{
	if (times(what) != 1)
		printf("      '%s' is there %d times\n", what, times(what));
	CU_ASSERT_EQUAL(times(what), 1);
}

static void every_counter_is_in_json_under_its_key_with_its_value(void)
{
	char want[128], name[ERRNO_NAME_BYTES];
	const struct account *a = &feed.now.classes[0].account;

	take_look();
	print_json();
	for (const struct counter *c = counter_next(NULL); c; c = counter_next(c)) {
		snprintf(want, sizeof(want), ",\"%s\":", c->key ? c->key : "latency_ns");
		must_have_once(want);
		for (int i = 0; c->key && i < counter_values(c); i++) {
			snprintf(want, sizeof(want), "\"%s\":%llu",
				 c->by == BY_NOTHING ? c->key : counter_value_name(c, a, i, name),
				 (unsigned long long)counter_values_of(c, a)[i]);
			must_have_once(want);
		}
	}
	for (const struct counter *c = stage_counter_next(NULL); c; c = stage_counter_next(c)) {
		snprintf(want, sizeof(want), ",\"%s\":%llu", c->key,
			 (unsigned long long)stage_counter_value(c, &feed.now.stages[STAGE_EDF]));
		must_have_once(want);
	}
}

/* With its family's TYPE line, which is there once, and a sample that has the value. */
static void must_have_metric(const char *metric, const char *total, const char *labels, uint64_t value, int is_ns)
{
	char want[256];
	int len = snprintf(want, sizeof(want), "\n%s%s{%s} %llu", metric, total, labels,
			   (unsigned long long)(is_ns ? value / 1000000000 : value));

	if (is_ns)
		snprintf(want + len, sizeof(want) - (size_t)len, ".%09llu\n", (unsigned long long)(value % 1000000000));
	else
		snprintf(want + len, sizeof(want) - (size_t)len, "\n");
	for (char *end = want + strlen(want) - 1; is_ns && end[-1] == '0'; end--) /* no more digits than it takes */
		memcpy(end - 1, "\n", 2);
	must_have_once(want);
}

static void must_have_counter(const struct counter *c)
{
	const struct account *a = &feed.now.classes[0].account;
	char labels[128], name[ERRNO_NAME_BYTES];

	for (int i = 0; i < counter_values(c); i++) {
		const char *value_name = counter_value_name(c, a, i, name);
		int len = snprintf(labels, sizeof(labels), "class=\"class0\"");
		char *end = labels + len;
		size_t room = sizeof(labels) - (size_t)len;

		if (c->by == BY_REASON)
			snprintf(end, room, ",stage=\"%s\",reason=\"%s\"",
				 drop_by_name(drop_reason_by((enum drop_reason)(i + 1))), value_name);
		else if (c->by != BY_NOTHING)
			snprintf(end, room, ",%s=\"%s\"", c->by == BY_ERRNO ? "errno" : "span", value_name);
		else if (c->label)
			snprintf(end, room, ",%s", c->label);
		must_have_metric(c->metric, c->kind == KIND_COUNT ? "_total" : "", labels, counter_values_of(c, a)[i],
				 c->unit == UNIT_NS);
	}
}

static void every_counter_is_a_metric_with_its_value(void)
{
	char want[128];

	take_look();
	for (int open = 0; open <= 1; open++) {
		print_metrics(open);
		for (const struct counter *c = counter_next(NULL); c; c = counter_next(c))
			if (c->metric)
				must_have_counter(c);
		for (const struct counter *c = stage_counter_next(NULL); c; c = stage_counter_next(c)) {
			if (!c->metric)
				continue;
			snprintf(want, sizeof(want), "# TYPE %s%s ", c->metric,
				 !open && c->kind == KIND_COUNT ? "_total" : "");
			must_have_once(want);
			must_have_metric(c->metric, c->kind == KIND_COUNT ? "_total" : "", "stage=\"edf\"",
					 stage_counter_value(c, &feed.now.stages[STAGE_EDF]), c->unit == UNIT_NS);
		}
	}
}

static void every_reason_and_span_is_described_to_the_page(void)
{
	char want[256];
	FILE *out = begin();

	describe_print(out, 1);
	fclose(out);
	for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++) {
		snprintf(want, sizeof(want), "{\"name\":\"%s\",\"by\":\"%s\",\"help\":\"%s\"}",
			 drop_reason_name((enum drop_reason)r), drop_by_name(drop_reason_by((enum drop_reason)r)),
			 drop_reason_help((enum drop_reason)r));
		must_have_once(want);
	}
	for (int s = 0; s < N_SPANS; s++) {
		snprintf(want, sizeof(want), "{\"name\":\"%s\",\"by\":\"%s\",\"help\":\"%s\"}", span_name((enum span)s),
			 drop_by_name(span_by((enum span)s)), span_help((enum span)s));
		must_have_once(want);
	}
}

static void every_reason_and_span_is_in_the_table(void)
{
	const struct account *a = &feed.now.classes[0].account;
	char want[128];
	FILE *out = begin();

	take_look();
	stat_table(out, &feed.now, &feed.health, 1);
	fclose(out);
	for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++) {
		snprintf(want, sizeof(want), " dropped, %s: %llu\n", drop_reason_name((enum drop_reason)r),
			 (unsigned long long)a->dropped_pkts[r]);
		must_have_once(want);
	}
	for (int s = 0; s < N_SPANS; s++) {
		snprintf(want, sizeof(want), " sent late, most time in %s: %llu\n", span_name((enum span)s),
			 (unsigned long long)a->late_span_pkts[s]);
		must_have_once(want);
	}
	snprintf(want, sizeof(want), " sent with CE set here (marked): %llu\n", (unsigned long long)a->marked_pkts);
	must_have_once(want);
}

static int is_on_screen(const char *name, uint64_t total)
{
	char want[64];

	snprintf(want, sizeof(want), " %-14s      0  %llu", name, (unsigned long long)total);
	for (int row = 0; row < grid.rows; row++)
		if (strstr(grid.text[row], want))
			return 1;
	printf("      '%s' is on no row\n", want);
	return 0;
}

static void every_reason_and_span_is_on_the_screen(void)
{
	const struct account *a = &feed.now.classes[0].account;
	struct screen s = { .instance = "test",
			    .clock = "",
			    .now = &feed.now,
			    .before = &feed.before,
			    .health = &feed.health,
			    .part = PART_LOST };

	take_look();
	grid_clear(&grid, 60, 100);
	screen_draw(&s, &grid);
	for (int r = DROP_NONE + 1; r < N_DROP_REASONS; r++)
		CU_ASSERT(is_on_screen(drop_reason_name((enum drop_reason)r), a->dropped_pkts[r]));
	for (int i = 0; i < N_SPANS; i++)
		CU_ASSERT(is_on_screen(span_name((enum span)i), a->late_span_pkts[i]));
	s.part = PART_QUEUES;
	grid_clear(&grid, 60, 100);
	screen_draw(&s, &grid);
	for (int i = 0; i < N_SPANS; i++) {
		CU_ASSERT_PTR_NOT_NULL(strstr(grid.text[1], span_title((enum span)i)));
		CU_ASSERT(strlen(span_title((enum span)i)) <= 4);
	}
}

static void every_reason_and_span_has_a_name_and_a_help_of_its_own(void)
{
	for (int i = 0; i < N_DROP_REASONS; i++) {
		CU_ASSERT(strlen(drop_reason_help((enum drop_reason)i)) > 0);
		for (int k = 0; k < i; k++)
			CU_ASSERT_STRING_NOT_EQUAL(drop_reason_name((enum drop_reason)i),
						   drop_reason_name((enum drop_reason)k));
	}
	for (int i = 0; i < N_SPANS; i++) {
		CU_ASSERT(strlen(span_help((enum span)i)) > 0);
		for (int k = 0; k < i; k++)
			CU_ASSERT_STRING_NOT_EQUAL(span_name((enum span)i), span_name((enum span)k));
	}
	CU_ASSERT_STRING_EQUAL(drop_reason_name(N_DROP_REASONS), "unknown");
	CU_ASSERT_STRING_EQUAL(span_name(N_SPANS), "unknown");
	CU_ASSERT_STRING_EQUAL(drop_by_name(N_DROPPERS), "unknown");
}

SUITE(counter, TEST(every_counter_is_in_json_under_its_key_with_its_value),
      TEST(every_counter_is_a_metric_with_its_value), TEST(every_reason_and_span_is_described_to_the_page),
      TEST(every_reason_and_span_is_in_the_table), TEST(every_reason_and_span_is_on_the_screen),
      TEST(every_reason_and_span_has_a_name_and_a_help_of_its_own))
