/* events.c - /events, to every client that reads along. */
#include "events.h"

#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES 8192 /* what is copied at a time */

static const char hello[] = "retry: 2000\n\n"; /* ms until a browser that lost us tries again */

struct stream {
	struct events *events;
	struct MHD_Connection *connection;
	struct stream *next, **back;
	struct feed_line *line; /* being sent, from `at` on; NULL: none */
	size_t at;
	uint64_t next_line;
	int greeted, suspended;
	int caught_up; /* it has had what was kept, and reads along */
};

/* The next line to send, or NULL if there is none yet. */
static struct feed_line *next_line(struct stream *s)
{
	struct feed *f = s->events->feed;

	if (s->next_line < feed_first(f) || (s->caught_up && s->next_line + MAX_LAG_LINES < f->n_lines))
		s->next_line = f->n_lines - 1;
	return s->next_line < f->n_lines ? feed_take(f, s->next_line++) : NULL;
}

static ssize_t read_stream(void *cls, uint64_t pos, char *out, size_t room)
{
	struct stream *s = cls;
	size_t len;

	(void)pos;
	if (s->events->ended)
		return MHD_CONTENT_READER_END_OF_STREAM;
	if (!s->greeted && room >= sizeof(hello) - 1) {
		s->greeted = 1;
		memcpy(out, hello, sizeof(hello) - 1);
		return sizeof(hello) - 1;
	}
	if (!s->line) {
		s->line = next_line(s);
		s->at = 0;
	}
	if (!s->line) {
		s->suspended = s->caught_up = 1;
		MHD_suspend_connection(s->connection);
		return 0;
	}
	len = s->line->len - s->at < room ? s->line->len - s->at : room;
	memcpy(out, s->line->text + s->at, len);
	s->at += len;
	if (s->at == s->line->len) {
		feed_drop(s->line);
		s->line = NULL;
	}
	return (ssize_t)len;
}

static void free_stream(void *cls)
{
	struct stream *s = cls;

	*s->back = s->next;
	if (s->next)
		s->next->back = s->back;
	s->events->n_streams--;
	s->events->count->n--;
	if (s->line)
		feed_drop(s->line);
	free(s);
}

struct MHD_Response *events_response(struct events *e, struct MHD_Connection *connection, uint64_t last_id)
{
	struct stream *s = e->count->n < e->count->max ? calloc(1, sizeof(*s)) : NULL;
	struct MHD_Response *r;

	if (!s)
		return NULL;
	r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_stream, s, free_stream);
	if (!r) {
		free(s);
		return NULL;
	}
	*s = (struct stream){ .events = e, .connection = connection, .next = e->first, .back = &e->first };
	s->next_line = feed_after(e->feed, last_id);
	if (s->next)
		s->next->back = &s->next;
	e->first = s;
	e->n_streams++;
	e->count->n++;
	return r;
}

void events_wake(struct events *e)
{
	for (struct stream *s = e->first; s; s = s->next)
		if (s->suspended) {
			s->suspended = 0;
			MHD_resume_connection(s->connection);
		}
}

void events_end(struct events *e)
{
	e->ended = 1;
	events_wake(e);
}
