/* scheduling.c - the policy, the nice value and the slice of this process. */
#include "scheduling.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

struct attributes {
	uint32_t bytes, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t slice_ns, deadline_ns, period_ns;
};

int scheduling_set(uint32_t policy, int nice_value, int priority, uint64_t slice_ns)
{
	struct attributes a = {
		.bytes = sizeof(a),
		.policy = policy,
		.flags = 1, /* SCHED_FLAG_RESET_ON_FORK */
		.nice = nice_value,
		.priority = (uint32_t)priority,
		.slice_ns = slice_ns,
	};

	return syscall(SYS_sched_setattr, getpid(), &a, 0) < 0 ? -errno : 0;
}

int scheduling_has_slice(uint64_t slice_ns)
{
	struct attributes a = { .bytes = sizeof(a) };

	return syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) == 0 && a.slice_ns == slice_ns;
}

static int raise_limit(__rlimit_resource_t which, rlim_t least)
{
	struct rlimit limit;

	if (getrlimit(which, &limit) < 0)
		return -errno;
	if (limit.rlim_cur >= least)
		return 0;
	limit.rlim_cur = least;
	if (limit.rlim_max < least)
		limit.rlim_max = least;
	return setrlimit(which, &limit) < 0 ? -errno : 0;
}

int scheduling_raise_limits(int priority, int nice_value)
{
	int err = raise_limit(RLIMIT_RTPRIO, (rlim_t)priority);

	return err ? err : raise_limit(RLIMIT_NICE, (rlim_t)(20 - nice_value)); /* as getrlimit(2) counts it */
}
