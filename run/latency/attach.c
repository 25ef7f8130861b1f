/* attach.c - find the probe points, link them. */
#include "attach.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libgen.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "pins.h"
#include "log.h"
#include "shm/lock.h"

#define UPROBE_TYPE "/sys/bus/event_source/devices/uprobe/type"
#define SEMAPHORE_SHIFT 32 /* format/ref_ctr_offset of that device: config:32-63 */

static int as_before;

void attach_as_before(void)
{
	as_before = 1;
}

struct site {
	uint64_t offset, semaphore_offset; /* in the file */
};

/*
 * Linux 6.18 turns a nop of 5 bytes into a call; before, one of 1 byte is emulated, and any other instruction
 * single-stepped.
 */
static int uses_nop5(void)
{
	struct utsname u;
	int major = 0, minor = 0;

	if (as_before || uname(&u) < 0 || sscanf(u.release, "%d.%d", &major, &minor) != 2)
		return 0;
	return strcmp(u.machine, "x86_64") != 0 || major > 6 || (major == 6 && minor >= 18);
}

static int file_offset(Elf *elf, uint64_t address, uint64_t *offset)
{
	size_t n = 0;
	GElf_Phdr p;

	elf_getphdrnum(elf, &n);
	for (size_t i = 0; i < n; i++) {
		if (!gelf_getphdr(elf, (int)i, &p) || p.p_type != PT_LOAD || address < p.p_vaddr ||
		    address - p.p_vaddr >= p.p_filesz)
			continue;
		*offset = address - p.p_vaddr + p.p_offset;
		return 0;
	}
	return -ENOENT;
}

/* From the dynamic symbols: those are what strip leaves. */
static int find_symbol(Elf *elf, const char *name, uint64_t *offset)
{
	Elf_Scn *section = NULL;
	GElf_Shdr header;
	GElf_Sym symbol;

	while ((section = elf_nextscn(elf, section)) != NULL) {
		Elf_Data *data;

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_DYNSYM || header.sh_entsize == 0)
			continue;
		data = elf_getdata(section, NULL);
		for (size_t i = 0; data && i < header.sh_size / header.sh_entsize; i++) {
			const char *is;

			if (!gelf_getsym(data, (int)i, &symbol) || symbol.st_shndx == SHN_UNDEF)
				continue;
			is = elf_strptr(elf, header.sh_link, symbol.st_name);
			if (is && strcmp(is, name) == 0)
				return file_offset(elf, symbol.st_value, offset);
		}
	}
	return -ENOENT;
}

static int find_site(int fd, struct site *site)
{
	const char *entry = uses_nop5() ? "probe_batch" : "probe_batch_nop1";
	int err = -ENOENT;
	Elf *elf;

	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (elf)
		err = find_symbol(elf, entry, &site->offset) ||
				      find_symbol(elf, "probe_watchers", &site->semaphore_offset)
			      ? -ENOENT
			      : 0;
	elf_end(elf);
	if (!uses_nop5())
		site->semaphore_offset += sizeof(uint16_t); /* the twin's counter is the second one */
	return err;
}

static int add_binary(struct binary *binaries, int n, const char *path, int is_running)
{
	struct binary *b = &binaries[n];
	struct stat st;

	b->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (b->fd < 0)
		return n;
	if (fstat(b->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(b->fd);
		return n;
	}
	b->device = st.st_dev;
	b->inode = st.st_ino;
	b->is_running = is_running;
	for (int i = 0; i < n; i++)
		if (binaries[i].device == b->device && binaries[i].inode == b->inode) {
			binaries[i].is_running |= is_running;
			close(b->fd);
			return n;
		}
	return n + 1;
}

int binaries_find(const struct segment *seg, enum stage_id id, struct binary binaries[MOST_BINARIES])
{
	char path[PATH_BYTES + 16], link[PATH_BYTES] = "", self[PATH_BYTES] = "";
	pid_t pid = segment_stage_pid(seg, id); /* 0: a stage that is being replaced is found by its file */
	int n = 0;

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) > 0) {
		snprintf(path, sizeof(path), "%s/%s", dirname(self), stage_name(id));
		n = add_binary(binaries, n, path, 0);
	}
	if (pid == 0)
		return n;
	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	if (readlink(path, link, sizeof(link) - 1) > 0) {
		char *deleted = strstr(link, " (deleted)");

		if (deleted)
			*deleted = 0;
		n = add_binary(binaries, n, link, 0);
	}
	return add_binary(binaries, n, path, 1);
}

void binaries_close(struct binary *binaries, int n)
{
	while (n-- > 0)
		close(binaries[n].fd);
}

