/*
 * config.h - what the user asked for: one table gives the config file, the command line and --help.
 *
 * Memory:  struct config is plain private memory, no pointers; each process reads its own copy.
 * Rules:   config_load() accepts all of a file or none of it. Each rejected value is reported by ONE
 *          line: file, line, key, value, why, and the accepted range.
 *          Classes rank by their order in the file: the first is the highest.
 *          A file is read by the name it is given by each time, through whatever links lead there then. One given by
 *          descriptor (/proc/self/fd/N) is read from its start each time; ONTIME_CONFIG_NAME in the environment is what
 *          messages call it. It is the copy that an instance runs with: its [hosts] has all names, and nobody is asked
 *          for one.
 * Errors:  0, or -EINVAL for what the text says, or -errno of opening or reading the file, or -EAGAIN while a host name
 *          cannot be resolved. The lines are in the message.
 */
#ifndef ONTIME_CONFIG_H
#define ONTIME_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "acl.h"
#include "address.h"
#include "alive.h"
#include "dscp.h"
#include "group.h"
#include "hosts.h"
#include "ids.h"
#include "match.h"
#include "prefix.h"
#include "via.h"

#define CONFIG_WHY_BYTES 8192 /* room for all the lines of a refusal */
#define DASH_HOSTS_BYTES 512
#define PLUGIN_CALLS_BYTES 512
#define SEND_TEXT_BYTES 4400 /* destinations as they were written, with a blank between two */
#define BACKUP_TEXT_BYTES 1100
#define USER_NAME_BYTES 33 /* useradd(8) makes no longer one */
#define CONFIG_MOST_REFUSALS 10 /* lines; the rest is counted */

struct class_config {
	char name[CLASS_NAME_BYTES]; /* [a-z0-9_-]+, unique */
	uint64_t budget_ns; /* BUDGET_NONE: no deadline; else 10us .. 1h */
	uint64_t margin_ns; /* guarded: what a packet needs after edf; MARGIN_AUTO: as measured */
	uint32_t share_percent; /* guarded: of the service time, guaranteed; 0: none */
	uint32_t n_listen, n_dests;
	struct address listen[MAX_LISTEN];
	struct address dests[MAX_DESTS]; /* those of `send`, then those of `backup`: see destinations.h */
	uint8_t weights[MAX_DESTS]; /* 0: as 1 */
	uint32_t n_joined; /* of these, how many are backups */
	enum spread spread; /* which one a sender's datagrams go to */
	uint64_t resolve_ns; /* their names are asked for again after that long at most; 0: never */
	struct alive alive; /* how they are looked after */
	uint64_t health_every_ns;
	uint32_t health_fall, health_rise; /* looks in a row after which one is down, or up again */
	uint32_t n_backups;
	struct address backups[MAX_BACKUPS];
	uint8_t backup_weights[MAX_BACKUPS];
	char send_text[SEND_TEXT_BYTES], backup_text[BACKUP_TEXT_BYTES];
	char drain[BACKUP_TEXT_BYTES]; /* those that take no new senders, likewise */
	uint64_t copy_wait_ns; /* spread = copy: longest that one destination's full buffer holds the others back */
	uint64_t rate_bits_per_s; /* of the class; 0: no limit */
	uint32_t burst_bytes;
	uint32_t destination_burst_bytes;
	uint64_t destination_rate_bits_per_s; /* of each destination by itself; 0: no limit */
	uint32_t n_from; /* 0: its datagrams leave from where the kernel chooses */
	struct address from[MAX_FROM]; /* of each family one; a wildcard fixes the port only */
	struct group_sources group_sources; /* of the groups among its listen addresses */
	/* of those among its destinations: 1 .. 255 hops; 1: this machine's members too */
	uint32_t group_ttl, group_loop;
	uint32_t dscp; /* what its datagrams leave with: 0 .. 63, or DSCP_KEEP */
	uint32_t ecn; /* enum ecn */
	uint32_t ecn_mark_at_percent; /* of the budget: an ECN-capable datagram that has used that much is marked CE */
	uint32_t broadcast; /* 1: its addresses may be broadcast addresses */
	struct match match; /* which datagrams of an address that a class below listens on too */
	enum source_shown source; /* whether, and how, their destination is shown who sent them */
	enum proxy_which proxy_header; /* ... each, or the first of a session */
	struct prefixes accept_proxy; /* whose datagrams have such a header, and are believed */
	struct acl acl; /* whose datagrams are taken at all */
	uint64_t source_rate_pps; /* most datagrams of one source; 0: no limit */
	uint32_t source_burst_pkts; /* ... at once */
	uint32_t source_bits[2]; /* of an address of IPv4, of IPv6: what counts as one source */
	uint32_t fair; /* buckets that sources are spread over, each with a receive buffer of its own; 0: none */
	char replies
		[CLASS_NAME_BYTES]; /* the class that its destinations' replies go back as; "": none are asked for */
	uint32_t sessions; /* with replies: most senders at once */
	uint32_t sessions_per_source; /* ... of one address */
	uint64_t idle_ns; /* a session ends after that long without a datagram either way */
	uint64_t idle_unanswered_ns; /* ... and after that long while there was no reply */
	struct via via; /* addresses that sessions leave from, by one socket; none: a socket for each session */
	uint32_t via_first_port, via_last_port; /* local ports towards the destinations; 0: any */
	uint32_t expected_pps; /* what its senders keep to; 0: not said. For build/check only, as the next two */
	uint32_t expected_burst_pkts;
	uint64_t expected_service_ns; /* longest work on one packet */
	uint32_t ingress_quantum_bytes; /* DRR quantum of each of its listen addresses */
	uint32_t egress_quantum_bytes; /* DRR quantum of the class on the way out */
	uint32_t ingress_to_edf_pkts; /* most packets waiting for edf */
	uint32_t edf_to_egress_pkts; /* most packets waiting for egress */
};

