/* pins.c - the directory in the bpffs, and one line for each way it cannot be. */
#include "pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"

#define KERNEL_TYPES "/sys/kernel/btf/vmlinux"
#define LOCKDOWN "/sys/kernel/security/lockdown"

/* What is there instead of a directory of ours, in one line. `at` and name: where; path: the same for people. */
static int refuse(int at, const char *name, const char *path, const char *what, char why[WHY_BYTES])
{
	struct stat st = { .st_uid = 0 };

	fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW);
	snprintf(why, WHY_BYTES, "%s is %s (made by user %u): nothing in it is touched; if nobody needs it, rm -r %s",
		 path, what, st.st_uid, path);
	return -EPERM;
}

static int not_entered(int at, const char *name, const char *path, int err, char why[WHY_BYTES])
{
	if (err == ENOENT)
		return -ENOENT;
	if (err == ENOTDIR || err == ELOOP)
		return refuse(at, name, path, "not a directory", why);
	snprintf(why, WHY_BYTES, "open %s: %s%s", path, strerror(err),
		 err == EACCES ? "; let root open the way: chmod go+x " PINS_BPFFS : "");
	return err == EACCES && geteuid() != 0 ? -EACCES : -EPERM;
}

/*
 * A directory of this user's alone, on a bpffs; the one that all instances share may be root's. Its descriptor,
 * -ENOENT, or as pins_enter().
 */
static int enter(int at, const char *name, const char *path, char why[WHY_BYTES])
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), err = 0;
	struct stat st = { .st_uid = geteuid() };
	struct statfs fs;

	if (fd < 0)
		return not_entered(at, name, path, errno, why);
	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0)
		err = not_entered(at, name, path, errno, why);
	else if (fs.f_type != BPF_FS_MAGIC)
		err = refuse(at, name, path, "not on the bpffs", why);
	else if (st.st_uid != geteuid() && !(st.st_uid == 0 && strcmp(path, PINS_ROOT) == 0))
		err = refuse(at, name, path, "another user's", why);
	else if (st.st_mode & (S_IWGRP | S_IWOTH))
		err = refuse(at, name, path, "writable by others", why);
	if (!err)
		return fd;
	close(fd);
	return err == -EPERM && geteuid() != 0 && st.st_uid != geteuid() ? -EACCES : err;
}

/*
 * The root of the bpffs, which may be anybody's: only what is in it is looked at. Is nothing mounted there, nothing is
 * pinned.
 */
static int enter_root(char why[WHY_BYTES])
{
	int fd = open(PINS_BPFFS, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0)
		return not_entered(AT_FDCWD, PINS_BPFFS, PINS_BPFFS, errno, why);
	if (fstatfs(fd, &fs) == 0 && fs.f_type == BPF_FS_MAGIC)
		return fd;
	close(fd);
	return -ENOENT;
}

static void paths_of(const char *instance, char top[PIN_BYTES], char parts[PIN_BYTES])
{
	snprintf(top, PIN_BYTES, "%s/%s", PINS_ROOT, instance);
	snprintf(parts, PIN_BYTES, "%s/%s/parts", PINS_ROOT, instance);
}

int pins_enter(struct pins *p, const char *instance, char why[WHY_BYTES])
{
	int root = enter_root(why), ontime = -ENOENT, err;
	char top[PIN_BYTES], parts[PIN_BYTES];

	*p = (struct pins){ .instance = instance, .top = -1, .parts = -1 };
	paths_of(instance, top, parts);
	err = root;
	if (root >= 0)
		err = ontime = enter(root, "ontime", PINS_ROOT, why);
	if (ontime >= 0)
		err = p->top = enter(ontime, instance, top, why);
	if (p->top >= 0)
		err = p->parts = enter(p->top, "parts", parts, why);
	if (root >= 0)
		close(root);
	if (ontime >= 0)
		close(ontime);
	return err >= 0 || err == -ENOENT ? 0 : err;
}

int pins_bpffs(void)
{
	char why[WHY_BYTES];

	return enter_root(why);
}

void pins_leave(struct pins *p)
{
	if (p->top >= 0)
		close(p->top);
	if (p->parts >= 0)
		close(p->parts);
	p->top = p->parts = -1;
}

