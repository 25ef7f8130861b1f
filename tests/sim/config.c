/* config.c - what is simulated: a config, its traffic and its faults, drawn from a seed. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define MOST_DRAWN_CLASSES 5

/* The file being written. */
static char *text;
static size_t text_len;
static uint64_t state, world;
static int limits; /* a class of it limits its sources */
static const char *gro; /* NULL: not said */
static int has_flaps; /* classes have several destinations, which are looked after */
static int copies; /* 1: classes copy, and some have rates of their own */

static void begin(struct sim_setup *setup)
{
	text = setup->text;
	text_len = 0;
}

__attribute__((format(printf, 1, 2))) static void line(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_len += (size_t)vsnprintf(text + text_len, SIM_TEXT_BYTES - text_len, format, args);
	va_end(args);
	text_len += (size_t)snprintf(text + text_len, SIM_TEXT_BYTES - text_len, "\n");
}

static void seed_state(uint64_t seed)
{
	world = seed;
	limits = 0;
	state = seed * 0x9e3779b97f4a7c15ULL | 1;
	for (int i = 0; i < 8; i++) /* neighbours soon have nothing in common */
		random_next(&state);
}

static uint32_t below(uint32_t n)
{
	return sim_below(&state, n);
}

/* Small numbers as often as large ones. */
static uint32_t draw(uint32_t least, uint32_t most)
{
	uint32_t bits = 1 + below(32 - (uint32_t)__builtin_clz(most - least + 1)), n = below(1u << bits);

	return least + (n < most - least ? n : most - least);
}

static const char *choose(const char *a, const char *b)
{
	return below(2) ? a : b;
}

static void addresses(const char *key, uint32_t class, uint32_t first_port, uint32_t n)
{
	const char *host = class == 1 && below(2) ? "[::1]" : "127.0.0.1";
	char list[200];
	size_t len = 0;

	for (uint32_t i = 0; i < n; i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s:%u", i ? " " : "", host,
					first_port + class * 10 + i);
	line("%s = %s", key, list);
}

static void draw_own_rate(const char *prefix, uint32_t payload_bytes)
{
	uint32_t burst_bytes = draw(payload_bytes < 1024 ? 1024 : payload_bytes, 65536);

	if (below(3) == 0)
		line("%srate = %ukbit\n%sburst = %uB", prefix, draw(1000, 400000), prefix, burst_bytes);
}

/* Most of the classes copy; of the others some have rates too, for which they wait. */
static void draw_copies(uint32_t payload_bytes)
{
	if (below(3) == 0)
		line("health = icmp");
	if (below(5))
		line("spread = copy\ncopy_wait = %uus", below(4) * draw(1, 2000));
	draw_own_rate("", payload_bytes);
	draw_own_rate("destination_", payload_bytes);
}

/* So low that each source is limited, soon. Not by the state, so that worlds are otherwise what they were without. */
static void draw_limit(uint32_t class, int is_small)
{
	if ((world + class) % 4)
		return;
	line("source_rate = %u/s\nsource_burst = %u", 200 * (1 + (uint32_t)(world / 4 % 8)),
	     1 + (uint32_t)(world / 4 % 3));
	if (is_small) /* few packets: all are of one source, so that a death that lets one pass shows */
		line("source_prefix = 8 8");
	limits = 1;
}

static void draw_class(uint32_t class, uint32_t payload_bytes, uint32_t most_pkts)
{
	static const char *const budgets[] = { "none", "1ms", "10ms", "100ms", "300us" };
	static const char *const dscps[] = { "off", "keep", "ef" }, *const ecns[] = { "off", "keep", "mark" };
	const char *budget = budgets[below(5)];

	line("[class c%u]", class);
	addresses("listen", class, 8000, 1 + below(3) / 2);
	addresses("send", class, 9000, has_flaps || copies ? 1 + below(4) : 1 + below(5) / 3);
	if (has_flaps) {
		static const char *const spreads[] = { "hash", "maglev", "first" };

		line("health = icmp\nspread = %s", spreads[below(3)]);
	}
	if (copies)
		draw_copies(payload_bytes);
	line("budget = %s", budget);
	line("share = %u%%", below(3) ? 0 : below(20));
	line("ingress_quantum = %uB", draw(payload_bytes, 65536));
	line("egress_quantum = %uB", draw(payload_bytes, 65536));
	line("ingress_to_edf = %u", draw(1, most_pkts));
	line("edf_to_egress = %u", draw(1, most_pkts));
	line("dscp = %s", dscps[below(3)]);
	draw_limit(class, most_pkts < BATCH);
	line("ecn = %s\necn_mark_at = %u%%", ecns[below(budget == budgets[0] ? 2 : 3)], draw(1, 100));
}