struct config {
	char file[PATH_BYTES]; /* where it came from, for messages; "" for the defaults */
	char instance[INSTANCE_NAME_BYTES]; /* [a-z0-9_-]+; names the segment */
	uint32_t payload_bytes; /* longest datagram carried: 64 .. 65507 */
	enum policy policy;
	enum evict evict; /* guarded: which packet is dropped from a queue too long in time */
	enum work_kind work;
	char plugin[PATH_BYTES]; /* with WORK_PLUGIN: the shared object */
	/* packets that are worked on at one time: 1, by the stage itself, or by that many processes */
	uint32_t workers;
	char plugin_calls[PLUGIN_CALLS_BYTES]; /* system calls that it may make, with a blank between two */
	uint32_t cage; /* 1: a stage makes no system calls but those of its table */
	uint32_t shards; /* pipelines behind the same addresses; 0: auto. The segment says how many an instance has */
	uint64_t slice_ns; /* how often work checks whether a higher class must go first; 0: never */
	enum full full;
	enum late late;
	uint64_t rate_bits_per_s; /* 0: no shaping */
	uint32_t burst_bytes;
	uint32_t gso; /* 1: runs of equal size go as one UDP_SEGMENT datagram */
	enum gro gro; /* which sockets take trains (UDP_GRO): none, each, or those that trains come to */
	uint32_t socket_buffer_bytes; /* receive buffer of each listen socket */
	int32_t cpu[N_STAGES]; /* -1: not pinned, -2: auto, else the CPU's number */
	uint32_t spin_us[N_STAGES]; /* longest adaptive spin before a stage parks; 0: park at once */
	enum fifo fifo; /* real time: not, or as far as it is allowed; with FIFO_ON a refusal is a warning */
	char user[USER_NAME_BYTES]; /* as whom root launches it; "auto": `ontime`, where there is one */
	char observers[USER_NAME_BYTES]; /* a group whose members may map the segment read-only; "none": nobody's */
	uint32_t heartbeat_ms; /* longest park of a stage: 10 .. 1000 */
	uint32_t hung_ms; /* work but no progress for this long: the supervisor kills the stage */
	uint32_t seed; /* of the buckets of `fair`: no key, but drawn at a launch, and kept in the segment */
	uint32_t n_dash_listen; /* 0: no dashboard is asked for */
	struct address dash_listen; /* where build/dash serves */
	char dash_allow_host[DASH_HOSTS_BYTES]; /* host names it may be asked by, with a blank between two */
	char dash_token[PATH_BYTES]; /* a file with the word that it asks for; "": it asks for none */
	uint32_t n_classes;
	struct class_config classes[MAX_CLASSES];
};

