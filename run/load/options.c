/* options.c - from words to options. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/reply.h"
#include "config/sharded.h"
#include "decimal.h"
#include "options/load.h"
#include "traffic/flow.h"
#include "traffic/packet.h"
#include "log.h"

#define USAGE COMMAND_USAGE
#define LEAST_PPS 0.1
#define MOST_PPS 1e7
#define DEFAULT_SECONDS 5.0
#define STEP_SECONDS 2.0 /* of --find-max */
#define ITEM_BYTES 64 /* of a list: CLASS=VALUE */

/* Options that contradict each other. */
static int check_pairs(const struct load_options *o)
{
	const struct {
		int a, b;
		const char *what;
	} pairs[] = {
		{ o->send_only, o->sink_only, "--send-only and --sink-only" },
		{ o->find_max, o->send_only || o->sink_only, "--find-max and one half only" },
		{ o->find_max, o->trace != NULL, "--find-max and --trace" },
		{ o->find_max, o->pcap != NULL, "--find-max and --pcap" },
		{ o->trace != NULL, o->pcap != NULL, "--trace and --pcap" },
		{ o->pcap != NULL, o->saturate || o->rate || o->size, "--pcap and --saturate, --rate or --size" },
		{ o->find_max, o->saturate, "--find-max and --saturate" },
		{ o->trace != NULL, o->saturate || o->rate, "--trace and --saturate or --rate" },
		{ o->rate != NULL, o->saturate, "--rate and --saturate" },
		{ o->sink_only, o->saturate || options_are_traced(o), "--sink-only and --saturate, --trace or --pcap" },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (pairs[i].a && pairs[i].b) {
			log_error("%s: these do not go together", pairs[i].what);
			return USAGE;
		}
	return 0;
}

int options_parse(struct load_options *o, int argc, char **argv)
{
	void *const places[N_COMMAND_OPTIONS] = {
		[OPTION_CONFIG] = &o->file,	    [OPTION_INSTANCE] = &o->instance,
		[OPTION_RATE] = &o->rate,	    [OPTION_SIZE] = &o->size,
		[OPTION_SECONDS] = &o->seconds,	    [OPTION_DRAIN] = &o->drain_seconds,
		[OPTION_ARRIVALS] = &o->arrivals,   [OPTION_BURST] = &o->burst_pkts,
		[OPTION_SOURCES] = &o->n_sources,   [OPTION_SEED] = &o->seed,
		[OPTION_TRACE] = &o->trace,	    [OPTION_PCAP] = &o->pcap,
		[OPTION_CLASS_BY] = &o->class_by,   [OPTION_SPEED] = &o->speed,
		[OPTION_SATURATE] = &o->saturate,   [OPTION_GSO] = &o->gso,
		[OPTION_FIND_MAX] = &o->find_max,   [OPTION_PRECISION] = &o->precision_percent,
		[OPTION_SEND_ONLY] = &o->send_only, [OPTION_SINK_ONLY] = &o->sink_only,
		[OPTION_JSON] = &o->json,	    [OPTION_CSV] = &o->csv,
	};
	struct command_line line;
	int status;

	*o = (struct load_options){
		.drain_seconds = 1, .precision_percent = 5, .burst_pkts = 32, .n_sources = 1, .seed = 1, .speed = 1
	};
	command_open(&line, &command, argc, argv, places, NULL);
	status = command_read(&line, NULL);
	if (status >= 0)
		return status;
	if (o->seconds == 0 && !o->sink_only)
		o->seconds = o->find_max ? STEP_SECONDS : DEFAULT_SECONDS;
	if (o->speed != 1 && !o->pcap) {
		log_error("--speed: of what? It goes with --pcap");
		return USAGE;
	}
	return check_pairs(o) ? USAGE : -1;
}

static int set_rate(struct class_load *l, const char *text)
{
	return decimal_real(text, LEAST_PPS, MOST_PPS, &l->rate_pps);
}

static int set_size(struct class_load *l, const char *text)
{
	uint64_t low, high;
	const char *end;

	if (decimal_whole(text, MAX_LOAD_BYTES, &low, &end))
		return -EINVAL;
	high = low;
	if (*end == '-' && decimal_whole(end + 1, MAX_LOAD_BYTES, &high, &end))
		return -EINVAL;
	if (*end || low > high)
		return -EINVAL;
	l->smallest_bytes = (uint32_t)low;
	l->largest_bytes = (uint32_t)high;
	return 0;
}

/* A setting that is for all classes (VALUE) or for some (CLASS=VALUE,..). */
struct setting {
	const char *word, *text, *meaning;
	int (*set)(struct class_load *l, const char *value);
};

/* For the class of that name, or with name NULL for all of them. *done: a bit for each class that has its own. */
static int set_one(struct load_options *o, const struct config *c, const struct setting *s, const char *name,
		   const char *value, uint32_t *done)
{
	int is_known = !name;

	for (uint32_t i = 0; i < c->n_classes; i++) {
		if (name && strcmp(c->classes[i].name, name) != 0)
			continue;
		is_known = 1;
		if (name && s->set == set_rate && reply_forth(c, i) >= 0) {
			log_error("%s %s: class \"%s\" carries replies: what is sent to class \"%s\" is answered",
				  s->word, s->text, name, c->classes[reply_forth(c, i)].name);
			return USAGE;
		}
		if (name && *done & 1u << i) {
			log_error("%s %s: class \"%s\" is in it twice", s->word, s->text, name);
			return USAGE;
		}
		*done |= 1u << i;
		if (s->set(&o->classes[i], value)) {
			log_error("%s %s: \"%s\" is not %s", s->word, s->text, value, s->meaning);
			return USAGE;
		}
	}
	if (!is_known)
		log_error("%s %s: the config has no class \"%s\"", s->word, s->text, name);
	return is_known ? 0 : USAGE;
}

static int set_each(struct load_options *o, const struct config *c, const struct setting *s)
{
	int is_list = strpbrk(s->text, ",=") != NULL;
	const char *from = s->text;
	uint32_t done = 0;

	while (from) {
		size_t len = strcspn(from, ",");
		char item[ITEM_BYTES], *value = NULL;

		if (len < sizeof(item)) {
			memcpy(item, from, len);
			item[len] = '\0';
			value = is_list ? strchr(item, '=') : item;
		}
		if (!value) {
			log_error("%s %s: neither one value nor CLASS=VALUE,CLASS=VALUE", s->word, s->text);
			return USAGE;
		}
		if (is_list)
			*value++ = '\0';
		if (set_one(o, c, s, is_list ? item : NULL, value, &done))
			return USAGE;
		from = from[len] ? from + len + 1 : NULL;
	}
	return 0;
}

/* Places in a class's sequence can be told for a datagram without a number only where there is one way through. */
static bool has_one_way(const struct config *c, const struct class_config *class)
{
	return class->n_listen == 1 && class->n_dests == 1 && !sharded_may_be_many(c);
}

static int check_short(const struct load_options *o, const struct config *c)
{
	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct class_config *class = &c->classes[i];

		if (o->n_sources == 1 || has_one_way(c, class) || o->classes[i].rate_pps == 0 ||
		    o->classes[i].smallest_bytes >= sizeof(struct packet_header))
			continue;
		log_error("--size %u for class %s: with several sources and several addresses or shards it must be at "
			  "least %zu",
			  o->classes[i].smallest_bytes, class->name, sizeof(struct packet_header));
		return USAGE;
	}
	return 0;
}

