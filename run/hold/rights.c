/* rights.c - what this process may do to sockets, and what its successors need not. */
#include "rights.h"

#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cage/cage.h"
#include "cage/capabilities.h"
#include "config/ids.h"
#include "log.h"

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

void rights_keep_from_rising(void)
{
	const char *build = getenv("ONTIME_BUILD");
	char path[PATH_BYTES + 16];

	snprintf(path, sizeof(path), "%s/latency", build ? build : ".");
	if (getxattr(path, "security.capability", NULL, 0) <= 0)
		cage_no_new_privileges();
}

/*
 * What neither a holder, a supervisor, a stage nor anything that they start calls. Not here: what hands descriptors on
 * (pidfd_getfd), and what shuts a stage in.
 */
static const char forbidden[] =
	"ptrace process_vm_readv process_vm_writev process_madvise kcmp kexec_load kexec_file_load reboot swapon "
	"swapoff init_module finit_module delete_module mount umount2 pivot_root chroot move_mount open_tree fsopen "
	"fsconfig fsmount fspick mount_setattr setns unshare keyctl add_key request_key userfaultfd acct quotactl "
	"quotactl_fd nfsservctl uselib ustat sysfs _sysctl lookup_dcookie vhangup iopl ioperm modify_ldt settimeofday "
	"clock_settime clock_adjtime adjtimex sethostname setdomainname syslog name_to_handle_at open_by_handle_at "
	"fanotify_init fanotify_mark io_uring_setup io_uring_enter io_uring_register move_pages migrate_pages "
	"memfd_secret vmsplice mknod mknodat";
static const char of_histograms[] = "bpf perf_event_open"; /* which root's supervisor attaches again (latency) */

void rights_forbid(const struct config *c)
{
	char names[sizeof(forbidden) + sizeof(of_histograms)];
	int err;

	if (!c->cage)
		return;
	rights_keep_from_rising();
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1 || prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0)
		return; /* latency rises by its file; or somebody, as a unit, has a filter in force */
	snprintf(names, sizeof(names), "%s %s", forbidden, geteuid() == 0 ? "" : of_histograms);
	err = cage_forbid(names, c->plugin_calls);
	if (err)
		log_warn("holder and supervisor may make all system calls: seccomp: %s", log_text_of(-err));
}

/* The histograms are attached again by latency, which an earlier kernel asks for more (run/latency/owner.c). */
static uint64_t for_latency(void)
{
	struct utsname is;
	int major = 0, minor = 0;

	if (uname(&is) == 0 && sscanf(is.release, "%d.%d", &major, &minor) == 2 &&
	    (major > 6 || (major == 6 && minor >= 6)))
		return CAPABILITY(CAP_BPF) | CAPABILITY(CAP_PERFMON);
	return CAPABILITY(CAP_BPF) | CAPABILITY(CAP_PERFMON) | CAPABILITY(CAP_SYS_ADMIN);
}

/* What holder and supervisor of root need, and what they start: see stage/run.h for the stages. */
static void keep_of_root(void)
{
	capabilities_keep(CAPABILITY(CAP_NET_BIND_SERVICE) | CAPABILITY(CAP_NET_RAW) | CAPABILITY(CAP_SYS_NICE) |
			  CAPABILITY(CAP_SYS_RESOURCE) | CAPABILITY(CAP_IPC_LOCK) | CAPABILITY(CAP_DAC_READ_SEARCH) |
			  CAPABILITY(CAP_SETPCAP) | for_latency());
}

/* Of a program with capabilities of its own the kernel lets nobody look at; now others may. */
void rights_drop(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	rights_end_with_this();
	if (geteuid() == 0)
		keep_of_root();
	if (geteuid() == 0 || syscall(SYS_capget, &header, data) < 0 ||
	    !(data[0].permitted & (CAP_TO_MASK(CAP_NET_ADMIN) | CAP_TO_MASK(CAP_NET_RAW))))
		return;
	forget(&data[0], CAP_NET_ADMIN);
	forget(&data[0], CAP_NET_RAW);
	syscall(SYS_capset, &header, data);
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}