const char *attach_name(enum stage_id id, const struct binary *b, char name[64])
{
	snprintf(name, 64, "link-%s-%llx-%llu", stage_name(id), (unsigned long long)b->device,
		 (unsigned long long)b->inode);
	return name;
}

/* The part of union bpf_attr that BPF_LINK_CREATE takes for uprobe_multi. */
struct multi_link {
	uint32_t program_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, semaphore_offsets, cookies;
	uint32_t n, multi_flags, pid, spare;
};

static int link_multi(int program_fd, const char *path, const struct site *site)
{
	struct multi_link l = {
		.program_fd = (uint32_t)program_fd,
		.attach_type = ATTACH_UPROBE_MULTI,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)&site->offset,
		.semaphore_offsets = (uintptr_t)&site->semaphore_offset,
		.n = 1,
	};
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &l, sizeof(l));

	return fd < 0 ? -errno : fd;
}

static int link_event(int program_fd, const char *path, const struct site *site)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.config = site->semaphore_offset << SEMAPHORE_SHIFT,
		.uprobe_path = (uintptr_t)path,
		.probe_offset = site->offset,
	};
	FILE *f = fopen(UPROBE_TYPE, "r");
	int event, fd;

	if (!f || fscanf(f, "%u", &attr.type) != 1) {
		if (f)
			fclose(f);
		return -ENOSYS;
	}
	fclose(f);
	event = (int)syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	if (event < 0)
		return -errno;
	fd = bpf_link_create(program_fd, event, BPF_PERF_EVENT, NULL);
	fd = fd < 0 ? -errno : fd;
	close(event); /* the link holds it */
	return fd;
}

/* Link one binary and pin the link. */
static int attach_binary(const struct pins *p, enum stage_id id, const struct binary *b, int program_fd)
{
	char path[64], name[64], part[80], pin[PIN_BYTES], tried[128];
	struct site site;
	int fd, err, by_event;

	if (find_site(b->fd, &site)) {
		log_error(
			"%s has no probe points: it was built with NO_PROBES=1, or not linked with -rdynamic and then "
			"stripped; build it again",
			stage_name(id));
		return -1;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", b->fd);
	fd = as_before ? -EOPNOTSUPP : link_multi(program_fd, path, &site);
	by_event = fd == -EINVAL || fd == -EOPNOTSUPP;
	if (by_event) {
		fd = link_event(program_fd, path, &site);
		if (fd == -EINVAL)
			return -ENOTSUP;
	}
	snprintf(tried, sizeof(tried), "attach to %s", stage_name(id));
	if (fd < 0) {
		(by_event ? pins_explain_event : pins_explain)(tried, -fd);
		return -1;
	}
	snprintf(part, sizeof(part), "parts/%s", attach_name(id, b, name));
	err = bpf_obj_pin(fd, pins_path(p, part, pin)) < 0 ? errno : 0;
	close(fd);
	if (err)
		log_error("pin %s/%s/%s: %s", PINS_ROOT, p->instance, part, strerror(err));
	return err ? -1 : 0;
}

struct old_links {
	const struct pins *pins;
	enum stage_id id;
	const struct binary *binaries;
	int n;
};

static void remove_old_link(void *arg, const char *name)
{
	const struct old_links *o = arg;
	char wanted[64], part[300];

	for (int i = 0; i < o->n; i++)
		if (strcmp(name, attach_name(o->id, &o->binaries[i], wanted)) == 0)
			return;
	snprintf(part, sizeof(part), "parts/%s", name);
	pins_unlink(o->pins, part);
}

int attach_stage(const struct pins *p, const struct segment *seg, enum stage_id id, int *n_new)
{
	char name[64], part[80];
	struct binary binaries[MOST_BINARIES];
	struct old_links old = { .pins = p, .id = id, .binaries = binaries };
	int n = binaries_find(seg, id, binaries), program_fd, err = 0;

	snprintf(part, sizeof(part), "parts/program-%s", stage_name(id));
	program_fd = pins_open(p, part);
	if (program_fd < 0) {
		log_error("open %s/%s/%s: %s", PINS_ROOT, p->instance, part, strerror(-program_fd));
		binaries_close(binaries, n);
		return -1;
	}
	for (int i = 0; i < n && !err; i++) {
		snprintf(part, sizeof(part), "parts/%s", attach_name(id, &binaries[i], name));
		if (pins_has(p, part))
			continue;
		err = attach_binary(p, id, &binaries[i], program_fd);
		*n_new += err == 0;
	}
	old.n = n;
	snprintf(name, sizeof(name), "link-%s-", stage_name(id));
	if (!err)
		pins_each(p, name, remove_old_link, &old);
	binaries_close(binaries, n);
	close(program_fd);
	return err;
}
