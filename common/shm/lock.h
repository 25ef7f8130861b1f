/*
 * lock.h - who is a stage, who the supervisor and who the holder, by the kernel's word: each holds a lock on a byte of
 * the segment.
 *
 * Rules:   a stage holds two. One is of its open file description and ends when the last system call of its holder is
 *          over, so it says that a stage is gone for good. The kernel names the holder of the other one, the
 *          supervisor's too.
 *          A handle asks, and takes the locks, of the stages of its own shard.
 *          Asking works on a read-only handle, and disturbs nobody.
 * Source:  fcntl(2), "Open file description locks"; F_GETLK.
 */
#ifndef ONTIME_SEGMENT_LOCK_H
#define ONTIME_SEGMENT_LOCK_H

#include "segment.h"

/*
 * segment_lock_stage - wait at most timeout_ns until no other process is this stage. The kernel frees the lock when the
 * holder is gone for good: its system calls are over too, so what it did can be told. -EBUSY otherwise.
 */
int segment_lock_stage(const struct segment *seg, enum stage_id id, uint64_t timeout_ns);

/* segment_lock_supervisor - become the one supervisor of the instance. 0, or -EBUSY. The lock ends with the process. */
int segment_lock_supervisor(const struct segment *seg);

/* segment_lock_holder - become the one holder of the instance's sockets, likewise. */
int segment_lock_holder(const struct segment *seg);

/* segment_lock_scout - become the one scout of the instance, likewise. */
int segment_lock_scout(const struct segment *seg);

/*
 * segment_stage_pid, segment_supervisor_pid, segment_holder_pid, segment_scout_pid - who has the lock, as the kernel
 * knows it; 0: none, or one in a pid namespace that cannot be seen from here (segment_stage_is_alive() tells the two
 * apart).
 */
pid_t segment_stage_pid(const struct segment *seg, enum stage_id id);
pid_t segment_supervisor_pid(const struct segment *seg);
pid_t segment_holder_pid(const struct segment *seg);
pid_t segment_scout_pid(const struct segment *seg);

/* segment_is_supervised, segment_is_held - is there a supervisor, or a holder, seen from here or not? */
int segment_is_supervised(const struct segment *seg);
int segment_is_held(const struct segment *seg);

/* segment_stage_is_alive - does a process hold the stage's lock? Works on a read-only handle, and disturbs nobody. */
int segment_stage_is_alive(const struct segment *seg, enum stage_id id);

/* segment_stage_state - absent, starting, ready, stopped, or dead: a process that was not asked to end is gone. */
const char *segment_stage_state(const struct segment *seg, enum stage_id id);

#endif
