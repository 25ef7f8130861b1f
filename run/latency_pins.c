/* latency_pins.c - the directory in the bpffs, and one line for each way it cannot be. */
#include "latency_pins.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"

#define BPFFS "/sys/fs/bpf"
#define KERNEL_TYPES "/sys/kernel/btf/vmlinux"
#define LOCKDOWN "/sys/kernel/security/lockdown"

const char *pins_path(const char *instance, const char *name, char path[PIN_BYTES])
{
	snprintf(path, PIN_BYTES, "%s/%s%s%s", PINS_ROOT, instance, *name ? "/" : "", name);
	return path;
}

int pins_open(const char *instance, const char *name)
{
	char path[PIN_BYTES];
	int fd = bpf_obj_get(pins_path(instance, name, path));

	return fd < 0 ? -errno : fd;
}

/* A pinned map whose values have that many bytes: a descriptor, or -errno; -EPROTO: they have not. */
static int open_map(const char *instance, const char *name, size_t value_bytes)
{
	struct bpf_map_info info = { 0 };
	uint32_t info_bytes = sizeof(info);
	int fd = pins_open(instance, name), err = 0;

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

int pins_read(const char *instance, const char *name, uint32_t key, void *value, size_t bytes)
{
	int fd = open_map(instance, name, bytes), err = 0;

	if (fd < 0)
		return fd;
	if (bpf_map_lookup_elem(fd, &key, value) < 0)
		err = -errno;
	close(fd);
	return err;
}

int pins_write(const char *instance, const char *name, uint32_t key, const void *value, size_t bytes)
{
	int fd = open_map(instance, name, bytes), err = 0;

	if (fd < 0)
		return fd;
	if (bpf_map_update_elem(fd, &key, value, BPF_ANY) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int make_directory(const char *path)
{
	if (mkdir(path, 0755) == 0 || errno == EEXIST)
		return 0;
	if (errno == EACCES || errno == EPERM)
		log_error("mkdir %s: %s; let root make it yours: install -d -o %u %s", path, strerror(errno), getuid(),
			  PINS_ROOT);
	else
		log_error("mkdir %s: %s", path, strerror(errno));
	return -1;
}

int pins_make(const char *instance)
{
	char path[PIN_BYTES];

	return make_directory(PINS_ROOT) || make_directory(pins_path(instance, "", path)) ||
			       make_directory(pins_path(instance, "parts", path))
		       ? -1
		       : 0;
}

static int remove_files(const char *path)
{
	char file[PIN_BYTES + 256];
	DIR *dir = opendir(path);
	int n = 0;

	if (!dir)
		return -errno;
	for (struct dirent *e = readdir(dir); e && n >= 0; e = readdir(dir)) {
		if (e->d_type == DT_DIR)
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, e->d_name);
		n = unlink(file) < 0 ? -errno : n + 1;
	}
	closedir(dir);
	return n;
}

int pins_remove(const char *instance)
{
	char parts[PIN_BYTES], top[PIN_BYTES];
	int below = remove_files(pins_path(instance, "parts", parts)), n = remove_files(pins_path(instance, "", top));

	if (n == -ENOENT)
		return 0;
	if (n < 0 || (below < 0 && below != -ENOENT))
		return n < 0 ? n : below;
	rmdir(parts);
	if (rmdir(top) < 0)
		return -errno;
	rmdir(PINS_ROOT); /* unless another instance is in it */
	return n + (below > 0 ? below : 0);
}

int pins_each(const char *instance, const char *prefix, void (*visit)(void *arg, const char *name), void *arg)
{
	char path[PIN_BYTES];
	DIR *dir = opendir(pins_path(instance, "parts", path));
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
		log_error("histograms need %s, which this process has not: run build/latency as root, or once: "
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
	if (statfs(BPFFS, &fs) < 0 || fs.f_type != BPF_FS_MAGIC) {
		log_error("histograms are kept in the bpffs, which is not mounted at %s: mount -t bpf bpf %s", BPFFS,
			  BPFFS);
		return 1;
	}
	return 0;
}

static int is_locked_down(void)
{
	char text[64] = "";
	FILE *f = fopen(LOCKDOWN, "r");

	if (!f)
		return 0;
	if (!fgets(text, sizeof(text), f))
		text[0] = 0;
	fclose(f);
	return strstr(text, "[confidentiality]") != NULL;
}

void pins_explain(const char *tried, int err)
{
	if ((err == EPERM || err == EACCES) && is_locked_down())
		log_error("%s: %s: the kernel is locked down (confidentiality), so that BPF may not read memory: boot "
			  "with "
			  "lockdown=integrity or without",
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