/* config_defaults - the four classes of the README on loopback, in *c. */
void config_defaults(struct config *c);

/*
 * config_load - read `file` (NULL: defaults only), then the arguments argv[1..] of the form
 * --KEY=VALUE, --CLASS.KEY=VALUE and --dash.KEY=VALUE. When the file names any class, only the file's classes exist.
 * On failure `why` holds a line per refusal, at most CONFIG_MOST_REFUSALS and as many as fit, then "and N more";
 * newlines only between them. *c is untouched.
 */
int config_load(struct config *c, const char *file, int argc, char *const *argv, char *why, size_t why_bytes);

/* What config_load_as() may be told beyond that. */
struct config_source {
	const char *file;
	int argc;
	char *const *argv;
	struct hosts *hosts; /* whom to ask for names; what they stand for is written there. Its content is lost. */
	/*
	 * For what an operator runs: the directory that a relative plugin counts from. Then also what is wrong on this
	 * machine now is refused: a plugin that cannot be opened, a loop through an address of the machine. NULL for a
	 * stage that is started again, since files and addresses come back.
	 */
	const char *top;
	int fd; /* of config_open(): it is read, from its start, and the file is not opened; 0: there is none */
};

/*
 * config_open - a description of its own of a file that is given by descriptor, for a process that cannot open files
 * later. -1: the file has a name, by which it is read each time, or it cannot be opened, which a load says.
 */
int config_open(const char *file);

int config_load_as(struct config *c, const struct config_source *source, char *why, size_t why_bytes);

/* config_log_refusals - each line of `why` as an error, followed by `then`. */
void config_log_refusals(const char *why, const char *then);

/* config_may_pass - whether config_load() may succeed another time though nobody corrects the config. */
bool config_may_pass(int err);

/* config_log_hosts - a line for each address of c that was given by name: what it became. */
void config_log_hosts(const struct config *c, const struct hosts *hosts);

/*
 * config_slots_pkts - slots of a class's lane: the smallest power of two that holds both queue limits
 * and one batch to spare.
 */
uint32_t config_slots_pkts(const struct class_config *class);

/*
 * config_margin_ns - what a packet of the class needs after edf; where that is measured: what it begins with, and what
 * a forecast goes by.
 */
static inline uint64_t config_margin_ns(const struct class_config *class)
{
	if (class->margin_ns != MARGIN_AUTO)
		return class->margin_ns;
	return class->budget_ns == BUDGET_NONE || MARGIN_START_NS < class->budget_ns / 2 ? MARGIN_START_NS
											 : class->budget_ns / 2;
}

/* config_workers - how many packets are worked on at one time: without work it is the stage alone. */
static inline uint32_t config_workers(const struct config *c)
{
	return c->work == WORK_NONE ? 1 : c->workers;
}

/*
 * config_digest - 64-bit digest of what cannot change while an instance lives: instance, payload_bytes,
 * work, class names, addresses and lane sizes. Stages refuse a segment made from another digest, and those of another
 * build are to agree: for a given file it never changes.
 */
uint64_t config_digest(const struct config *c);

/*
 * config_explain_changes - one line per key that differs, to `out`; "(needs a relaunch)" where a reload cannot.
 * Returns how many of the changes need a relaunch.
 */
int config_explain_changes(const struct config *from, const struct config *to, FILE *out);

/*
 * config_log_changes - likewise, each line into the log; not `tell`: only count.
 */
int config_log_changes(const struct config *from, const struct config *to, bool tell);

/* config_print - all of it, as a file that config_load() reads as the same. */
void config_print(const struct config *c, FILE *out);

/* config_print_options - the table as --help text: key, unit, default, range, one line of meaning each. */
void config_print_options(FILE *out);

#endif
