/* table.c - THE table of options, and what is read off it: digest, changes, help. */
#include "table.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "clock.h"

#define KIB 1024ULL
#define MIB (KIB * KIB)
#define BATCH_PKTS 64 /* slots to spare in a lane, so that a whole batch can be on its way */

#define FIELD(type, field) offsetof(struct type, field), sizeof(((struct type *)0)->field)
#define PIPELINE(key, type, field) SCOPE_PIPELINE, key, type, FIELD(config, field)
#define CLASS(key, type, field) SCOPE_CLASS, key, type, FIELD(class_config, field)

/* THE table: the file's keys, the command line, --help, what a reload may change, and the digest. */
const struct option options[N_OPTIONS] = {
	{ PIPELINE("instance", VALUE_NAME, instance), "default", 0, 0, 1, "1..31 of a-z0-9_-", CHANGE_IDENTITY,
	  "names the shared segment; two pipelines need two names" },
	{ PIPELINE("payload_bytes", VALUE_SIZE, payload_bytes), "1536B", 64, 65507, 1, NULL, CHANGE_IDENTITY,
	  "longest datagram carried; a longer one is dropped as oversize" },
	{ PIPELINE("policy", VALUE_CHOICE, policy), "guarded", 0, 0, 1, "edf|edf-drop|guarded", CHANGE_RELOAD,
	  "earliest deadline first; edf-drop sheds the late; guarded protects high classes" },
	{ PIPELINE("evict", VALUE_CHOICE, evict), "newest", 0, 0, 1, "newest|largest", CHANGE_RELOAD,
	  "guarded: who goes from a queue that is too long in time" },
	{ PIPELINE("work", VALUE_WORK, work), "none", 0, 0, 1, "none|simulate|plugin:FILE.so", CHANGE_IDENTITY,
	  "what is done to each packet" },
	{ PIPELINE("slice", VALUE_TIME, slice_ns), "off", 10 * NS_PER_US, NS_PER_S, 1, "off", CHANGE_RELOAD,
	  "long work stops this often to let a higher class go first that would be late" },
	{ PIPELINE("full", VALUE_CHOICE, full), "wait", 0, 0, 1, "wait|drop", CHANGE_RELOAD,
	  "before a full queue: leave the class alone, or drop its newest" },
	{ PIPELINE("late", VALUE_CHOICE, late), "send", 0, 0, 1, "send|drop", CHANGE_RELOAD,
	  "a packet past its deadline: send it if that costs no other, or drop it" },
	{ PIPELINE("rate", VALUE_RATE, rate_bits_per_s), "off", 64000, 400000000000, 1, "off", CHANGE_RELOAD,
	  "most bits per second on the wire, all classes together" },
	{ PIPELINE("burst", VALUE_SIZE, burst_bytes), "64KiB", KIB, 16 * MIB, 1, NULL, CHANGE_RELOAD,
	  "most bytes sent at once under rate; at least payload_bytes" },
	{ PIPELINE("gso", VALUE_CHOICE, gso), "on", 0, 0, 1, "off|on", CHANGE_RELOAD,
	  "send runs of equal size as one UDP_SEGMENT datagram" },
	{ PIPELINE("socket_buffer", VALUE_SIZE, socket_buffer_bytes), "16MiB", 64 * KIB, 1023 * MIB, 1, NULL,
	  CHANGE_RELAUNCH, "receive buffer of each listen socket" },
	{ PIPELINE("cpus", VALUE_CPUS, cpu), "auto", 0, 1023, 1, "auto|none|N|N,N,N", CHANGE_RELAUNCH,
	  "CPU of all stages, or of ingress,edf,egress" },
	{ PIPELINE("spin", VALUE_SPIN, spin_us), "0us", 0, 10 * NS_PER_MS, NS_PER_US, NULL, CHANGE_RELOAD,
	  "longest spin before a stage parks; one, or ingress,edf,egress" },
	{ PIPELINE("fifo", VALUE_CHOICE, fifo), "auto", 0, 0, 1, "off|on|auto", CHANGE_RELAUNCH,
	  "real time (SCHED_FIFO) where it is allowed, while that leaves others room" },
	{ PIPELINE("heartbeat", VALUE_TIME, heartbeat_ms), "200ms", 10 * NS_PER_MS, NS_PER_S, NS_PER_MS, NULL,
	  CHANGE_RELOAD, "longest park of a stage" },
	{ PIPELINE("hung", VALUE_TIME, hung_ms), "2s", 100 * NS_PER_MS, 60 * NS_PER_S, NS_PER_MS, NULL, CHANGE_RELOAD,
	  "work but no progress this long: the stage is restarted" },

	{ CLASS("listen", VALUE_LISTEN, listen), NULL, 0, 0, 1, "1..4 ADDRESS:PORT", CHANGE_IDENTITY,
	  "where its datagrams arrive" },
	{ CLASS("send", VALUE_SEND, dests), NULL, 0, 0, 1, "1..8 ADDRESS:PORT", CHANGE_IDENTITY, "where they go" },
	{ CLASS("budget", VALUE_TIME, budget_ns), "none", 10 * NS_PER_US, 3600 * NS_PER_S, 1, "none", CHANGE_RELOAD,
	  "from arrival to departure; none: no deadline" },
	{ CLASS("margin", VALUE_TIME, margin_ns), "50us", 0, NS_PER_S, 1, NULL, CHANGE_RELOAD,
	  "guarded: time to leave for what comes after edf" },
	{ CLASS("share", VALUE_PERCENT, share_percent), "0%", 0, 100, 1, NULL, CHANGE_RELOAD,
	  "guarded: part of the service time no other class can take" },
	{ CLASS("expected_pps", VALUE_COUNT, expected_pps), "0", 0, 10000000, 1, NULL, CHANGE_RELOAD,
	  "for build/check: packets per second its senders keep to; 0: not said" },
	{ CLASS("expected_burst", VALUE_COUNT, expected_burst_pkts), "1", 1, 65536, 1, NULL, CHANGE_RELOAD,
	  "for build/check: packets that may come at once" },
	{ CLASS("expected_service", VALUE_TIME, expected_service_ns), "0us", 0, NS_PER_S, 1, NULL, CHANGE_RELOAD,
	  "for build/check: longest work on one packet" },
	{ CLASS("ingress_quantum", VALUE_SIZE, ingress_quantum_bytes), "64KiB", 64, 16 * MIB, 1, NULL, CHANGE_RELOAD,
	  "bytes read per round from each listen address" },
	{ CLASS("egress_quantum", VALUE_SIZE, egress_quantum_bytes), "64KiB", 64, 16 * MIB, 1, NULL, CHANGE_RELOAD,
	  "bytes sent per round: the share of the bandwidth" },
	{ CLASS("ingress_to_edf", VALUE_COUNT, ingress_to_edf_pkts), "256", 1, 65536, 1, NULL, CHANGE_LANE,
	  "most packets waiting for edf" },
	{ CLASS("edf_to_egress", VALUE_COUNT, edf_to_egress_pkts), "256", 1, 65536, 1, NULL, CHANGE_LANE,
	  "most packets waiting for egress" },
};

