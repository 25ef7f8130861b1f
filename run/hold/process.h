/*
 * process.h - the processes of an instance: who they are by the kernel's word, and signals that reach nobody else.
 *
 * Rules:   a pid is taken from the kernel (who holds the lock on the segment's byte), never from a file or from shared
 *          memory.
 *          A signal goes through a pidfd that was opened while its process held the lock: a number that was given to
 *          another process meanwhile cannot be hit. What belongs to another user, or lives in another pid namespace, is
 *          left alone.
 * Errors:  -ESRCH nobody, -EPERM another user's instance, -EXDEV in a pid namespace that cannot be seen from here.
 * Source:  pidfd_open(2), pidfd_send_signal(2), fcntl(2) F_GETLK.
 */
#ifndef ONTIME_HOLD_PROCESS_H
#define ONTIME_HOLD_PROCESS_H

#include <signal.h>
#include <sys/types.h>

#include "shm/segment.h"

#define WHO_SUPERVISOR N_STAGES /* a stage's id, or one of these */
#define WHO_HOLDER (N_STAGES + 1)
#define WHO_ANY (N_STAGES + 2) /* those above are one process each, which has a lock */
#define WHO_STANDBYS WHO_ANY
#define PROCESS_NAME_BYTES 17 /* proc(5): 16 at most */
#define STOP_MOST_MS 25000 /* how long a supervisor may take to stop its instance (supervise/stop.h) */

/* process_open - a pidfd of the stage, the supervisor or the holder, and its pid; or an error. */
int process_open(const struct segment *seg, int who, pid_t *pid);

/*
 * process_open_parent - a pidfd of the process that has started this one, if that is pid still. -ESRCH: it is gone, and
 * its number is nobody's or a stranger's; else why there is no descriptor.
 */
int process_open_parent(pid_t pid);

/* process_holds - its pid by the kernel's word, or 0. */
pid_t process_holds(const struct segment *seg, int who);

/* process_open_child - likewise of a child of this process, which may have ended. process_is_child - is it one? */
int process_open_child(pid_t pid);
int process_is_child(int pidfd);

/* process_binary - what it runs, whatever has the name by now: a descriptor to start it by, or an error. */
int process_binary(int pidfd, pid_t pid);

/* process_signal - send a signal through a pidfd. 0 or -errno. */
int process_signal(int pidfd, int sig);

/* process_wait - until it has ended, at most timeout_ms. 1 ended, 0 not yet. */
int process_wait(int pidfd, int timeout_ms);

/*
 * process_end - TERM, and KILL after `patience_ms`; wakes it if it was stopped. Returns when it has ended: 0, or
 * -EBUSY.
 */
int process_end(int pidfd, int sig, int patience_ms);

/*
 * process_end_all - KILL whatever still has the instance's segment open for writing, whoever started it. Returns how
 * many.
 */
int process_end_all(const char *instance);

/*
 * process_who - "ingress", "edf", "egress", "supervisor", "holder" or "standbys" to its number; -1: none of them.
 * *shard: of a stage that is named as "edf.1"; else -1, that of each shard.
 */
int process_who(const char *name, int *shard);

/* process_is_called - is that its name in ps? */
int process_is_called(pid_t pid, const char *name);

/* process_name - what ps calls it; "": it is gone. */
void process_name(pid_t pid, char name[PROCESS_NAME_BYTES]);

/*
 * process_each_standby - call found() once for each process that has the segment open and none of its locks: stand-bys,
 * and what has just been started. The descriptor ends with the call.
 */
void process_each_standby(const struct segment *seg, const char *instance,
			  void (*found)(void *arg, int pidfd, pid_t pid), void *arg);

#endif
