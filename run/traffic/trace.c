/* trace.c - a trace of packets, from CSV. */
#include "trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decimal.h"
#include "log.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf" /* some editors begin UTF-8 with it; the config takes one too */

static int class_by_name(const struct config *c, const char *name, size_t len)
{
	for (uint32_t i = 0; i < c->n_classes; i++)
		if (strlen(c->classes[i].name) == len && memcmp(c->classes[i].name, name, len) == 0)
			return (int)i;
	return -1;
}

/* One line of the trace into *p; NULL, or what is wrong with it. */
static const char *parse_line(const char *line, const struct config *c, struct packet *p, int *has_tos)
{
	const char *end, *name;
	uint64_t arrival, bytes, service, tos = 0;
	int class;

	if (decimal_whole(line, UINT64_MAX, &arrival, &end) || *end != ',')
		return "no arrival_ns; use arrival_ns,class,bytes,service_ns";
	name = end + 1;
	class = class_by_name(c, name, strcspn(name, ",\n"));
	if (class < 0)
		return "no class of the config has that name";
	name += strcspn(name, ",\n");
	if (*name != ',' || decimal_whole(name + 1, 65535, &bytes, &end) || *end != ',')
		return "no bytes from 0 to 65535; use arrival_ns,class,bytes,service_ns";
	if (decimal_whole(end + 1, UINT32_MAX, &service, &end) || (*end && !strchr(",\n\r", *end)))
		return "no service_ns up to 4 s; use arrival_ns,class,bytes,service_ns";
	if (*end == ',') {
		if (decimal_whole(end + 1, UINT8_MAX, &tos, &end) || (*end && *end != '\n' && *end != '\r'))
			return "no tos from 0 to 255; use arrival_ns,class,bytes,service_ns,tos";
		*has_tos = 1;
	}
	*p = (struct packet){ .arrival_ns = arrival,
			      .service_ns = service,
			      .bytes = (uint32_t)bytes,
			      .class = (uint8_t)class,
			      .tos = (uint8_t)tos };
	return NULL;
}

static int grow(struct trace *t)
{
	size_t room = t->room ? 2 * t->room : 4096;
	struct packet *more = realloc(t->packets, room * sizeof(*more));

	if (!more)
		return -ENOMEM;
	t->packets = more;
	t->room = room;
	return 0;
}

/* One line of text into the trace. 0, or the exit status after one line. */
static int add_line(struct trace *t, const char *file, int n, const char *line, const struct config *c)
{
	const char *wrong;

	if (t->n == t->room && grow(t)) {
		log_error("no memory for trace %s", file);
		return 1;
	}
	wrong = parse_line(line, c, &t->packets[t->n], &t->has_tos);
	if (!wrong && t->n && t->packets[t->n].arrival_ns < t->packets[t->n - 1].arrival_ns)
		wrong = "it arrives before the line above; sort the trace by arrival_ns";
	if (wrong) {
		log_error("%s:%d: \"%.*s\": %s", file, n, (int)strcspn(line, "\r\n"), line, wrong);
		return EXIT_USAGE;
	}
	t->n++;
	return 0;
}

int trace_read(struct trace *t, const char *file, const struct config *c)
{
	FILE *in = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	char text[256];
	int status = 0;

	if (!in) {
		log_error("open trace %s: %s", file, strerror(errno));
		return EXIT_USAGE;
	}
	for (int n = 1; !status && fgets(text, sizeof(text), in); n++) {
		const char *line = text;

		if (n == 1 && strncmp(line, BYTE_ORDER_MARK, strlen(BYTE_ORDER_MARK)) == 0)
			line += strlen(BYTE_ORDER_MARK);
		if (n > 1 || strncmp(line, "arrival_ns", 10) != 0)
			status = add_line(t, file, n, line, c);
	}
	if (!status && ferror(in)) { /* a directory can be opened, too */
		log_error("read trace %s: %s", file, strerror(errno));
		status = EXIT_USAGE;
	}
	if (in != stdin)
		fclose(in);
	return status;
}

void trace_free(struct trace *t)
{
	free(t->packets);
	free(t->payloads);
	t->packets = NULL;
	t->payloads = NULL;
	t->payload_bytes = 0;
	t->n = t->room = 0;
}
