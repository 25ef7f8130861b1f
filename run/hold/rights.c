/* rights.c - what this process may do to sockets, and what its successors need not. */
#include "rights.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static void forget(struct __user_cap_data_struct *data, int capability)
{
	uint32_t mask = ~CAP_TO_MASK((uint32_t)capability);

	data->permitted &= mask;
	data->effective &= mask;
	data->inheritable &= mask;
}

void rights_end_with_this(void)
{
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_NET_ADMIN, 0, 0);
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_NET_RAW, 0, 0);
}

/* Root keeps what it has. Of a program with capabilities of its own the kernel lets nobody look at; now others may. */
void rights_drop(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	rights_end_with_this();
	if (geteuid() == 0 || syscall(SYS_capget, &header, data) < 0 ||
	    !(data[0].permitted & (CAP_TO_MASK(CAP_NET_ADMIN) | CAP_TO_MASK(CAP_NET_RAW))))
		return;
	forget(&data[0], CAP_NET_ADMIN);
	forget(&data[0], CAP_NET_RAW);
	syscall(SYS_capset, &header, data);
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
