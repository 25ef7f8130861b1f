/* capabilities.c - what of root's power a process goes on with. */
#include "capabilities.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cage.h"

#define N_CAPABILITIES 64

static void keep_half(struct __user_cap_data_struct *half, uint32_t mask)
{
	half->permitted &= mask;
	half->effective &= mask;
	half->inheritable &= mask;
}

void capabilities_keep(uint64_t mask)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	if (geteuid() != 0 &&
	    (cage_is_foreign() || syscall(SYS_capget, &header, data) < 0 ||
	     !((data[0].permitted & ~(uint32_t)mask) | (data[1].permitted & ~(uint32_t)(mask >> 32)))))
		return;
	for (unsigned long c = 0; c < N_CAPABILITIES; c++) {
		if (mask >> c & 1)
			continue;
		/* refused to who may not say so (CAP_SETPCAP), and of a capability that this kernel does not know */
		prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
		prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, c, 0, 0);
	}
	if (syscall(SYS_capget, &header, data) < 0)
		return;
	keep_half(&data[0], (uint32_t)mask);
	keep_half(&data[1], (uint32_t)(mask >> 32));
	syscall(SYS_capset, &header, data);
}
