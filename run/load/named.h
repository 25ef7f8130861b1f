/*
 * named.h - what the relay says of each datagram that did not come, from its account before and after a run.
 *
 * Memory:  two looks of 120 KB each: keep it static.
 * Rules:   the segment is only read, through run/look. The relay is asked if the instance of the config runs on this
 *          machine, the addresses that are sent to are of this machine, and the account grew by what came, at least.
 *          An instance that was launched anew during the run has forgotten the account: then nobody was asked. Stages
 *          that died are no matter, since counters outlive them.
 *          A datagram is lost when nobody can name it: it left no trace in the account, or passed the relay and did
 *          not come out of a socket here. When nobody was asked, all that did not come is lost.
 *          The account has the datagrams of other senders too. Then a name may be of one of theirs; that is said.
 */
#ifndef ONTIME_LOAD_NAMED_H
#define ONTIME_LOAD_NAMED_H

#include <stdint.h>

#include "config/config.h"
#include "look/view.h"
#include "traffic/flow.h"

/* One class, during the run. */
struct named_class {
	uint64_t dropped_pkts[N_DROP_REASONS]; /* by the relay */
	uint64_t held_pkts; /* in the relay still */
	uint64_t others_pkts; /* that came into the relay, and this source did not send */
};

struct named {
	int is_asked;
	char why[WHY_BYTES]; /* nobody was asked; "" if nothing was to be asked */
	struct viewer viewer;
	struct view before, after;
	struct named_class classes[MAX_CLASSES]; /* of each flow */
};

/* named_before - a run begins: whom to ask, and the account as it is. used: a bit for each class that is driven. */
void named_before(struct named *n, const struct config *c, uint32_t used);

/* named_after - the run is over. Waits for at most a second until the account says what became of all. */
void named_after(struct named *n, const struct flow *flows, uint32_t n_flows);

/* named_pkts - of flow i, what the relay has a name for; more than did not come if other senders' are among them. */
uint64_t named_pkts(const struct named *n, uint32_t i);

/* named_lost_pkts - of flow i, what did not come and nobody can name; negative when more came than was sent. */
int64_t named_lost_pkts(const struct named *n, const struct flow *flows, uint32_t i);

#endif
