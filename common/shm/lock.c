/* lock.c - who is a stage, and who the supervisor, by the kernel's word. */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "clock.h"

#define LOCK_POLL_NS (200 * NS_PER_US)
#define FIRST_PID_LOCK 16 /* the byte of the first lock that tells its owner's pid: one per stage, then these three */
#define SUPERVISOR N_STAGES
#define HOLDER (N_STAGES + 1)
#define SCOUT (N_STAGES + 2)
#define SHARD_LOCKS 32 /* from the locks of one shard's stages to those of the next */

/* Supervisor and holder are the instance's, whichever shard the handle is of. */
static off_t pid_byte(const struct segment *seg, int who)
{
	return FIRST_PID_LOCK + who + (who < N_STAGES ? (off_t)seg->shard * SHARD_LOCKS : 0);
}

static off_t stage_byte(const struct segment *seg, enum stage_id id)
{
	return (off_t)id + (off_t)seg->shard * SHARD_LOCKS;
}

static struct flock lock_of(off_t byte)
{
	return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
}

/*
 * A lock that the kernel knows the holder's pid of. It would go with any other descriptor of the segment that the
 * holder closes: neither a stage nor the supervisor closes one while it runs.
 */
static int take_pid_lock(const struct segment *seg, int who)
{
	struct flock lock = lock_of(pid_byte(seg, who));

	return fcntl(seg->fd, F_SETLK, &lock) < 0 ? -errno : 0;
}

/* Of the holder as seen from here; 0: nobody, or nobody in this pid namespace. *held says which. */
static pid_t pid_lock_owner(const struct segment *seg, int who, int *held)
{
	struct flock lock = lock_of(pid_byte(seg, who));

	*held = fcntl(seg->fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	return *held && lock.l_pid > 0 ? lock.l_pid : 0;
}

/*
 * The first lock is what counts: it ends when the last system call of its holder is over. The second only tells the
 * pid.
 */
static int try_lock_stage(const struct segment *seg, enum stage_id id)
{
	struct flock lock = lock_of(stage_byte(seg, id));
	int err = fcntl(seg->fd, F_OFD_SETLK, &lock) < 0 ? -errno : 0;

	return err ? err : take_pid_lock(seg, (int)id);
}

int segment_lock_stage(const struct segment *seg, enum stage_id id, uint64_t timeout_ns)
{
	uint64_t until_ns = now_ns() + timeout_ns;
	struct timespec pause = { .tv_nsec = LOCK_POLL_NS };
	int err;

	while ((err = try_lock_stage(seg, id)) < 0) {
		if (err != -EAGAIN && err != -EACCES && err != -EINTR)
			return err;
		if (now_ns() >= until_ns)
			return -EBUSY;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int lock_alone(const struct segment *seg, int who)
{
	int err = take_pid_lock(seg, who);

	return err == -EAGAIN || err == -EACCES ? -EBUSY : err;
}

int segment_lock_supervisor(const struct segment *seg)
{
	return lock_alone(seg, SUPERVISOR);
}

int segment_lock_holder(const struct segment *seg)
{
	return lock_alone(seg, HOLDER);
}

int segment_lock_scout(const struct segment *seg)
{
	return lock_alone(seg, SCOUT);
}

pid_t segment_stage_pid(const struct segment *seg, enum stage_id id)
{
	int held;

	return segment_stage_is_alive(seg, id) ? pid_lock_owner(seg, (int)id, &held) : 0;
}

pid_t segment_supervisor_pid(const struct segment *seg)
{
	int held;

	return pid_lock_owner(seg, SUPERVISOR, &held);
}

pid_t segment_holder_pid(const struct segment *seg)
{
	int held;

	return pid_lock_owner(seg, HOLDER, &held);
}

pid_t segment_scout_pid(const struct segment *seg)
{
	int held;

	return pid_lock_owner(seg, SCOUT, &held);
}

int segment_is_supervised(const struct segment *seg)
{
	int held;

	pid_lock_owner(seg, SUPERVISOR, &held);
	return held;
}

int segment_is_held(const struct segment *seg)
{
	int held;

	pid_lock_owner(seg, HOLDER, &held);
	return held;
}

int segment_stage_is_alive(const struct segment *seg, enum stage_id id)
{
	struct flock lock = lock_of(stage_byte(seg, id));

	return fcntl(seg->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

const char *segment_stage_state(const struct segment *seg, enum stage_id id)
{
	static const char *const names[] = { "absent", "starting", "ready", "stopped" };
	uint32_t state =
		atomic_load_explicit(&seg->shared->stages[id].state, memory_order_relaxed); /* relaxed: to show */

	if (state > STATE_STOPPED)
		return "unknown";
	if ((state == STATE_STARTING || state == STATE_READY) && !segment_stage_is_alive(seg, id))
		return "dead";
	return names[state];
}
