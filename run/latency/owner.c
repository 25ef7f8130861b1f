/* owner.c - the directory in the bpffs is given to the owner of an instance, and so is this process. */
#include "owner.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "log.h"
#include "pins.h"

/* While it is empty it may change hands: removing it fails when it is not. */
static int give_directory(int bpffs, const struct stat *owner)
{
	struct stat st;

	if (fstatat(bpffs, "ontime", &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (st.st_uid == owner->st_uid)
			return 0;
		if (unlinkat(bpffs, "ontime", AT_REMOVEDIR) < 0)
			return 0; /* it is said where it is entered */
	}
	if (owner->st_uid == 0)
		return 0;
	if (mkdirat(bpffs, "ontime", 0700) < 0)
		return -errno;
	return fchownat(bpffs, "ontime", owner->st_uid, owner->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int open_way(int bpffs)
{
	struct stat st;

	if (fstat(bpffs, &st) < 0)
		return -errno;
	if (st.st_mode & S_IXOTH)
		return 0;
	if (fchmodat(bpffs, ".", (st.st_mode & 07777) | S_IXOTH, 0) < 0)
		return -errno;
	log_info("opened the way into the bpffs for the owner of the instance: chmod o+x " PINS_BPFFS);
	return 0;
}

static int give(const struct stat *owner)
{
	int bpffs = pins_bpffs(), err;

	if (bpffs < 0)
		return 0; /* it is said where pins are made */
	err = give_directory(bpffs, owner);
	if (!err && owner->st_uid != 0)
		err = open_way(bpffs);
	close(bpffs);
	return err;
}

/* Without uprobe_multi links, which Linux has since 6.6, probes are attached for CAP_SYS_ADMIN only. */
static int has_multi(void)
{
	struct utsname is;
	int major = 0, minor = 0;

	return uname(&is) == 0 && sscanf(is.release, "%d.%d", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 6));
}

static int keep_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	const int wanted[] = { CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN };

	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]) - (size_t)has_multi(); i++) {
		data[CAP_TO_INDEX(wanted[i])].permitted |= CAP_TO_MASK(wanted[i]);
		data[CAP_TO_INDEX(wanted[i])].effective |= CAP_TO_MASK(wanted[i]);
	}
	return syscall(SYS_capset, &header, data) < 0 ? -errno : 0;
}

static int become(const struct stat *owner)
{
	if (prctl(PR_SET_KEEPCAPS, 1L, 0L, 0L, 0L) < 0 || setgroups(0, NULL) < 0 ||
	    setresgid(owner->st_gid, owner->st_gid, owner->st_gid) < 0 ||
	    setresuid(owner->st_uid, owner->st_uid, owner->st_uid) < 0)
		return -errno;
	return keep_capabilities();
}

int owner_become(const struct segment *seg)
{
	struct stat owner;
	int err;

	if (geteuid() != 0)
		return 0;
	err = fstat(seg->fd, &owner) < 0 ? -errno : give(&owner);
	if (!err && owner.st_uid != 0)
		err = become(&owner);
	if (!err)
		return 0;
	log_error("become user %u, whose segment %s is: %s", owner.st_uid, seg->name, strerror(-err));
	return -1;
}
