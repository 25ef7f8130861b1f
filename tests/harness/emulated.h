/* emulated.h - whether an emulator of another processor runs this, which does not pass on all that a kernel says. */
#ifndef ONTIME_TESTS_EMULATED_H
#define ONTIME_TESTS_EMULATED_H

#include <errno.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* is_emulated - qemu-user has no filters of system calls, which each kernel that ontime is for has. */
static inline int is_emulated(void)
{
	uint32_t action = SECCOMP_RET_TRAP;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0 && errno == ENOSYS;
}

#endif
