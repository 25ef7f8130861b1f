/* calls.c - the system calls that a dashboard makes once it serves: the table of its cage. */
#include <fcntl.h>
#include <sys/mman.h>

#include "shut.h"

#define NOT_TO_READ (O_ACCMODE | O_CREAT | O_TRUNC)

static const struct call rows[] = {
	/* clients */
	CALL(accept4),
	CALL(recvfrom),
	CALL(recvmsg),
	CALL(sendto),
	CALL(sendmsg),
	CALL(shutdown),
	CALL(setsockopt),
	CALL(getsockopt),
	CALL(getsockname),
	CALL(getpeername),
	/* sleep, and the library's wake-up of itself */
	CALL(ppoll),
	CALL(epoll_ctl),
	CALL(epoll_pwait),
	CALL(read),
	CALL(write),
	CALL(writev),
	CALL(eventfd2),
	CALL(futex),
	CALL(restart_syscall),
	/* a look: the segment, /proc, the pinned report; to read */
	CALL_IF(openat, 3, NOT_TO_READ, 0),
	CALL(close),
	CALL(fcntl),
	CALL(lseek),
	CALL(pread64),
	CALL(fstat),
	CALL(newfstatat),
	CALL(statx),
	CALL(readlinkat),
	CALL(faccessat),
	CALL(faccessat2),
	CALL(getdents64),
	CALL(geteuid),
	CALL(getrusage),
	CALL(prlimit64),
	CALL(getpid),
	CALL(gettid),
	CALL(sysinfo),
	CALL(sched_getaffinity),
	CALL(uname),
	/* memory, none of it to execute */
	CALL_IF(mmap, 3, PROT_EXEC, 0),
	CALL_IF(mprotect, 3, PROT_EXEC, 0),
	CALL(munmap),
	CALL(mremap),
	CALL(brk),
	CALL(madvise),
	CALL(getrandom),
	/* clocks and signals, an end by one too */
	CALL(clock_gettime),
	CALL(gettimeofday),
	CALL(clock_nanosleep),
	CALL(rt_sigaction),
	CALL(rt_sigprocmask),
	CALL(rt_sigreturn),
	CALL(rt_sigtimedwait),
	CALL(sigaltstack),
	CALL(tgkill),
#ifdef __x86_64__ /* by which older C libraries make those above */
	CALL_IF(open, 2, NOT_TO_READ, 0),
	CALL(stat),
	CALL(lstat),
	CALL(access),
	CALL(readlink),
	CALL(poll),
	CALL(epoll_wait),
	CALL(time),
#endif
};

const struct calls dash_calls = CALLS(rows);
