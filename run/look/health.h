/*
 * health.h - is all well? The judgement of an observer that looks at an instance, one cause a line.
 *
 * Memory:  struct health is private: what it remembers of each class and stage from look to look, and the last
 *          judgement.
 * Rules:   pure: the time is that of the looks. One look tells what is wrong with counts and stages; that a class
 *          stands still, or that all it sends is refused, takes looks over some time. Each cause ends by itself once it
 *          is over. A class stands still when it holds packets and none leaves it, sent or dropped, for STUCK_NS. All
 *          of it is refused when the kernel has refused to send some of its packets within REFUSED_NS, and has sent
 *          none since. "No supervisor" is said only of an instance that had one: stages may be started by hand.
 */
#ifndef ONTIME_STAT_HEALTH_H
#define ONTIME_STAT_HEALTH_H

#include "units.h"
#include "view.h"

#define STUCK_NS (2 * NS_PER_S)
#define REFUSED_NS (10 * NS_PER_S) /* a probe each ten seconds shall not miss it */
#define REFUSED_LEAST_NS NS_PER_S /* looked on for that long without seeing a packet sent */
#define REFUSAL_SHOWS_NS (300 * NS_PER_MS) /* with traffic of some packets a second, by health_is_undecided() */
#define FAILING_NS NS_PER_S /* a call that fails for less than this was retried in time */
#define NOT_READY_NS NS_PER_S /* a restart takes some milliseconds: that is no illness */
#define HUNG_NS (3 * NS_PER_S) /* the longest heartbeat is 1 s */
#define UNSUPERVISED_NS (5 * NS_PER_S) /* a new supervisor may be on its way */
#define CAUSE_BYTES 192

enum cause_kind {
	CAUSE_UNBALANCED, /* a class's counts do not add up */
	CAUSE_STAGE_DOWN, /* a stage is not ready */
	CAUSE_STAGE_HUNG, /* it is alive, and does not move */
	CAUSE_CALL_FAILS, /* a system call of a stage fails each time */
	CAUSE_STUCK, /* a class holds packets and none leaves it */
	CAUSE_NO_DESTINATION, /* none of those that a class sends to is up */
	CAUSE_REFUSED, /* the kernel refuses every packet of a class */
	CAUSE_UNSUPERVISED, /* nobody would restart a stage */
	N_CAUSE_KINDS
};

struct cause {
	enum cause_kind kind;
	char text[CAUSE_BYTES]; /* begins with the class or stage */
};

#define MAX_CAUSES (4 * MAX_CLASSES + 3 * N_STAGES * MOST_SHARDS + 1)

/* The state of a class as of the last look. */
struct class_health {
	uint64_t sent_pkts, refused_pkts; /* as of the last look */
	struct {
		uint64_t sent_pkts, dropped_pkts, held_pkts; /* likewise, of each shard */
		uint64_t moved_at_ns; /* the last look at which something had left it, or nothing was held */
	} parts[MOST_SHARDS];
	uint64_t sent_at_ns; /* the last look at which something had been sent; at first the first look */
	uint64_t refused_at_ns; /* the last look at which something had been refused; 0: never */
	uint64_t refused_errno; /* of the most recent refusals */
	uint64_t errno_pkts[SEND_ERRNOS];
};

struct health {
	uint64_t created_at_ns; /* which launch is remembered; 0: none */
	uint64_t first_at_ns, at_ns; /* the first look at it, and the last */
	uint32_t n_classes, n_shards;
	struct class_health classes[MAX_CLASSES];
	uint64_t not_ready_since_ns[N_STAGES * MOST_SHARDS]; /* 0: it is ready */
	uint64_t supervised_at_ns; /* the last look with a supervisor; 0: never */
	int n_causes;
	struct cause causes[MAX_CAUSES]; /* in the order of enum cause_kind */
};

/* health_note - one more look, and the judgement after it. A new launch begins anew. */
void health_note(struct health *h, const struct view *now);

/*
 * health_is_undecided - would another look, soon, tell more? For a caller that wants an answer now: while traffic flows
 * it is there with the next look, and after STUCK_NS at the latest.
 */
int health_is_undecided(const struct health *h);

/* cause_name - one word, for programs: "stuck". */
const char *cause_name(enum cause_kind kind);

#endif