/* The directory that a pin is in, and its name there. */
static int directory_of(const struct pins *p, const char **name)
{
	if (strncmp(*name, "parts/", 6) != 0)
		return p->top;
	*name += 6;
	return p->parts;
}

const char *pins_path(const struct pins *p, const char *name, char path[PIN_BYTES])
{
	int at = directory_of(p, &name);

	snprintf(path, PIN_BYTES, "/proc/self/fd/%d/%s", at, name);
	return path;
}

int pins_has(const struct pins *p, const char *name)
{
	int at = directory_of(p, &name);
	struct stat st;

	return fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int pins_unlink(const struct pins *p, const char *name)
{
	int at = directory_of(p, &name);

	return unlinkat(at, name, 0) < 0 ? -errno : 0;
}

int pins_open(const struct pins *p, const char *name)
{
	char path[PIN_BYTES];
	int fd = bpf_obj_get(pins_path(p, name, path));

	return fd < 0 ? -errno : fd;
}

/* A pinned map whose values have that many bytes: a descriptor, or -errno; -EPROTO: they have not. */
static int open_map(const struct pins *p, const char *name, size_t value_bytes)
{
	struct bpf_map_info info = { 0 };
	uint32_t info_bytes = sizeof(info);
	int fd = pins_open(p, name), err = 0;

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &info_bytes) < 0)
		err = -errno;
	else if (info.value_size != value_bytes)
		err = -EPROTO;
	if (!err)
		return fd;
	close(fd);
	return err;
}

int pins_read(const struct pins *p, const char *name, uint32_t key, void *value, size_t bytes)
{
	int fd = open_map(p, name, bytes), err = 0;

	if (fd < 0)
		return fd;
	if (bpf_map_lookup_elem(fd, &key, value) < 0)
		err = -errno;
	close(fd);
	return err;
}

int pins_write(const struct pins *p, const char *name, uint32_t key, const void *value, size_t bytes)
{
	int fd = open_map(p, name, bytes), err = 0;

	if (fd < 0)
		return fd;
	if (bpf_map_update_elem(fd, &key, value, BPF_ANY) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Make it if it is not there; enter it. */
static int make_and_enter(int at, const char *name, const char *path, char why[WHY_BYTES])
{
	if (mkdirat(at, name, 0700) == 0 || errno == EEXIST)
		return enter(at, name, path, why);
	if (errno == EACCES || errno == EPERM)
		snprintf(why, WHY_BYTES, "mkdir %s: %s; let root make it yours: chmod go+x %s; install -d -o %u %s",
			 path, strerror(errno), PINS_BPFFS, getuid(), PINS_ROOT);
	else
		snprintf(why, WHY_BYTES, "mkdir %s: %s", path, strerror(errno));
	return -EPERM;
}

int pins_make(struct pins *p)
{
	char top[PIN_BYTES], parts[PIN_BYTES], why[WHY_BYTES] = "the bpffs is gone";
	int root = enter_root(why), ontime = -1;

	pins_leave(p);
	paths_of(p->instance, top, parts);
	if (root >= 0)
		ontime = make_and_enter(root, "ontime", PINS_ROOT, why);
	if (ontime >= 0)
		p->top = make_and_enter(ontime, p->instance, top, why);
	if (p->top >= 0)
		p->parts = make_and_enter(p->top, "parts", parts, why);
	if (root >= 0)
		close(root);
	if (ontime >= 0)
		close(ontime);
	if (p->parts >= 0)
		return 0;
	log_error("%s", why);
	return -1;
}

/* What directory lists; NULL: none. The descriptor stays the caller's. */
static DIR *list(int directory)
{
	int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (fd >= 0 && !dir)
		close(fd);
	return dir;
}

static int remove_files(int directory)
{
	DIR *dir = list(directory);
	int n = 0;

	if (!dir)
		return directory < 0 ? 0 : -errno;
	for (struct dirent *e = readdir(dir); e && n >= 0; e = readdir(dir))
		if (e->d_type != DT_DIR)
			n = unlinkat(directory, e->d_name, 0) < 0 ? -errno : n + 1;
	closedir(dir);
	return n;
}

/* The directory itself, which stays where root has made it, and the one all instances share unless another is in it. */
static int remove_top(const struct pins *p)
{
	char why[WHY_BYTES];
	int root = enter_root(why), ontime = root < 0 ? root : enter(root, "ontime", PINS_ROOT, why);
	int err = ontime < 0 || unlinkat(ontime, p->instance, AT_REMOVEDIR) == 0 || errno == EACCES ? 0 : -errno;

	if (ontime >= 0) {
		close(ontime);
		unlinkat(root, "ontime", AT_REMOVEDIR);
	}
	if (root >= 0)
		close(root);
	return err;
}

int pins_remove(struct pins *p)
{
	int below = remove_files(p->parts), n = remove_files(p->top), err;

	if (below < 0 || n < 0 || p->top < 0) {
		pins_leave(p);
		return below < 0 ? below : n;
	}
	if (p->parts >= 0)
		unlinkat(p->top, "parts", AT_REMOVEDIR);
	err = remove_top(p);
	pins_leave(p);
	return err ? err : n + below;
}

int pins_each(const struct pins *p, const char *prefix, void (*visit)(void *arg, const char *name), void *arg)
{
	DIR *dir = list(p->parts);
	int n = 0;

	if (!dir)
		return 0;
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		if (strncmp(e->d_name, prefix, strlen(prefix)) != 0)
			continue;
		visit(arg, e->d_name);
		n++;
	}
	closedir(dir);
	return n;
}

static int has_capability(uint32_t number)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	return syscall(SYS_capget, &header, data) == 0 && (data[number / 32].effective >> number % 32 & 1);
}