/* From an eighth of what comes to more than that. */
static void draw_rate(const struct sim_setup *setup, uint32_t payload_bytes)
{
	uint32_t burst_bytes = draw(payload_bytes < 1024 ? 1024 : payload_bytes, 65536);
	uint64_t mean_bits = setup->rate_pps * 8 * (setup->most_bytes + 800) / 2;
	uint64_t rate = mean_bits / 8 + (random_next(&state) >> 20) % mean_bits;

	if (below(2))
		line("rate = %llubit\nburst = %uB", (unsigned long long)(rate < 64000 ? 64000 : rate), burst_bytes);
}

static void draw_pipeline(uint32_t payload_bytes)
{
	static const char *const policies[] = { "guarded", "edf", "edf-drop" };

	/* not for one of many stages of a process */
	line("[pipeline]\ninstance = sim\ncpus = none\ncage = off\nfifo = off");
	line("policy = %s\nevict = %s", policies[below(3)], choose("newest", "largest"));
	line("full = %s\nlate = %s", choose("wait", "drop"), choose("send", "drop"));
	line("gso = %s\npayload_bytes = %uB", below(3) ? "on" : "off", payload_bytes);
	if (gro)
		line("gro = %s", gro);
	line("heartbeat = %ums\nspin = %uus", 20 + below(181), below(4) ? 0 : below(60));
}

/* By the stage itself, in slices or not, or by processes. */
static void draw_work(void)
{
	line("work = simulate");
	if (below(2))
		line("workers = %u", 2 + below(7));
	else
		line("slice = %s", choose("off", "50us"));
}

void config_draw(struct sim_setup *setup, uint64_t seed)
{
	uint32_t payload_bytes, n_classes, simulates;

	*setup = (struct sim_setup){ .seed = seed };
	setup->drain_ns = 20 * NS_PER_S;
	seed_state(seed);
	begin(setup);
	payload_bytes = below(4) ? 1536 : draw(64, 9000);
	n_classes = 1 + below(MOST_DRAWN_CLASSES);
	simulates = below(3) == 0;
	setup->rate_pps = simulates ? draw(500, 12000) : draw(1000, 200000);
	setup->duration_ns = (simulates ? 10000 : 20000) * NS_PER_S / setup->rate_pps;
	setup->burst_pkts = 1 + below(3) * draw(1, 60);
	setup->buffer_bytes = draw(16384, 4u << 20);
	setup->least_bytes = below(3) ? draw(0, 64) : 0;
	setup->most_bytes = payload_bytes + (below(3) ? 0 : 100);
	setup->faults = (uint32_t)random_next(&state) & (below(4) ? FAULT_ALL : 0);
	setup->fault_gap_ns = setup->duration_ns / draw(5, 200);
	setup->start_count = below(2) ? below(10000) : 0;
	draw_pipeline(payload_bytes);
	draw_rate(setup, payload_bytes);
	if (simulates)
		draw_work();
	for (uint32_t class = 0; class < n_classes; class++)
		draw_class(class, payload_bytes, 300);
	setup->limits = limits;
}

/* Short queues make short vectors: more of the same stores would only take longer. Deaths are left to the sweep. */
void config_small(struct sim_setup *setup, uint64_t seed)
{
	uint32_t n_classes;

	*setup = (struct sim_setup){ .seed = seed, .rate_pps = 20000, .buffer_bytes = 16384, .most_bytes = 1600 };
	seed_state(seed);
	begin(setup);
	n_classes = 1 + below(2);
	setup->duration_ns = 5 * NS_PER_MS;
	setup->drain_ns = 2 * NS_PER_S;
	setup->burst_pkts = 1 + below(6);
	setup->faults = FAULT_ALL & ~(uint32_t)FAULT_KILL;
	setup->fault_gap_ns = 5 * NS_PER_MS;
	draw_pipeline(1536);
	if (below(2)) /* so low that a successor finds the bucket full */
		line("rate = %uMbit\nburst = 4KiB", 1 + below(8));
	if (below(4) == 0)
		draw_work();
	for (uint32_t class = 0; class < n_classes; class++)
		draw_class(class, 1536, 6);
	setup->limits = limits;
}

/* Trains, into lanes that hold many, or not even one. */
void config_trains(struct sim_setup *setup, uint64_t seed)
{
	gro = seed % 3 ? "on" : "auto";
	config_draw(setup, seed);
	gro = NULL;
	setup->train_pkts = draw(1, 128);
	setup->rate_pps = 1 + setup->rate_pps / (1 + setup->train_pkts / 4); /* trains and datagrams */
	setup->like_pkts = seed % 4 ? 0 : draw(2, 12);
}

/* Destinations that go down and come up, as often as stages die. */
void config_flaps(struct sim_setup *setup, uint64_t seed)
{
	has_flaps = 1;
	config_draw(setup, seed);
	has_flaps = 0;
}

void config_small_trains(struct sim_setup *setup, uint64_t seed)
{
	gro = "on";
	config_small(setup, seed);
	gro = NULL;
	setup->rate_pps = 5000;
	setup->train_pkts = 12;
	setup->like_pkts = seed % 2 ? 0 : draw(2, 3);
}

