/* dash_feed.c - one look per interval, kept as lines. */
#include "dash_feed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "stat_json.h"

void feed_open(struct feed *f, const char *instance)
{
	memset(f, 0, sizeof(*f));
	viewer_open(&f->viewer, instance);
	snprintf(f->why, sizeof(f->why), "instance '%s' was not looked at yet", instance);
}

/* A JSON string. The text is ours, but names of files are in it. */
static void print_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(out, "\\%c", *text);
		else if ((unsigned char)*text < ' ')
			fputc(' ', out);
		else
			fputc(*text, out);
	}
	fputc('"', out);
}

static void print_absence(FILE *out, const struct feed *f, uint64_t id)
{
	fprintf(out, "{\"instance\":\"%s\",\"at_unix_ms\":%" PRIu64 ",\"error\":", f->viewer.instance, id);
	print_string(out, f->why);
	fputs("}\n", out);
}

static struct feed_line *make_line(const struct feed *f, uint64_t id)
{
	struct feed_line *line = calloc(1, sizeof(*line));
	FILE *out = line ? open_memstream(&line->text, &line->len) : NULL;

	if (!out) {
		free(line);
		return NULL;
	}
	line->users = 1;
	line->id = id;
	fprintf(out, "id: %" PRIu64 "\ndata: ", id);
	if (f->runs)
		stat_json(out, f->viewer.instance, &f->now, f->before.at_ns ? &f->before : NULL, 0);
	else
		print_absence(out, f, id);
	fputc('\n', out); /* the line ends with one already; the empty line ends the event */
	if (ferror(out) | fclose(out)) {
		free(line->text);
		free(line);
		return NULL;
	}
	return line;
}

/* Says it when the instance comes or goes, once. */
static void tell_change(const struct feed *f, int ran, const char *why)
{
	if (f->runs && !ran)
		log_info("instance '%s' is there", f->viewer.instance);
	else if (!f->runs && (ran || f->n_looks == 0 || strcmp(why, f->why) != 0))
		log_warn("%s", f->why);
}

int feed_look(struct feed *f)
{
	char before[WHY_BYTES];
	int ran = f->runs;
	struct feed_line *line, **place = &f->lines[f->n_lines % FEED_LINES];
	uint64_t id, last = f->n_lines ? f->lines[(f->n_lines - 1) % FEED_LINES]->id : 0;

	memcpy(before, f->why, sizeof(before));
	f->before = f->now;
	f->runs = viewer_look(&f->viewer, &f->now, f->why) == 0;
	if (!f->runs)
		f->now.at_ns = 0; /* nothing follows it */
	tell_change(f, ran, before);
	f->n_looks++;
	id = (f->runs ? f->now.at_unix_ns : real_ns()) / NS_PER_MS;
	line = make_line(f, id > last ? id : last + 1); /* the clock may be set back */
	if (!line)
		return -ENOMEM;
	if (*place)
		feed_drop(*place);
	*place = line;
	f->n_lines++;
	return 0;
}

struct feed_line *feed_take(struct feed *f, uint64_t i)
{
	struct feed_line *line = f->lines[i % FEED_LINES];

	line->users++;
	return line;
}

void feed_drop(struct feed_line *line)
{
	if (--line->users > 0)
		return;
	free(line->text);
	free(line);
}

uint64_t feed_first(const struct feed *f)
{
	return f->n_lines > FEED_LINES ? f->n_lines - FEED_LINES : 0;
}

uint64_t feed_after(const struct feed *f, uint64_t id)
{
	uint64_t i = f->n_lines;

	while (i > feed_first(f) && f->lines[(i - 1) % FEED_LINES]->id > id)
		i--;
	return i;
}

int feed_is_healthy(const struct feed *f, char why[WHY_BYTES])
{
	if (!f->runs) {
		snprintf(why, WHY_BYTES, "%.500s", f->why);
		return 0;
	}
	for (int i = 0; i < N_STAGES; i++)
		if (strcmp(f->now.stages[i].state, "ready") != 0) {
			snprintf(why, WHY_BYTES, "stage %s is %s: run/status.sh says more",
				 stage_name((enum stage_id)i), f->now.stages[i].state);
			return 0;
		}
	for (uint32_t i = 0; i < f->now.n_classes; i++)
		if (f->now.classes[i].account.unbalanced_pkts) {
			snprintf(why, WHY_BYTES, "class %s is not balanced: off by %+" PRId64 " packets",
				 f->now.classes[i].name, f->now.classes[i].account.unbalanced_pkts);
			return 0;
		}
	return 1;
}

void feed_close(struct feed *f)
{
	for (uint64_t i = feed_first(f); i < f->n_lines; i++)
		feed_drop(f->lines[i % FEED_LINES]);
	viewer_close(&f->viewer);
}
