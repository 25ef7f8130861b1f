/*
 * stage.h - the life of a stage: attach, placing, signals, ready, heartbeat, sleep, end.
 *
 * Memory:  struct stage is the process's one big private object, the first member of its loop (run.h).
 * Rules:   a stage is one thread; the only asynchronous things are the signal flags.
 * Exit:    0 asked to stop; 1 temporary (a restart may help); 2 usage or configuration (it will not); 3 this binary has
 *          another layout than the segment (the binary that made it would do); a signal: crash.
 * Crash:   no private state has to survive. A stage's successor waits for the stage's lock (the kernel frees it when
 *          the dead one's last system call is over), reads the counts and the journal, and goes on.
 *          It rings every bell first, since the dead stage may have owed a wake.
 */
#ifndef ONTIME_STAGE_H
#define ONTIME_STAGE_H

#include "asked.h"
#include "clock.h"
#include "config/config.h"
#include "damage.h"
#include "failing.h"
#include "handed.h"
#include "place.h"
#include "probe.h"
#include "shm/bell.h"
#include "shm/segment.h"

#define EXIT_TEMPORARY 1
#define EXIT_CONFIG 2
#define EXIT_LAYOUT 3
#define MAX_ARGUMENTS 64
#define WORKER_NAME "edf-worker-" /* and a number: what ps calls a worker of edf */

struct stage_ops; /* run.h */

struct stage {
	enum stage_id id;
	uint32_t shard; /* whose stage it is */
	const char *name; /* "edf", or of several shards "edf.1" */
	struct config config;
	struct segment seg;
	struct probes probes;
	struct place place;
	struct stage_block *self;
	struct stage_block *blocks; /* of all stages */
	const char *file; /* the config file, for reload; NULL: defaults */
	int argc;
	char *argv[MAX_ARGUMENTS]; /* the overrides, for reload */
	char instance_word[64]; /* among them: --instance=, of -i */
	int space_fd; /* what wakes ingress when room is made; -1: none, it polls */
	uint64_t opened_at_ns; /* when this life joined the segment */
	uint64_t beat_due_ns;
	int files_fd; /* what the cage needs; 0: nothing is open for it */
	int cage_lacks; /* of cage_probe(), for it */
	int config_fd; /* a description of its own of the file that was handed on; -1: it is read by its name */
	uint64_t config_stamp; /* of the file that s->config was read from, before that */
	uint64_t config_serial; /* of s->config, as the supervisor counts; 0: not known */
	uint64_t reload_due_ns; /* a reload could not read the config: try again then; 0: none is due */
	uint64_t parks, rings;
	struct failing failing;
	uint64_t spin_ns; /* how long the next sleep spins first: adapts between 1/16 of the limit and the limit */
};

/*
 * stage_open - everything before the first packet: options, config, segment, lock, pinning, signals.
 * Returns 0, or 1 + the exit status when the process should end now (--help: 0); the line has been printed.
 */
int stage_open(struct stage *s, const struct stage_ops *ops, int argc, char **argv);

/* stage_ready - tell observers, and ring all bells. */
void stage_ready(struct stage *s);

/* stage_reload_asked - SIGHUP came, or a reload that could not be is due again. */
int stage_reload_asked(const struct stage *s);

/* stage_reload - read the config again. Returns 1 when s->config has become the new one: apply it. */
int stage_reload(struct stage *s);

/* stage_reloaded - what stage_reload() has read is applied: say so. */
void stage_reloaded(struct stage *s);

/* stage_beat - call on progress, and at least once per heartbeat when idle. Cheap when called often. */
void stage_beat(struct stage *s, uint64_t now, int has_work);

/* stage_ring - tell another stage there is input (PARKED) or room (PARKED_FOR_SPACE). */
void stage_ring(struct stage *s, enum stage_id other, uint32_t how);

/*
 * stage_spin - spin before a sleep as long as it has been paying lately. has_input(arg) says whether to stop.
 * Returns 1 when input came, 0 when the stage should park; at once with `spin = 0us`,
 * and in real time on a CPU that it shares with the stages whose input it waits for.
 */
int stage_spin(struct stage *s, int (*has_input)(void *arg), void *arg);

/*
 * stage_call_failed, stage_call_works - a system call that must work failed with err, or did not: see failing.h.
 * Whoever tries it again at the next step does not spin. name: a literal.
 */
static inline void stage_call_failed(struct stage *s, const char *name, int err)
{
	failing_note(&s->failing, s->self, name, err);
}

static inline void stage_call_works(struct stage *s, const char *name)
{
	if (s->failing.n_rows)
		failing_works(&s->failing, name);
}

/* stage_sleep - bell_sleep() on the own bell, and what to do when that fails. */
static inline void stage_sleep(struct stage *s, uint32_t how, uint64_t timeout_ns)
{
	int err = bell_sleep(&s->self->parked, how, timeout_ns);

	if (err)
		stage_call_failed(s, "futex", -err);
	else
		stage_call_works(s, "futex");
}

/* stage_refuse - it will not begin with this configuration: a supervisor takes no other word for it (EXIT_CONFIG). */
void stage_refuse(struct stage *s);

/* stage_close - say goodbye; returns the exit status 0. */
int stage_close(struct stage *s);

#endif