int option_find(enum scope scope, const char *key)
{
	for (int i = 0; i < N_OPTIONS; i++)
		if (options[i].scope == scope && strcmp(options[i].key, key) == 0)
			return i;
	return -1;
}

int class_find(const struct config *c, const char *name)
{
	for (uint32_t i = 0; i < c->n_classes; i++)
		if (strcmp(c->classes[i].name, name) == 0)
			return (int)i;
	return -1;
}

uint32_t config_slots_pkts(const struct class_config *class)
{
	uint32_t need = class->ingress_to_edf_pkts + class->edf_to_egress_pkts + BATCH_PKTS;
	uint32_t slots = BATCH_PKTS;

	while (slots < need)
		slots *= 2;
	return slots;
}

/* digest_text - FNV-1a, 64 bits. Source: Fowler, Noll, Vo; draft-eastlake-fnv. */
static uint64_t digest_text(uint64_t digest, const char *text)
{
	for (; *text; text++)
		digest = (digest ^ (unsigned char)*text) * 0x100000001b3ULL;
	return digest;
}

/* digest_options - fold `key=value` lines of one scope into the digest. */
static uint64_t digest_options(uint64_t digest, enum scope scope, const void *base)
{
	char value[VALUE_BYTES];

	for (int i = 0; i < N_OPTIONS; i++) {
		if (options[i].scope != scope || options[i].change != CHANGE_IDENTITY)
			continue;
		digest = digest_text(digest, options[i].key);
		digest = digest_text(digest, "=");
		digest = digest_text(digest, value_format(&options[i], base, value));
		digest = digest_text(digest, "\n");
	}
	return digest;
}

