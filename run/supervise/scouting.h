/*
 * scouting.h - the scout of an instance (run/scout/): started where a class asks for it, and kept running.
 *
 * Memory:  private to the supervisor. No stage waits for the scout: what it said last holds until another one speaks.
 * Rules:   it ends with its supervisor, so a successor starts another. One that ends by itself is started again after
 *          pauses that grow to one second (hold/row.h); that is said once. A reload tells it of another configuration,
 *          and ends it where no class asks for one any more.
 */
#ifndef ONTIME_SUPERVISE_SCOUTING_H
#define ONTIME_SUPERVISE_SCOUTING_H

#include <sys/types.h>

#include "config/config.h"
#include "hold/row.h"

struct scouting {
	pid_t pid;
	int pidfd; /* -1: it does not run */
	uint64_t began_at_ns, due_ns;
	struct row row;
	int is_asked_to_end;
	char binary[PATH_BYTES];
};

void scouting_init(struct scouting *x, const char *build);

/* scouting_tend - start it, or end it, as the configuration asks. argv: of a stage; its first word is replaced. */
void scouting_tend(struct scouting *x, const struct config *c, char *const *argv, uint64_t now);

/* scouting_reload - the configuration in force is another, or the log was moved away. */
void scouting_reload(const struct scouting *x);

/* scouting_ended - its pidfd is readable. */
void scouting_ended(struct scouting *x, uint64_t now);

/* scouting_stop - the supervisor ends. */
void scouting_stop(struct scouting *x);

#endif
