/*
 * roster.h - the destinations that a scout looks after, and what it says of them in the segment.
 *
 * Memory:  private, but for the blocks of the destinations in each shard's part of the segment, whose one writer this
 *          process is (layout.h). A successor goes on with what stands there.
 * Rules:   what is found out is said once: in the segment, by a ring to the stages, and as one line in the log.
 *          An answer of a resolver is believed if a destination may have that address: of the family of the launch, no
 *          wildcard, no group, and not one by which datagrams would come round to the instance itself. While the
 *          present address is among those of an answer, it stays.
 * Crash:   a death between segment and log costs the line.
 */
#ifndef ONTIME_SCOUT_ROSTER_H
#define ONTIME_SCOUT_ROSTER_H

#include "config/destinations.h"
#include "shm/segment.h"
#include "look.h"
#include "verdict.h"

#define MOST_POSTS (MAX_CLASSES * MAX_DESTS)

struct names_answer;

/* One destination. */
struct post {
	uint32_t class, i;
	char name[DESTINATION_BYTES], host[HOST_BYTES]; /* host: what to ask for, or "" */
	struct destination_state state; /* as it stands in the segment */
	struct verdict verdict;
	struct look look;
	uint64_t look_due_ns; /* the next one begins, or the one under way is over */
	uint64_t refused; /* ICMP errors as of the last look */
	uint64_t unanswered_since_ns; /* quiet: since when its sessions ask; 0: they do not, or are answered */
	uint64_t asked_at_ns; /* quiet: the last look that saw one ask */
	/* its name */
	uint64_t ask_due_ns;
	int is_asked;
	uint32_t n_failures; /* in a row */
};

struct roster {
	struct config config;
	uint32_t n_parts;
	struct segment parts[MOST_SHARDS];
	int space_fds[MOST_SHARDS]; /* that wake ingress; -1: none was handed on */
	uint32_t n_posts;
	struct post posts[MOST_POSTS];
};

/* roster_fill - from the configuration and the segment, at the start and after a reload. */
void roster_fill(struct roster *r, uint64_t now);

/* roster_release - by the configuration `fresh` some classes are looked after no more: their destinations are up. */
void roster_release(struct roster *r, const struct config *fresh, uint64_t now);

/* roster_verdict - a look has ended: is the destination down, or up again? */
void roster_verdict(struct roster *r, struct post *p, enum destination_why why, uint32_t number, uint64_t now);

/* roster_judge - likewise without a row of looks: it is. */
void roster_judge(struct roster *r, struct post *p, enum destination_is is, enum destination_why why, uint32_t number,
		  uint64_t now);

/* roster_answer - the resolver has answered for a destination's name. */
void roster_answer(struct roster *r, struct post *p, const struct names_answer *a, uint64_t now);

/* roster_refused - ICMP errors that stages have met so far on the way to a destination. */
uint64_t roster_refused(const struct roster *r, const struct post *p);

static inline const struct class_config *roster_class(const struct roster *r, const struct post *p)
{
	return &r->config.classes[p->class];
}

#endif
