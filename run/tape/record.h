/*
 * record.h - the recording: all lanes of an instance, followed one after the other, until its end.
 *
 * Memory:  the segment is mapped read-only (look/view.h).
 * Rules:   captured + missed + filtered = released, per class, from the begin to the end. What is kept for --before is
 *          filtered once it is let go.
 *          Restarts of stages do not show. When the instance is stopped its lanes are followed to their end; when it is
 *          started again the recording goes on with the first packet of the new one.
 */
#ifndef ONTIME_TAPE_RECORD_H
#define ONTIME_TAPE_RECORD_H

#include <signal.h>

#include "before.h"
#include "file.h"
#include "follow.h"
#include "look/in_force.h"
#include "look/view.h"
#include "options.h"

/* What has become of one class's packets. */
struct tally {
	char name[CLASS_NAME_BYTES];
	uint64_t released_pkts, captured_pkts, missed_pkts, filtered_pkts;
	uint64_t untold_pkts; /* of those missed: since the last one that was captured */
};

/* Why it ends. */
enum ending { GOES_ON, ENDED_BY_SIGNAL, ENDED_BY_TIME, ENDED_BY_COUNT, ENDED_BY_SIZE, READER_GONE, CANNOT_WRITE };

struct record {
	const struct tape_options *options;
	const volatile sig_atomic_t *stop;
	uint64_t until_ns; /* UINT64_MAX: as long as one likes */
	struct viewer viewer;
	struct in_force in_force; /* for the addresses */
	struct follower follower;
	struct place places[MOST_SHARDS][MAX_CLASSES];
	uint32_t interface_of[MAX_CLASSES]; /* of the classes of this launch */
	uint64_t created_at_ns; /* of the launch that is followed */
	struct tally tallies[FILE_INTERFACES]; /* by interface */
	uint32_t n_tallies;
	uint64_t captured_pkts;
	uint64_t to_wall_ns; /* from CLOCK_MONOTONIC */
	struct before before;
	struct tape_file file;
	uint8_t *block; /* room for one */
	enum ending ending;
	int err; /* with CANNOT_WRITE */
	int is_waiting; /* the instance has been stopped */
	int has_begun; /* there is a file */
};

/* record_run - 0, or the exit status after one line. */
int record_run(struct record *r);

/* record_cannot_write - how it ends when file.h returned err. */
enum ending record_cannot_write(struct record *r, int err);

#endif