static const char *missing_capabilities(void)
{
	int bpf = has_capability(CAP_BPF), perfmon = has_capability(CAP_PERFMON);

	if (has_capability(CAP_SYS_ADMIN) || (bpf && perfmon))
		return NULL;
	return bpf ? "CAP_PERFMON" : perfmon ? "CAP_BPF" : "CAP_BPF and CAP_PERFMON";
}

int pins_why_not(void)
{
	const char *missing = missing_capabilities();
	struct statfs fs;

	if (missing) {
		log_error("histograms need %s, which this process has not: sudo build/latency attaches them, or once: "
			  "setcap cap_bpf,cap_perfmon+ep build/latency",
			  missing);
		return 1;
	}
	if (access(KERNEL_TYPES, R_OK) < 0) {
		log_error("histograms need the kernel's type information, and there is no %s: boot a kernel with "
			  "CONFIG_DEBUG_INFO_BTF=y, as Debian's own are",
			  KERNEL_TYPES);
		return 1;
	}
	if (statfs(PINS_BPFFS, &fs) < 0 || fs.f_type != BPF_FS_MAGIC) {
		log_error("histograms are kept in the bpffs, which is not mounted at %s: mount -t bpf bpf %s",
			  PINS_BPFFS, PINS_BPFFS);
		return 1;
	}
	return 0;
}

static int is_locked_down(void)
{
	char text[64] = "";
	FILE *f = fopen(LOCKDOWN, "re");

	if (f && !fgets(text, sizeof(text), f))
		text[0] = 0;
	if (f)
		fclose(f);
	return strstr(text, "[confidentiality]") != NULL;
}

void pins_explain_event(const char *tried, int err)
{
	if ((err == EPERM || err == EACCES) && !has_capability(CAP_SYS_ADMIN))
		log_error("%s: %s: before Linux 6.6 that takes CAP_SYS_ADMIN too: run build/latency as root", tried,
			  strerror(err));
	else
		pins_explain(tried, err);
}

void pins_explain(const char *tried, int err)
{
	if ((err == EPERM || err == EACCES) && is_locked_down())
		log_error("%s: %s: the kernel is locked down (confidentiality), so that BPF may not read memory: boot "
			  "with lockdown=integrity or without",
			  tried, strerror(err));
	else if (err == EPERM || err == EACCES)
		log_error(
			"%s: %s, though this process has the capabilities: a container, a seccomp filter or a security "
			"module forbids bpf(2) and perf_event_open(2); run build/latency outside of it",
			tried, strerror(err));
	else if (err == ENOSYS)
		log_error("%s: this kernel has no BPF: it needs CONFIG_BPF_SYSCALL=y", tried);
	else
		log_error("%s: %s; --verbose says more", tried, strerror(err));
}