uint64_t config_digest(const struct config *c)
{
	uint64_t digest = digest_options(0xcbf29ce484222325ULL, SCOPE_PIPELINE, c);
	char header[64];

	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct class_config *class = &c->classes[i];

		snprintf(header, sizeof(header), "[class %s]\nslots=%" PRIu32 "\n", class->name,
			 config_slots_pkts(class));
		digest = digest_text(digest, header);
		digest = digest_options(digest, SCOPE_CLASS, class);
	}
	return digest;
}

static int explain(const char *what, const char *was, const char *is, bool relaunch, FILE *out)
{
	fprintf(out, "%s: %s -> %s%s\n", what, was, is, relaunch ? " (needs a relaunch)" : "");
	return relaunch;
}

/* explain_options - the options of one scope; `prefix` is "" or the class's name and a dot. */
static int explain_options(enum scope scope, const char *prefix, const void *from, const void *to, FILE *out)
{
	char was[VALUE_BYTES], is[VALUE_BYTES], what[64];
	int relaunches = 0;

	for (int i = 0; i < N_OPTIONS; i++) {
		const struct option *o = &options[i];
		bool relaunch = o->change == CHANGE_RELAUNCH || o->change == CHANGE_IDENTITY;

		if (o->scope != scope || strcmp(value_format(o, from, was), value_format(o, to, is)) == 0)
			continue;
		if (o->change == CHANGE_LANE)
			relaunch = config_slots_pkts(from) != config_slots_pkts(to);
		snprintf(what, sizeof(what), "%s%s", prefix, o->key);
		relaunches += explain(what, was, is, relaunch, out);
	}
	return relaunches;
}

/* explain_rank - a class that moved, came (was -1) or went (is -1). */
static int explain_rank(const char *name, int was, int is, FILE *out)
{
	char what[CLASS_NAME_BYTES + 8], before[24] = "none", after[24] = "none";

	if (was == is)
		return 0;
	snprintf(what, sizeof(what), "class %s", name);
	if (was >= 0)
		snprintf(before, sizeof(before), "rank %d", was + 1);
	if (is >= 0)
		snprintf(after, sizeof(after), "rank %d", is + 1);
	return explain(what, before, after, true, out);
}

int config_explain_changes(const struct config *from, const struct config *to, FILE *out)
{
	int relaunches = explain_options(SCOPE_PIPELINE, "", from, to, out);
	char prefix[CLASS_NAME_BYTES + 1];

	for (uint32_t i = 0; i < from->n_classes; i++) {
		const char *name = from->classes[i].name;
		int at = class_find(to, name);

		relaunches += explain_rank(name, (int)i, at, out);
		snprintf(prefix, sizeof(prefix), "%s.", name);
		if (at >= 0)
			relaunches += explain_options(SCOPE_CLASS, prefix, &from->classes[i], &to->classes[at], out);
	}
	for (uint32_t i = 0; i < to->n_classes; i++)
		if (class_find(from, to->classes[i].name) < 0)
			relaunches += explain_rank(to->classes[i].name, -1, (int)i, out);
	return relaunches;
}

void config_print_options(FILE *out)
{
	char key[64], range[VALUE_BYTES];

	for (int i = 0; i < N_OPTIONS; i++) {
		const struct option *o = &options[i];

		snprintf(key, sizeof(key), "--%s%s=", o->scope == SCOPE_CLASS ? "CLASS." : "", o->key);
		fprintf(out, "  %-24s %-8s %-29s %s\n", key, o->standard ? o->standard : "-",
			value_format_range(o, range), o->help);
	}
}

const char *stage_name(enum stage_id id)
{
	static const char *const names[N_STAGES] = { "ingress", "edf", "egress" };

	return (unsigned int)id < N_STAGES ? names[id] : "unknown";
}

const char *policy_name(enum policy p)
{
	static const char *const names[N_POLICIES] = { "edf", "edf-drop", "guarded" };

	return (unsigned int)p < N_POLICIES ? names[p] : "unknown";
}