/* An answer too short for a header could be anybody's. */
static int check_answered(const struct load_options *o, const struct config *c)
{
	for (uint32_t i = 0; i < c->n_classes; i++) {
		if (!c->classes[i].replies[0] || o->classes[i].rate_pps == 0 || options_are_traced(o) || o->send_only ||
		    o->classes[i].smallest_bytes >= sizeof(struct packet_header))
			continue;
		log_error("--size %u for class %s: it has replies, so it must be at least %zu",
			  o->classes[i].smallest_bytes, c->classes[i].name, sizeof(struct packet_header));
		return USAGE;
	}
	return 0;
}

/* Which class a datagram is of tells its header, where two are sent to one address. */
static int check_shared(const struct load_options *o, const struct config *c)
{
	char text[ADDRESS_BYTES];

	for (uint32_t i = 0; i < c->n_classes; i++)
		for (uint32_t k = 0; k < c->n_classes; k++) {
			const struct address *at = flow_shared_dest(&c->classes[i], &c->classes[k]);

			if (i == k || !at || o->classes[i].rate_pps == 0 || o->classes[k].rate_pps == 0 ||
			    options_are_traced(o) || o->send_only ||
			    o->classes[i].smallest_bytes >= sizeof(struct packet_header))
				continue;
			log_error("--size %u for class %s: it must be at least %zu, because class %s is sent to %s too",
				  o->classes[i].smallest_bytes, c->classes[i].name, sizeof(struct packet_header),
				  c->classes[k].name, address_format(at, text));
			return USAGE;
		}
	return 0;
}

int options_resolve(struct load_options *o, const struct config *c)
{
	const struct setting rate = { "--rate", o->rate ? o->rate : "1000", "a number from 0.1 to 10000000", set_rate },
			     size = { "--size", o->size ? o->size : "64-1400", "BYTES or MIN-MAX, both from 0 to 1472",
				      set_size },
			     any_size = { "--size", "64-1400", "", set_size };
	int shared = !strchr(rate.text, '=');
	uint32_t n_ways_back = 0;

	if (set_each(o, c, &rate) || set_each(o, c, &any_size) || set_each(o, c, &size))
		return USAGE;
	for (uint32_t i = 0; i < c->n_classes; i++)
		n_ways_back += reply_back(c, i) >= 0;
	for (uint32_t i = 0; i < c->n_classes; i++) {
		if (reply_forth(c, i) >= 0)
			o->classes[i].rate_pps = 0;
		if (shared)
			o->classes[i].rate_pps /= c->n_classes - n_ways_back;
		o->rate_pps += o->classes[i].rate_pps;
	}
	return check_short(o, c) || check_answered(o, c) || check_shared(o, c) ? USAGE : 0;
}
