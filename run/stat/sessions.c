/* sessions.c - the sessions of an instance, as a table and as JSON. */
#include "sessions.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "config/address.h"
#include "look/in_force.h"
#include "look/number.h"
#include "look/sessions.h"
#include "look/view.h"
#include "clock.h"
#include "log.h"

#define WIDE 21 /* of an address that is no longer than 255.255.255.255:65535 */

struct sessions_shown {
	FILE *out;
	const char *instance;
	const struct segment *seg;
	const struct config *config; /* that the instance runs with; NULL: not known */
	struct session_list lists[MAX_CLASSES];
};

static const char *text_of(const struct sockaddr_storage *at, char text[ADDRESS_BYTES])
{
	struct address a = { .at = *at,
			     .len = at->ss_family == AF_INET ? sizeof(struct sockaddr_in)
							     : sizeof(struct sockaddr_in6) };

	return address_format(&a, text);
}

/* Where its sender wrote to: of a socket that takes all addresses, the one that was meant. */
static const char *local_of(const struct sessions_shown *s, uint32_t class, const struct session_view *v,
			    char text[ADDRESS_BYTES])
{
	const struct class_config *c = s->config ? &s->config->classes[class] : NULL;
	const struct address *listen = c && v->listen < c->n_listen ? &c->listen[v->listen] : NULL;
	struct sockaddr_storage at = v->local;

	if (!listen)
		return "-";
	if (at.ss_family == AF_UNSPEC)
		return address_format(listen, text);
	((struct sockaddr_in *)&at)->sin_port = ((const struct sockaddr_in *)&listen->at)->sin_port; /* as in IPv6 */
	return text_of(&at, text);
}

static const char *destination_of(const struct sessions_shown *s, uint32_t class, const struct session_view *v,
				  char text[ADDRESS_BYTES])
{
	const struct class_config *c = s->config ? &s->config->classes[class] : NULL;

	return c && v->destination < c->n_dests ? address_format(&c->dests[v->destination], text) : "-";
}

static const char *back_of(const struct segment *seg, uint32_t class)
{
	for (uint32_t i = 0; i < seg->n_classes; i++)
		if (seg->header.classes[i].forth == class + 1)
			return seg->header.classes[i].name;
	return "";
}

static const char *state_of(const struct session_view *v)
{
	return !v->is_open ? "closing" : v->is_answered ? "answered" : "unanswered";
}

static void print_line(const struct sessions_shown *s, uint32_t class, const struct session_view *v)
{
	char client[ADDRESS_BYTES], local[ADDRESS_BYTES], dest[ADDRESS_BYTES], age[NUMBER_BYTES], port[8] = "-";

	if (v->port)
		snprintf(port, sizeof(port), "%u", v->port);
	fprintf(s->out, "%-12s %-*s %-*s %-*s %5s %6s %10u %10u %s\n", s->seg->header.classes[class].name, WIDE,
		text_of(&v->client, client), WIDE, local_of(s, class, v, local), WIDE,
		destination_of(s, class, v, dest), port, number_of_age(v->idle_ns, age), v->forth_pkts, v->back_pkts,
		state_of(v));
}

static void print_table(const struct sessions_shown *s)
{
	int any = 0;

	for (uint32_t class = 0; class < s->seg->n_classes; class++)
		for (uint32_t i = 0; i < s->lists[class].n; i++) {
			if (!any++)
				fprintf(s->out, "%-12s %-*s %-*s %-*s %5s %6s %10s %10s %s\n", "class", WIDE, "sender",
					WIDE, "wrote to", WIDE, "destination", "port", "idle", "forth", "back",
					"state");
			print_line(s, class, &s->lists[class].all[i]);
		}
	for (uint32_t class = 0; class < s->seg->n_classes; class++) {
		const struct session_list *l = &s->lists[class];

		if (s->seg->views[class].n_sessions)
			fprintf(s->out, "%s, replies as %s: %u open, %u closing, %u free, of %u%s\n",
				s->seg->header.classes[class].name, back_of(s->seg, class), l->n_open, l->n_closing,
				l->n_free, s->seg->views[class].n_sessions,
				l->n ? "; forth and back are counted about" : "");
	}
}

static void print_object(const struct sessions_shown *s, uint32_t class, const struct session_view *v)
{
	char client[ADDRESS_BYTES], local[ADDRESS_BYTES], dest[ADDRESS_BYTES];

	fprintf(s->out,
		"{\"session\":%u,\"number\":%u,\"state\":\"%s\",\"sender\":\"%s\",\"wrote_to\":\"%s\","
		"\"destination\":\"%s\",\"port\":",
		v->k, v->number, state_of(v), text_of(&v->client, client), local_of(s, class, v, local),
		destination_of(s, class, v, dest));
	if (v->port)
		fprintf(s->out, "%u", v->port);
	else
		fputs("null", s->out);
	fprintf(s->out, ",\"idle_ns\":%" PRIu64 ",\"about_forth\":%u,\"about_back\":%u}", v->idle_ns, v->forth_pkts,
		v->back_pkts);
}

static void print_json(const struct sessions_shown *s)
{
	const char *between = "";

	fprintf(s->out, "{\"instance\":\"%s\",\"classes\":[", s->instance);
	for (uint32_t class = 0; class < s->seg->n_classes; class++) {
		const struct session_list *l = &s->lists[class];

		if (s->seg->views[class].n_sessions == 0)
			continue;
		fprintf(s->out,
			"%s{\"class\":\"%s\",\"replies\":\"%s\",\"of\":%u,\"open\":%u,\"closing\":%u,\"free\":%u,"
			"\"sessions\":[",
			between, s->seg->header.classes[class].name, back_of(s->seg, class),
			s->seg->views[class].n_sessions, l->n_open, l->n_closing, l->n_free);
		for (uint32_t i = 0; i < l->n; i++) {
			fputs(i ? "," : "", s->out);
			print_object(s, class, &l->all[i]);
		}
		fputs("]}", s->out);
		between = ",";
	}
	fputs("]}\n", s->out);
}

static int look(struct sessions_shown *s)
{
	uint64_t now = now_ns();
	uint32_t n = 0;
	int err = 0;

	for (uint32_t class = 0; !err && class < s->seg->n_classes; class++) {
		err = sessions_look(&s->seg->views[class], now, &s->lists[class]);
		n += s->lists[class].n;
	}
	if (!err && n)
		sessions_find_ports(s->lists, s->seg->n_classes);
	return err;
}

static int has_any(const struct segment *seg)
{
	uint32_t n = 0;

	for (uint32_t class = 0; class < seg->n_classes; class++)
		n += seg->views[class].n_sessions;
	return n != 0;
}

int stat_sessions(FILE *out, const char *instance, int json)
{
	static struct in_force in_force;
	static struct segment seg;
	static struct sessions_shown s;
	char why[WHY_BYTES];
	int err = segment_observe(&seg, instance, why);

	if (err) {
		log_error("%s", why);
		return err;
	}
	s = (struct sessions_shown){ .out = out, .instance = instance, .seg = &seg };
	if (in_force_find(&in_force, instance) == 0 && in_force.is_known)
		s.config = &in_force.config;
	err = look(&s);
	if (err)
		log_error("the sessions of instance '%s': %s", instance, log_text_of(-err));
	else if (json)
		print_json(&s);
	else if (has_any(&seg))
		print_table(&s);
	else
		fprintf(out, "no class of instance '%s' has replies, so it has no sessions\n", instance);
	for (uint32_t class = 0; class < seg.n_classes; class++)
		free(s.lists[class].all);
	segment_close(&seg);
	return err;
}
