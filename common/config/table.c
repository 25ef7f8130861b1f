/* table.c - THE table of options, and what is looked up in it. */
#include "table.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "nearest.h"
#include "units.h"

#define FIELD(type, field) .offset = offsetof(struct type, field), .bytes = sizeof(((struct type *)0)->field)
#define PIPELINE(name, field) .scope = SCOPE_PIPELINE, .key = name, FIELD(config, field)
#define DASH(name, field) .scope = SCOPE_DASH, .key = name, FIELD(config, field)
#define CLASS(name, field) .scope = SCOPE_CLASS, .key = name, FIELD(class_config, field)
#define WORDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* THE table: the file's keys, the command line, --help, what a reload may change, and the digest. */
const struct option options[] = {
	{ PIPELINE("instance", instance), .kind = &kind_name, .standard = "default", .accepts = "1..31 of a-z0-9_-",
	  .change = CHANGE_IDENTITY, .help = "names the shared segment; two pipelines need two names" },
	{ PIPELINE("payload_bytes", payload_bytes), .kind = &kind_size, .standard = "1536B", .min = 64, .max = 65507,
	  .change = CHANGE_IDENTITY, .help = "longest datagram carried; a longer one is dropped as oversize" },
	{ PIPELINE("policy", policy), .kind = &kind_choice, .standard = "guarded",
	  .words = WORDS([POLICY_EDF] = "edf", [POLICY_EDF_DROP] = "edf-drop", [POLICY_GUARDED] = "guarded"),
	  .change = CHANGE_RELOAD,
	  .help = "earliest deadline first; edf-drop sheds the late; guarded protects high classes" },
	{ PIPELINE("evict", evict), .kind = &kind_choice, .standard = "newest",
	  .words = WORDS([EVICT_NEWEST] = "newest", [EVICT_LARGEST] = "largest", [EVICT_SOURCE] = "source"),
	  .change = CHANGE_RELOAD, .help = "guarded: which packet a queue that is too long in time loses" },
	{ PIPELINE("work", work), .kind = &kind_work, .second = offsetof(struct config, plugin), .standard = "none",
	  .words = WORDS([WORK_NONE] = "none", [WORK_SIMULATE] = "simulate", [WORK_PLUGIN] = "plugin:FILE.so"),
	  .change = CHANGE_IDENTITY, .help = "what is done to each packet" },
	{ PIPELINE("workers", workers), .kind = &kind_count, .standard = "1", .min = 1, .max = 64,
	  .change = CHANGE_RELAUNCH, .help = "packets that are worked on at one time, each by a process of its own" },
	{ PIPELINE("plugin_calls", plugin_calls), .kind = &kind_calls, .standard = "none", .max = 32,
	  .accepts = "none|1..32 NAME", .change = CHANGE_RELAUNCH,
	  .help = "system calls that a plugin makes beside those of the stage" },
	{ PIPELINE("shards", shards), .kind = &kind_count, .standard = "1", .min = 1, .max = 16, .word = "auto",
	  .change = CHANGE_RELAUNCH,
	  .help = "pipelines behind the same addresses, each with part of the senders; auto: one per CPU" },
	{ PIPELINE("slice", slice_ns), .kind = &kind_time, .standard = "off", .min = 10 * NS_PER_US, .max = NS_PER_S,
	  .word = "off", .change = CHANGE_RELOAD,
	  .help = "long work stops this often to let a higher class go first that would be late" },
	{ PIPELINE("full", full), .kind = &kind_choice, .standard = "wait",
	  .words = WORDS([FULL_WAIT] = "wait", [FULL_DROP] = "drop"), .change = CHANGE_RELOAD,
	  .help = "before a full queue: leave the class alone, or drop its newest" },
	{ PIPELINE("late", late), .kind = &kind_choice, .standard = "send",
	  .words = WORDS([LATE_SEND] = "send", [LATE_DROP] = "drop"), .change = CHANGE_RELOAD,
	  .help = "a packet past its deadline: send it if that costs no other, or drop it" },
	{ PIPELINE("rate", rate_bits_per_s), .kind = &kind_rate, .standard = "off", .min = 64000, .max = 400000000000,
	  .word = "off", .change = CHANGE_RELOAD, .help = "most bits per second on the wire, all classes together" },
	{ PIPELINE("burst", burst_bytes), .kind = &kind_size, .standard = "64KiB", .min = KIB, .max = 16 * MIB,
	  .change = CHANGE_RELOAD, .help = "most bytes sent at once under rate; at least payload_bytes" },
	{ PIPELINE("gso", gso), .kind = &kind_choice, .standard = "on", .words = WORDS("off", "on"),
	  .change = CHANGE_RELOAD, .help = "send runs of equal size as one UDP_SEGMENT datagram" },
	{ PIPELINE("gro", gro), .kind = &kind_choice, .standard = "off",
	  .words = WORDS([GRO_OFF] = "off", [GRO_ON] = "on", [GRO_AUTO] = "auto"), .change = CHANGE_RELAUNCH,
	  .help = "take many datagrams of one sender at once (UDP_GRO); auto: where they come so" },
	{ PIPELINE("socket_buffer", socket_buffer_bytes), .kind = &kind_size, .standard = "16MiB", .min = 64 * KIB,
	  .max = 1023 * MIB, .change = CHANGE_RELAUNCH, .help = "receive buffer of each listen socket" },
	{ PIPELINE("cpus", cpu), .kind = &kind_cpus, .standard = "auto", .max = 1023, .accepts = "auto|none|N|N,N,N",
	  .change = CHANGE_RELAUNCH, .help = "CPU of all stages, or of ingress,edf,egress" },
	{ PIPELINE("spin", spin_us), .kind = &kind_spin, .standard = "0us", .max = 10 * NS_PER_MS, .step = NS_PER_US,
	  .change = CHANGE_RELOAD, .help = "longest spin before a stage parks; one, or ingress,edf,egress" },
	{ PIPELINE("fifo", fifo), .kind = &kind_choice, .standard = "auto",
	  .words = WORDS([FIFO_OFF] = "off", [FIFO_ON] = "on", [FIFO_AUTO] = "auto"), .change = CHANGE_RELAUNCH,
	  .help = "real time (SCHED_FIFO) where it is allowed, while that leaves others room" },
	{ PIPELINE("cage", cage), .kind = &kind_choice, .standard = "on", .words = WORDS("off", "on"),
	  .change = CHANGE_RELAUNCH,
	  .help = "stages make no system calls but their own, and open no files once they run" },
	{ PIPELINE("user", user), .kind = &kind_name, .standard = "auto", .accepts = "auto|USER",
	  .change = CHANGE_RELAUNCH,
	  .help = "as whom all runs that root launches; auto: `ontime`, where there is such a user" },
	{ PIPELINE("observers", observers), .kind = &kind_name, .standard = "none", .accepts = "none|GROUP",
	  .change = CHANGE_RELAUNCH, .help = "whose members may look at the instance, and change nothing" },
	{ PIPELINE("heartbeat", heartbeat_ms), .kind = &kind_time, .standard = "200ms", .min = 10 * NS_PER_MS,
	  .max = NS_PER_S, .step = NS_PER_MS, .change = CHANGE_RELOAD, .help = "longest park of a stage" },
	{ PIPELINE("hung", hung_ms), .kind = &kind_time, .standard = "2s", .min = 100 * NS_PER_MS, .max = 60 * NS_PER_S,
	  .step = NS_PER_MS, .change = CHANGE_RELOAD,
	  .help = "work but no progress this long: the stage is restarted" },

	{ DASH("listen", dash_listen), .kind = &kind_listen, .second = offsetof(struct config, n_dash_listen),
	  .accepts = "ADDRESS:PORT", .change = CHANGE_RELOAD, .help = "where the dashboard serves" },
	{ DASH("allow_host", dash_allow_host), .kind = &kind_names, .max = 8, .accepts = "1..8 NAME",
	  .change = CHANGE_RELOAD, .help = "names it may be asked by, beside localhost and its address" },
	{ DASH("token", dash_token), .kind = &kind_file, .accepts = "FILE", .change = CHANGE_RELOAD,
	  .help = "a file with a word that is asked for; without: whoever reaches it may read" },

	{ CLASS("listen", listen), .kind = &kind_listen, .second = offsetof(struct class_config, n_listen),
	  .accepts = "1..4 ADDRESS:PORT", .change = CHANGE_IDENTITY,
	  .help = "where its datagrams arrive; a NAME:PORT is resolved at launch" },
	{ CLASS("match", match), .kind = &kind_match, .accepts = "TERMS", .change = CHANGE_RELOAD,
	  .help = "which datagrams of an address that a class below has too: dscp ef, from 10.0.0.0/8 and size <= "
		  "200" },
	{ CLASS("send", dests), .kind = &kind_send, .second = offsetof(struct class_config, n_dests),
	  .accepts = "1..64 ADDRESS:PORT[*WEIGHT]", .change = CHANGE_IDENTITY, .help = "where they go, likewise" },
	{ CLASS("backup", backups), .kind = &kind_send, .second = offsetof(struct class_config, n_backups),
	  .accepts = "1..8 ADDRESS:PORT[*WEIGHT]", .change = CHANGE_IDENTITY,
	  .help = "where they go while none of `send` is up" },
	{ CLASS("spread", spread), .kind = &kind_choice, .standard = "hash",
	  .words = WORDS([SPREAD_HASH] = "hash", [SPREAD_MAGLEV] = "maglev", [SPREAD_FIRST] = "first",
			 [SPREAD_COPY] = "copy"),
	  .change = CHANGE_COPYING,
	  .help = "which destination a sender has; maglev: few change it when one goes; first: the first that is up; "
		  "copy: each datagram goes to all" },
	{ CLASS("drain", drain), .kind = &kind_drain, .accepts = "ADDRESS:PORT ..", .change = CHANGE_RELOAD,
	  .help = "destinations that take no new senders; their sessions go on" },
	{ CLASS("resolve", resolve_ns), .kind = &kind_time, .standard = "off", .min = NS_PER_S, .max = 86400 * NS_PER_S,
	  .word = "off", .change = CHANGE_RELOAD,
	  .help = "names in send are asked for again after this long, or their TTL; off: at a reload" },
	{ CLASS("health", alive), .kind = &kind_alive, .standard = "off", .accepts = "off|icmp|tcp|http|udp|quiet",
	  .change = CHANGE_RELOAD, .help = "how destinations are looked after; one that is down takes nothing" },
	{ CLASS("health_every", health_every_ns), .kind = &kind_time, .standard = "1s", .min = 100 * NS_PER_MS,
	  .max = 3600 * NS_PER_S, .change = CHANGE_RELOAD, .help = "time between two looks, and most for an answer" },
	{ CLASS("health_fall", health_fall), .kind = &kind_count, .standard = "3", .min = 1, .max = 100,
	  .change = CHANGE_RELOAD, .help = "looks in a row that fail until a destination is down" },
	{ CLASS("health_rise", health_rise), .kind = &kind_count, .standard = "2", .min = 1, .max = 100,
	  .change = CHANGE_RELOAD, .help = "looks in a row that succeed until it is up again" },
	{ CLASS("copy_wait", copy_wait_ns), .kind = &kind_time, .standard = "2ms", .max = NS_PER_S,
	  .change = CHANGE_RELOAD,
	  .help = "spread = copy: longest that the full buffer of one holds up the others; then it is skipped" },
	{ CLASS("rate", rate_bits_per_s), .kind = &kind_rate, .standard = "off", .min = 64000, .max = 400000000000,
	  .word = "off", .change = CHANGE_RELOAD, .help = "most bits per second on the wire, of this class" },
	{ CLASS("burst", burst_bytes), .kind = &kind_size, .standard = "64KiB", .min = KIB, .max = 16 * MIB,
	  .change = CHANGE_RELOAD, .help = "most bytes sent at once under that rate; at least payload_bytes" },
	{ CLASS("destination_rate", destination_rate_bits_per_s), .kind = &kind_rate, .standard = "off", .min = 64000,
	  .max = 400000000000, .word = "off", .change = CHANGE_RELOAD,
	  .help = "likewise to each destination; copies beyond it are skipped" },
	{ CLASS("destination_burst", destination_burst_bytes), .kind = &kind_size, .standard = "64KiB", .min = KIB,
	  .max = 16 * MIB, .change = CHANGE_RELOAD, .help = "most bytes sent at once under that rate, likewise" },
	{ CLASS("from", from), .kind = &kind_from, .second = offsetof(struct class_config, n_from),
	  .accepts = "1..2 ADDRESS:PORT", .change = CHANGE_IDENTITY,
	  .help = "address and port of this machine that they leave from; without: the kernel's choice" },
	{ CLASS("source", source), .kind = &kind_choice, .standard = "own",
	  .words = WORDS([SOURCE_OWN] = "own", [SOURCE_PROXY] = "proxy", [SOURCE_ADDRESS] = "address",
			 [SOURCE_TRANSPARENT] = "transparent"),
	  .change = CHANGE_RELAUNCH,
	  .help = "who the destination takes for the sender; proxy: a PROXY v2 header in front says it" },
	{ CLASS("proxy_header", proxy_header), .kind = &kind_choice, .standard = "every",
	  .words = WORDS([PROXY_EVERY] = "every", [PROXY_FIRST] = "first"), .change = CHANGE_RELOAD,
	  .help = "source = proxy: which datagrams have the header; first: of a session, with replies" },
	{ CLASS("accept_proxy", accept_proxy), .kind = &kind_prefixes, .accepts = "1..8 ADDRESS/BITS",
	  .change = CHANGE_RELAUNCH, .help = "whose datagrams have a PROXY v2 header in front, and are believed" },
	{ CLASS("allow", acl), .kind = &kind_allow, .accepts = "1..1000 ADDRESS/BITS", .change = CHANGE_RELOAD,
	  .help = "the only senders whose datagrams are taken; all others are dropped by the kernel (denied)" },
	{ CLASS("deny", acl), .kind = &kind_deny, .accepts = "1..1000 ADDRESS/BITS", .change = CHANGE_RELOAD,
	  .help = "senders whose datagrams are dropped by the kernel (denied), also of those allowed" },
	{ CLASS("source_rate", source_rate_pps), .kind = &kind_pps, .standard = "off", .min = 1, .max = 10000000,
	  .word = "off", .change = CHANGE_LIMIT, .help = "most datagrams per second of one source; more are limited" },
	{ CLASS("source_burst", source_burst_pkts), .kind = &kind_count, .standard = "200", .min = 1, .max = 1000000,
	  .change = CHANGE_RELOAD, .help = "source_rate: most of one source at once" },
	{ CLASS("source_prefix", source_bits), .kind = &kind_bits, .standard = "32 64", .min = 1,
	  .accepts = "1..32 1..128", .change = CHANGE_RELOAD,
	  .help = "bits of an IPv4 and of an IPv6 address that tell sources apart" },
	{ CLASS("fair", fair), .kind = &kind_count, .standard = "off", .min = 2, .max = 64, .word = "off",
	  .change = CHANGE_RELAUNCH, .help = "receive buffers that sources are spread over, and are read in turn" },
	{ CLASS("replies", replies), .kind = &kind_name, .accepts = "CLASS", .change = CHANGE_IDENTITY,
	  .help = "class that replies of its destinations go back to the senders as; without: they are dropped" },
	{ CLASS("sessions", sessions), .kind = &kind_count, .standard = "1024", .min = 1, .max = 16384,
	  .change = CHANGE_RELAUNCH, .help = "replies: most senders at once; each takes a socket" },
	{ CLASS("sessions_per_source", sessions_per_source), .kind = &kind_count, .standard = "256", .min = 1,
	  .max = 16384, .change = CHANGE_RELOAD, .help = "replies: most senders at once of one address" },
	{ CLASS("idle", idle_ns), .kind = &kind_time, .standard = "60s", .min = 10 * NS_PER_MS, .max = 86400 * NS_PER_S,
	  .change = CHANGE_RELOAD, .help = "replies: a session ends after this long without a datagram either way" },
	{ CLASS("idle_unanswered", idle_unanswered_ns), .kind = &kind_time, .standard = "5s", .min = 10 * NS_PER_MS,
	  .max = 86400 * NS_PER_S, .change = CHANGE_RELOAD,
	  .help = "... and after this long while there was no reply" },
	{ CLASS("via", via), .kind = &kind_via, .accepts = "ADDRESS/BITS", .change = CHANGE_IDENTITY,
	  .help = "replies: local addresses to tell sessions apart by; one socket serves all" },
	{ CLASS("via_ports", via_first_port), .kind = &kind_ports,
	  .second = offsetof(struct class_config, via_last_port), .standard = "any", .min = 1, .max = 65535,
	  .accepts = "any|FIRST-LAST", .change = CHANGE_RELAUNCH,
	  .help = "replies: local ports towards the destinations, for firewalls" },
	{ CLASS("dscp", dscp), .kind = &kind_dscp, .standard = "off", .accepts = "off|keep|ef|..|0..63",
	  .change = CHANGE_RELOAD, .help = "code point that its datagrams leave with; keep: each its own" },
	{ CLASS("ecn", ecn), .kind = &kind_choice, .standard = "off",
	  .words = WORDS([ECN_OFF] = "off", [ECN_KEEP] = "keep", [ECN_MARK] = "mark"), .change = CHANGE_RELOAD,
	  .help = "congestion bits: not ECN-capable, each its own, or CE on a capable one that runs short of time" },
	{ CLASS("ecn_mark_at", ecn_mark_at_percent), .kind = &kind_percent, .standard = "50%", .min = 1, .max = 100,
	  .change = CHANGE_RELOAD, .help = "ecn = mark: how much of the budget a datagram has used then" },
	{ CLASS("group_sources", group_sources), .kind = &kind_sources, .accepts = "1..8 ADDRESS",
	  .change = CHANGE_RELAUNCH, .help = "the only senders whose datagrams to its groups are received" },
	{ CLASS("group_ttl", group_ttl), .kind = &kind_count, .standard = "1", .min = 1, .max = 255,
	  .change = CHANGE_RELAUNCH, .help = "how many networks what is sent to a group may cross" },
	{ CLASS("group_loop", group_loop), .kind = &kind_choice, .standard = "on", .words = WORDS("off", "on"),
	  .change = CHANGE_RELAUNCH, .help = "what is sent to a group reaches its members on this machine too" },
	{ CLASS("broadcast", broadcast), .kind = &kind_choice, .standard = "off", .words = WORDS("off", "on"),
	  .change = CHANGE_RELAUNCH, .help = "listen and send may be broadcast addresses" },
	{ CLASS("budget", budget_ns), .kind = &kind_time, .standard = "none", .min = 10 * NS_PER_US,
	  .max = 3600 * NS_PER_S, .word = "none", .change = CHANGE_RELOAD,
	  .help = "from arrival to departure; none: no deadline" },
	{ CLASS("margin", margin_ns), .kind = &kind_time, .standard = "auto", .max = NS_PER_S, .word = "auto",
	  .word_value = MARGIN_AUTO, .change = CHANGE_RELOAD,
	  .help = "guarded: time to leave for what comes after edf; auto: what that takes, as egress measures it" },
	{ CLASS("share", share_percent), .kind = &kind_percent, .standard = "0%", .max = 100, .change = CHANGE_RELOAD,
	  .help = "guarded: part of the service time no other class can take" },
	{ CLASS("expected_pps", expected_pps), .kind = &kind_count, .standard = "0", .max = 10000000,
	  .change = CHANGE_RELOAD, .help = "for build/check: packets per second its senders keep to; 0: not said" },
	{ CLASS("expected_burst", expected_burst_pkts), .kind = &kind_count, .standard = "1", .min = 1, .max = 65536,
	  .change = CHANGE_RELOAD, .help = "for build/check: packets that may come at once" },
	{ CLASS("expected_service", expected_service_ns), .kind = &kind_time, .standard = "0us", .max = NS_PER_S,
	  .change = CHANGE_RELOAD, .help = "for build/check: longest work on one packet" },
	{ CLASS("ingress_quantum", ingress_quantum_bytes), .kind = &kind_size, .standard = "64KiB", .min = 64,
	  .max = 16 * MIB, .change = CHANGE_RELOAD, .help = "bytes read per round from each listen address" },
	{ CLASS("egress_quantum", egress_quantum_bytes), .kind = &kind_size, .standard = "64KiB", .min = 64,
	  .max = 16 * MIB, .change = CHANGE_RELOAD, .help = "bytes sent per round: the share of the bandwidth" },
	{ CLASS("ingress_to_edf", ingress_to_edf_pkts), .kind = &kind_count, .standard = "256", .min = 1, .max = 65536,
	  .change = CHANGE_LANE, .help = "most packets waiting for edf" },
	{ CLASS("edf_to_egress", edf_to_egress_pkts), .kind = &kind_count, .standard = "256", .min = 1, .max = 65536,
	  .change = CHANGE_LANE, .help = "most packets waiting for egress" },
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))
static_assert(MOST_WORKERS == 64 && MOST_SHARDS == 16, "as the table says");
static_assert(MOST_BUCKETS == 64 && ACL_MOST == 1000, "likewise");
static_assert(MAX_SESSIONS == 16384, "the most that sessions may be");
static_assert(N_OPTIONS <= MAX_OPTIONS, "raise MAX_OPTIONS");
const int n_options = N_OPTIONS;

