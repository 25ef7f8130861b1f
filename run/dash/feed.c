/* feed.c - one look per interval, kept as lines. */
#include "feed.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "look/json.h"

void feed_open(struct feed *f, const char *instance, const struct instances *others)
{
	memset(f, 0, sizeof(*f));
	f->others = others;
	viewer_open(&f->viewer, instance);
	snprintf(f->why, sizeof(f->why), "instance '%s' was not looked at yet", instance);
}

/* The classes that mark ECN: the page shows how much. */
static void print_marks(FILE *out, const struct feed *f)
{
	uint32_t marks = in_force_marks(&f->in_force, &f->now);
	const char *comma = "";

	fputs(",\"marks\":[", out);
	for (uint32_t i = 0; i < f->now.n_classes; i++)
		if (marks >> i & 1) {
			fprintf(out, "%s\"%s\"", comma, f->now.classes[i].name);
			comma = ",";
		}
	fputc(']', out);
}

/* What a look has beside the instance's own figures. */
static void print_beside(FILE *out, const struct feed *f)
{
	const char *comma = "", *line = f->in_force.changes;

	fputs(",\"others\":[", out);
	for (uint32_t i = 0; i < f->others->n; i++)
		if (strcmp(f->others->names[i], f->viewer.instance) != 0) {
			fprintf(out, "%s\"%s\"", comma, f->others->names[i]);
			comma = ",";
		}
	fputc(']', out);
	if (!f->runs || !f->in_force.is_known)
		return;
	fprintf(out, ",\"policy\":\"%s\"", policy_name(f->in_force.config.policy));
	print_marks(out, f);
	if (!*line)
		return;
	fputs(",\"reloaded\":[", out);
	for (comma = ""; *line; comma = ",") {
		char text[CHANGES_BYTES];
		size_t len = strcspn(line, "\n");

		snprintf(text, sizeof(text), "%.*s", (int)len, line);
		fputs(comma, out);
		json_string(out, text);
		line += len + (line[len] != '\0');
	}
	fputc(']', out);
}

static void print_absence(FILE *out, const struct feed *f, uint64_t id)
{
	fprintf(out, "{\"instance\":\"%s\",\"at_unix_ms\":%" PRIu64 ",\"error\":", f->viewer.instance, id);
	json_string(out, f->why);
	print_beside(out, f);
	fputs("}\n", out);
}

/* The object that stat_json() prints, with a few keys more before its end. */
static void print_presence(FILE *out, const struct feed *f)
{
	const struct stat_line content = { f->viewer.instance, &f->now, f->before.at_ns ? &f->before : NULL, &f->health,
					   0 };

	stat_json(out, &content);
	fseek(out, -(long)strlen("}\n"), SEEK_CUR);
	print_beside(out, f);
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
		print_presence(out, f);
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
	else
		health_note(&f->health, &f->now);
	in_force_look(&f->in_force, f->runs ? &f->now : NULL);
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

int feed_is_healthy(const struct feed *f)
{
	return f->runs && f->health.n_causes == 0;
}

int feed_print_health(const struct feed *f, FILE *out)
{
	if (feed_is_healthy(f))
		fputs("ok\n", out);
	else if (!f->runs)
		fprintf(out, "%s\n", f->why);
	else
		for (int i = 0; i < f->health.n_causes; i++)
			fprintf(out, "%s\n", f->health.causes[i].text);
	return feed_is_healthy(f);
}

void feed_close(struct feed *f)
{
	for (uint64_t i = feed_first(f); i < f->n_lines; i++)
		feed_drop(f->lines[i % FEED_LINES]);
	viewer_close(&f->viewer);
}
