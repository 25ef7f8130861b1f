/* destinations.c - the destinations of a class as the scout of the instance says they are. */
#include "destinations.h"

#include <inttypes.h>
#include <string.h>

#include "json.h"
#include "shm/destination.h"
#include "units.h"

void destinations_look(const struct lane_view *v, struct class_view *c)
{
	c->n_dests = 0;
	for (uint32_t i = 0; i < v->n_destinations; i++)
		c->n_dests += (uint32_t)destination_read(&v->destinations->all[i], &c->dests[c->n_dests]);
}

uint32_t destinations_n_up(const struct class_view *c)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->n_dests; i++)
		n += c->dests[i].is == DESTINATION_UP;
	return n;
}

const char *destinations_at(const struct destination_state *s, char text[ADDRESS_BYTES])
{
	struct address a = { .len = s->address.sin6_family == AF_INET ? sizeof(struct sockaddr_in)
								      : sizeof(struct sockaddr_in6) };

	memcpy(&a.at, &s->address, sizeof(s->address));
	return address_format(&a, text);
}

static uint64_t age_ns(const struct destination_state *s, uint64_t now)
{
	return now > s->since_ns ? now - s->since_ns : 0;
}

void destinations_json(FILE *out, const struct class_view *c, uint64_t now)
{
	char at[ADDRESS_BYTES], why[DESTINATION_TELL_BYTES];

	for (uint32_t i = 0; i < c->n_dests; i++) {
		const struct destination_state *s = &c->dests[i];

		fputs(i ? ",{\"name\":" : ",\"destinations\":[{\"name\":", out);
		json_string(out, s->name);
		fprintf(out, ",\"address\":\"%s\",\"state\":\"%s\",\"why\":\"%s\",\"text\":", destinations_at(s, at),
			destination_is_name(s->is), destination_why_name(s->why));
		json_string(out, destination_tell(s, why));
		fprintf(out, ",\"age_ns\":%" PRIu64 ",\"moves\":%u}", age_ns(s, now), s->n_moves);
	}
	if (c->n_dests)
		fputc(']', out);
}

void destinations_table(FILE *out, const struct class_view *c, uint64_t now)
{
	char at[ADDRESS_BYTES], why[DESTINATION_TELL_BYTES];

	for (uint32_t i = 0; i < c->n_dests; i++) {
		const struct destination_state *s = &c->dests[i];
		int is_named = strcmp(s->name, destinations_at(s, at)) != 0;

		fprintf(out, "  %-12s destination %s%s%s%s: %s for %.1f s%s%s\n", c->name, s->name,
			is_named ? " (" : "", is_named ? at : "", is_named ? ")" : "", destination_is_name(s->is),
			(double)age_ns(s, now) / (double)NS_PER_S, s->is == DESTINATION_DOWN ? ": " : "",
			s->is == DESTINATION_DOWN ? destination_tell(s, why) : "");
	}
}
