/*
 * keep.h - the holder: a process that has the sockets and the segment open and does nothing else but start the
 * supervisor again when that is killed.
 *
 * Memory:  a lock on a byte of the segment names the holder (shm/lock.h).
 * Rules:   the supervisor watches the holder likewise, and starts another when it is killed (`hold --beside`). So what
 *          every process of an instance shares lives on while any one of them does, the stand-bys left aside.
 *          A supervisor that ends by itself tells the holder before (SIGUSR1), and the holder ends. TERM to the holder
 *          is passed on, and no other supervisor is started after it. A first supervisor that ends within five seconds
 *          with a status other than 0 has refused to start: the holder ends with that status. Later ones are started
 *          again for ever, at most a second apart. One that refuses the layout (EXIT_LAYOUT) or the configuration
 *          (EXIT_CONFIG) of the instance may be of another file than the one that ran: then the binary of the one
 *          before, kept open since, is started instead. A stand-by that starts a holder hands that binary on
 *          (stage/rescue.h).
 *          SIGUSR2, from a supervisor of a newer build: the same process goes on as the binary that is there now.
 * Source:  pidfd_open(2).
 */
#ifndef ONTIME_HOLD_KEEP_H
#define ONTIME_HOLD_KEEP_H

#include <sys/types.h>

#define EXIT_SUPERVISED 4 /* of a supervisor: the instance has one, so neither it nor its holder is needed */
/* Its pid, for the supervisor that it starts. 0: the supervisor has no holder yet, and is to start one. */
#define HOLDER_VARIABLE "ONTIME_HOLDER"

/*
 * keep - what is handed on (LISTEN_FDS), for the supervisor that `command` starts. supervisor: the pid of the one that
 * runs and has started this process, or 0. Returns the exit status.
 */
int keep(char **command, pid_t supervisor);

#endif
