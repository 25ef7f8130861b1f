/*
 * supervisor.h - one supervisor: what it knows, and how it begins.
 *
 * Memory:  one object per process. Nothing in it is lost with it: a successor takes the descriptors and goes on.
 */
#ifndef ONTIME_SUPERVISE_SUPERVISOR_H
#define ONTIME_SUPERVISE_SUPERVISOR_H

#include "config/config.h"
#include "shm/segment.h"
#include "stage/stage.h"
#include "control.h"
#include "holder.h"
#include "life.h"
#include "manager.h"
#include "names.h"
#include "reload.h"
#include "scouting.h"
#include "service.h"
#include "stop.h"

#define NOTE_BYTES 1024
#define MOST_LIVES (MOST_SHARDS * N_STAGES)

struct supervisor {
	struct config config; /* in force */
	struct segment seg; /* the first part of the segment, which has what is the instance's */
	struct segment parts[MOST_SHARDS]; /* from the second shard on */
	uint32_t n_lives; /* the stages of the first shard, then those of the next */
	struct life lives[MOST_LIVES];
	struct names names;
	struct reload reload;
	struct holder holder;
	struct service dash;
	struct scouting scout;
	struct manager manager;
	struct stopping stopping;
	struct control control;
	int signal_fd, config_fd;
	int argc;
	char *argv[MAX_ARGUMENTS]; /* the overrides */
	char *stage_argv[N_STAGES][MAX_ARGUMENTS + 4];
	char config_path[32];
	const char *build;
	pid_t latency;
	int lets_go; /* another supervisor adopts the stages */
	int renews; /* it is to go over to the binary that is there now */
	uint64_t renew_by_ns; /* whatever the stages do */
	int has_run, is_refused; /* as a service: it has been ready; a stage refused its configuration before that */
	uint64_t watch_due_ns, keep_due_ns;
};

/* supervisor_part - the part of the segment that a life is about. */
static inline const struct segment *supervisor_part(const struct supervisor *s, const struct life *l)
{
	return l->shard ? &s->parts[l->shard] : &s->seg;
}

/*
 * supervisor_open - from the descriptors and the environment that hold handed on. 0, or the exit status after one line.
 * argv: the overrides. is_renewed: a supervisor has gone over to this binary (renew.h).
 */
int supervisor_open(struct supervisor *s, int argc, char **argv, int is_renewed);

#endif
