/* options.c - from words to options. */
#include "options.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "decimal.h"
#include "traffic/flow.h"
#include "traffic/packet.h"
#include "log.h"
#include "version.h"

#define USAGE 2
#define LEAST_PPS 0.1
#define MOST_PPS 1e7
#define DEFAULT_SECONDS 5.0
#define STEP_SECONDS 2.0 /* of --find-max */
#define ITEM_BYTES 64 /* of a list: CLASS=VALUE */

enum kind { FLAG, TEXT, NUMBER, COUNT };

struct option {
	const char *word;
	enum kind kind;
	size_t offset;
	double least, most;
};

#define AT(field) offsetof(struct load_options, field)

static const struct option options[] = {
	{ "-c", TEXT, AT(file), 0, 0 },
	{ "--rate", TEXT, AT(rate), 0, 0 },
	{ "--size", TEXT, AT(size), 0, 0 },
	{ "--seconds", NUMBER, AT(seconds), 0.01, 1e6 },
	{ "--drain", NUMBER, AT(drain_seconds), 0, 3600 },
	{ "--arrivals", TEXT, AT(arrivals_name), 0, 0 },
	{ "--burst", COUNT, AT(burst_pkts), 1, 65536 },
	{ "--sources", COUNT, AT(n_sources), 1, MAX_SOURCES },
	{ "--seed", COUNT, AT(seed), 0, 1e15 },
	{ "--trace", TEXT, AT(trace), 0, 0 },
	{ "--saturate", FLAG, AT(saturate), 0, 0 },
	{ "--gso", FLAG, AT(gso), 0, 0 },
	{ "--find-max", FLAG, AT(find_max), 0, 0 },
	{ "--precision", NUMBER, AT(precision_percent), 0.1, 100 },
	{ "--send-only", FLAG, AT(send_only), 0, 0 },
	{ "--sink-only", FLAG, AT(sink_only), 0, 0 },
	{ "--json", FLAG, AT(json), 0, 0 },
	{ "--csv", TEXT, AT(csv), 0, 0 },
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

static void print_help(void)
{
	puts("load - open-loop UDP traffic source and sink.\n"
	     "usage: load [-c FILE] [--rate PPS] [--seconds S] [--size BYTES] [options]\n"
	     "  -c FILE          the config whose classes to drive (default: the built-in four)\n"
	     "  --rate PPS       datagrams per second, all classes together (default 1000), or high=500,low=2000\n"
	     "  --size MIN-MAX   payload bytes, uniform (default 64-1400; 0 to 1472), or high=64,low=64-1400\n"
	     "  --seconds S      how long (default 5; --find-max: each step, 2; --sink-only: until stopped)\n"
	     "  --drain S        wait for what is late, after the last arrival (default 1)\n"
	     "  --arrivals HOW   constant (default), poisson, or bursty: --burst N at once (default 32)\n"
	     "  --sources N      sockets to send from, in turn, per class (default 1)\n"
	     "  --seed N         of sizes and gaps (default 1)\n"
	     "  --trace FILE     send what a trace says, when it says (CSV: arrival_ns,class,bytes,...; - reads "
	     "stdin)\n"
	     "  --saturate       as fast as possible instead of --rate\n"
	     "  --gso            with one size: what is due together in one call (UDP_SEGMENT), for less CPU\n"
	     "  --find-max       search the highest lossless rate, from --rate; --precision PERCENT (default 5)\n"
	     "  --send-only, --sink-only   one half, for two machines: no latency, which needs one clock\n"
	     "  --json           one JSON object instead of the table\n"
	     "  --csv FILE       append a line per class, and a first line with their names\n"
	     "`on time`: the share of what was sent that arrived within the budget of its scheduled send time.\n"
	     "examples: build/load --rate 20000 --seconds 10\n"
	     "          build/load -c run/stress.conf --rate high=500,medium=1500,low=1500 --arrivals poisson\n"
	     "          build/load --find-max --rate 10000 --size 512\n"
	     "Exit status: 0 each datagram arrived once, in order, unchanged, or the relay has a name for it;\n"
	     "3 not; 1 cannot run; 2 usage.");
}

static int store(struct load_options *o, const struct option *option, const char *value)
{
	void *to = (char *)o + option->offset;
	double number;

	if (option->kind == TEXT) {
		*(const char **)to = value;
		return 0;
	}
	if (decimal_real(value, option->least, option->most, &number) ||
	    (option->kind == COUNT && number != (double)(uint64_t)number)) {
		log_error("%s %s: not a %snumber from %g to %g", option->word, value,
			  option->kind == COUNT ? "whole " : "", option->least, option->most);
		return USAGE;
	}
	if (option->kind == NUMBER)
		*(double *)to = number;
	else
		*(uint64_t *)to = (uint64_t)number;
	return 0;
}

/* One option; *took: how many words it had. 0, or 2 after one line. */
static int parse_option(struct load_options *o, const char *word, const char *value, int *took)
{
	for (size_t i = 0; i < N_OPTIONS; i++) {
		if (strcmp(word, options[i].word) != 0)
			continue;
		*took = options[i].kind == FLAG ? 1 : 2;
		if (options[i].kind == FLAG) {
			*(int *)((char *)o + options[i].offset) = 1;
			return 0;
		}
		if (value)
			return store(o, &options[i], value);
		log_error("%s: its value is missing; see load --help", word);
		return USAGE;
	}
	log_error("%s: unknown option; see load --help", word);
	return USAGE;
}

static int parse_arrivals(struct load_options *o)
{
	static const char *const names[N_ARRIVALS] = { "constant", "poisson", "bursty" };

	for (int i = 0; i < N_ARRIVALS; i++)
		if (!o->arrivals_name || strcmp(o->arrivals_name, names[i]) == 0) {
			o->arrivals = (enum arrivals)i;
			return 0;
		}
	log_error("--arrivals %s: not constant, poisson or bursty", o->arrivals_name);
	return USAGE;
}

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
		{ o->find_max, o->saturate, "--find-max and --saturate" },
		{ o->trace != NULL, o->saturate || o->rate, "--trace and --saturate or --rate" },
		{ o->rate != NULL, o->saturate, "--rate and --saturate" },
		{ o->sink_only, o->saturate || o->trace, "--sink-only and --saturate or --trace" },
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
	int took = 1;

	*o = (struct load_options){
		.drain_seconds = 1, .precision_percent = 5, .burst_pkts = 32, .n_sources = 1, .seed = 1
	};
	for (int i = 1; i < argc; i += took) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help();
			return 0;
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("ontime %s\n", ONTIME_VERSION);
			return 0;
		}
		if (parse_option(o, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &took))
			return USAGE;
	}
	if (o->seconds == 0 && !o->sink_only)
		o->seconds = o->find_max ? STEP_SECONDS : DEFAULT_SECONDS;
	return parse_arrivals(o) || check_pairs(o) ? USAGE : -1;
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
static int check_short(const struct load_options *o, const struct config *c)
{
	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct class_config *class = &c->classes[i];

		if (o->n_sources == 1 || (class->n_listen == 1 && class->n_dests == 1) || o->classes[i].rate_pps == 0 ||
		    o->classes[i].smallest_bytes >= sizeof(struct packet_header))
			continue;
		log_error("--size %u for class %s: with several sources and several addresses it must be at least %zu",
			  o->classes[i].smallest_bytes, class->name, sizeof(struct packet_header));
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

			if (i == k || !at || o->classes[i].rate_pps == 0 || o->classes[k].rate_pps == 0 || o->trace ||
			    o->send_only || o->classes[i].smallest_bytes >= sizeof(struct packet_header))
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

	if (set_each(o, c, &rate) || set_each(o, c, &any_size) || set_each(o, c, &size))
		return USAGE;
	for (uint32_t i = 0; i < c->n_classes; i++) {
		if (shared)
			o->classes[i].rate_pps /= c->n_classes;
		o->rate_pps += o->classes[i].rate_pps;
	}
	return check_short(o, c) || check_shared(o, c) ? USAGE : 0;
}
