/* calls.c - the system calls that each stage makes once it runs: the table of the cage (run.h). */
#include <asm/ioctls.h>
#include <linux/sockios.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "run.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41 /* names of memory, by malloc(3) where it is asked for them */
#endif

static const struct call rows[] = {
	/* packets, sleep, rings */
	CALL(futex),
	CALL(read),
	CALL(write),
	CALL(nanosleep),
	CALL(clock_nanosleep),
	CALL(restart_syscall),
	/* clocks, where the vDSO cannot read them */
	CALL(clock_gettime),
	CALL(gettimeofday),
	CALL(getcpu),
	/* signals: the CPU timer, requests, and an end by one */
	CALL(rt_sigaction),
	CALL(rt_sigprocmask),
	CALL(rt_sigreturn),
	CALL(sigaltstack),
	CALL(tgkill),
	CALL(getpid),
	CALL(gettid),
	CALL(getppid),
	CALL(timer_settime),
	CALL(timer_delete),
	/* real time, given back and taken */
	CALL(sched_setattr),
	CALL(sched_getattr),
	CALL(sched_yield),
	/* memory, none of it to execute */
	CALL_IF(mmap, 3, PROT_EXEC, 0),
	CALL_IF(mprotect, 3, PROT_EXEC, 0),
	CALL(munmap),
	CALL(mremap),
	CALL(brk),
	CALL(madvise),
	CALL(getrandom),
	CALL_IF(prctl, 1, UINT32_MAX, PR_SET_VMA),
	/* descriptors that it has: the configuration, the log, /proc/self/schedstat */
	CALL(close),
	CALL(fcntl),
	CALL(lseek),
	CALL(pread64),
	CALL(fstat),
	CALL(newfstatat),
	CALL(writev),
	CALL(dup3),
	CALL(geteuid),
	/* a log that was moved away: a file of the run directory, and no other (Landlock) */
	CALL(openat2),
	/* sockets: asked, bound and connected again when addresses come and go */
	CALL_IF(socket, 1, UINT32_MAX, AF_INET),
	CALL_IF(socket, 1, UINT32_MAX, AF_INET6),
	CALL(getsockopt),
	CALL(setsockopt),
	CALL(getsockname),
	CALL(getpeername),
	CALL(bind),
	CALL(connect),
	CALL(recvmsg),
	CALL_IF(ioctl, 2, UINT32_MAX, SIOCGIFINDEX),
	/* of the C library: to sort, to count CPUs, and for a stream that may be a terminal */
	CALL(sysinfo),
	CALL(sched_getaffinity),
	CALL_IF(ioctl, 2, UINT32_MAX, TCGETS),
#ifdef __NR_dup2
	CALL(dup2),
	CALL(time),
#endif
#ifdef __x86_64__ /* what the kernel puts behind a probe point since Linux 6.11; it lets nobody else make them */
	{ .number = 335 },
	{ .number = 336 },
#endif
};

const struct calls stage_calls = CALLS(rows);

/* One that was started by hand reads its configuration by name at each reload. */
static const struct call by_name[] = { CALL(openat) };

const struct calls stage_calls_by_name = CALLS(by_name);