/* Datagrams long enough to be told apart: each copy is somebody's. */
void config_copies(struct sim_setup *setup, uint64_t seed)
{
	copies = 1;
	config_draw(setup, seed);
	copies = 0;
	setup->drain_ns *= 10; /* of a class with a low rate, three copies each */
	setup->least_bytes = 16;
	setup->rate_pps = 1 + setup->rate_pps / 3;
}

void config_small_copies(struct sim_setup *setup, uint64_t seed)
{
	copies = 1;
	config_small(setup, seed);
	copies = 0;
	setup->least_bytes = 16;
	setup->rate_pps = 8000;
}

/* More than 100 Mbit can hold, shared 16 : 4 : 1. */
void config_shares(struct sim_setup *setup, uint64_t seed)
{
	static const uint32_t quanta[] = { 24000, 6000, 1500 };

	*setup = (struct sim_setup){ .seed = seed,
				     .duration_ns = 6 * NS_PER_S,
				     .drain_ns = 20 * NS_PER_S,
				     .rate_pps = 150000,
				     .burst_pkts = 8,
				     .buffer_bytes = 1u << 20,
				     .least_bytes = 64,
				     .most_bytes = 1400,
				     .usual_sizes = 1 };
	begin(setup);
	line("[pipeline]\ninstance = sim\ncpus = none\ncage = off\nfifo = off\npolicy = edf\npayload_bytes = "
	     "1400B\nrate = "
	     "100Mbit\nburst = "
	     "2KiB");
	for (uint32_t class = 0; class < 3; class++) {
		line("[class c%u]\nlisten = 127.0.0.1:%u\nsend = 127.0.0.1:%u", class, 8080 + class, 9080 + class);
		line("egress_quantum = %uB", quanta[class]);
	}
}

/*
 * Where the sessions leave from: ports of the kernel's, addresses of one socket, or one port that stays. That one
 * cannot tell a late answer from another: its session must live longer than an answer takes (replies.c).
 */
static void draw_sessions(int has_form)
{
	uint32_t form = has_form ? 1 + below(3) : 0, least_ms = form == 3 ? 50 : 10;

	line("sessions = %u\nsessions_per_source = 64", form == 3 ? 1 : draw(3, 40));
	line("idle = %ums\nidle_unanswered = %ums", draw(least_ms, 60), draw(least_ms, 60));
	if (form == 2)
		line("via = 127.%u.0.0/%u", below(128) + 64, 16 + below(9));
	if (form == 3)
		line("from = 127.0.0.1:%u", SIM_FIXED_PORT);
	if (form == 1 || (has_form && below(3) == 0))
		line("source = proxy\nproxy_header = %s", choose("every", "first"));
}

/* Eight clients, and sessions that end often; sometimes fewer than clients. */
void config_replies(struct sim_setup *setup, uint64_t seed, int has_form)
{
	*setup = (struct sim_setup){ .seed = seed, .rate_pps = 4000, .buffer_bytes = 1u << 20 };
	seed_state(seed);
	begin(setup);
	setup->drain_ns = 20 * NS_PER_S;
	setup->duration_ns = NS_PER_S / 2;
	setup->rate_pps = draw(200, 20000);
	setup->burst_pkts = 1 + below(30);
	setup->least_bytes = 16;
	setup->most_bytes = 1500;
	setup->faults = below(4) ? FAULT_KILL | FAULT_STALL | FAULT_ROOM | FAULT_SEND | FAULT_CALL : 0;
	setup->fault_gap_ns = setup->duration_ns / draw(5, 200);
	setup->start_count = below(2) ? below(1000) : 0;
	draw_pipeline(1536);
	line("[class ask]\nlisten = 127.0.0.1:8000\nsend = 127.0.0.1:9000\nreplies = back");
	draw_sessions(has_form);
	line("ingress_to_edf = %u\nedf_to_egress = %u", draw(1, 300), draw(1, 300));
	line("[class back]\ningress_to_edf = %u\nedf_to_egress = %u", draw(1, 300), draw(1, 300));
}

void config_plain(struct sim_setup *setup, uint64_t seed)
{
	static const char *const budgets[] = { "1ms", "10ms", "100ms", "none" };

	*setup = (struct sim_setup){ .seed = seed,
				     .drain_ns = 20 * NS_PER_S,
				     .rate_pps = 10000,
				     .burst_pkts = 1,
				     .buffer_bytes = 4u << 20,
				     .least_bytes = 64,
				     .most_bytes = 1400 };
	begin(setup);
	line("[pipeline]\ninstance = sim\ncpus = none\ncage = off\nfifo = off");
	for (uint32_t class = 0; class < 4; class++) {
		line("[class c%u]", class);
		line("listen = 127.0.0.1:%u\nsend = 127.0.0.1:%u", 8080 + class, 9080 + class);
		line("budget = %s", budgets[class]);
	}
}