const char *scope_words(enum scope scope)
{
	static const char *const words[N_SCOPES] = {
		[SCOPE_PIPELINE] = "[pipeline]", [SCOPE_DASH] = "[dash]", [SCOPE_CLASS] = "a class"
	};

	return words[scope];
}

int option_find(enum scope scope, const char *key)
{
	for (int i = 0; i < n_options; i++)
		if (options[i].scope == scope && strcmp(options[i].key, key) == 0)
			return i;
	return -1;
}

const char *option_nearest(enum scope scope, const char *key)
{
	const char *best = NULL;
	size_t least = NEAREST_NONE;

	for (int i = 0; i < n_options; i++)
		if (options[i].scope == scope && nearest_is_better(key, options[i].key, &least))
			best = options[i].key;
	return best;
}

size_t option_changes(const char *name)
{
	const char *dot = strchr(name, '.'), *key = dot ? dot + 1 : name;
	size_t least = NEAREST_NONE;

	for (int i = 0; i < n_options; i++) {
		if ((options[i].scope == SCOPE_PIPELINE) == (dot != NULL))
			continue;
		if (strcmp(options[i].key, key) == 0)
			return 0;
		nearest_is_better(key, options[i].key, &least);
	}
	return least;
}

int class_find(const struct config *c, const char *name)
{
	for (uint32_t i = 0; i < c->n_classes; i++)
		if (strcmp(c->classes[i].name, name) == 0)
			return (int)i;
	return -1;
}

void config_print_options(FILE *out)
{
	static const char *const prefixes[N_SCOPES] = {
		[SCOPE_PIPELINE] = "", [SCOPE_DASH] = "dash.", [SCOPE_CLASS] = "CLASS."
	};
	char key[64], range[VALUE_BYTES];

	for (int i = 0; i < n_options; i++) {
		const struct option *o = &options[i];

		snprintf(key, sizeof(key), "--%s%s=", prefixes[o->scope], o->key);
		fprintf(out, "  %-28s %-8s %-29s %s\n", key, o->standard ? o->standard : "-",
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
	return (unsigned int)p < N_POLICIES ? options[option_find(SCOPE_PIPELINE, "policy")].words[p] : "unknown";
}
