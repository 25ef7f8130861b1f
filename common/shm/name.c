/* name.c - the segment by its name, and whose it is. */
#include "name.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "find.h"
#include "instances.h"
#include "log.h"

#define SHM "/dev/shm"

void segment_name(const char *instance, char name[SEGMENT_NAME_BYTES])
{
	snprintf(name, SEGMENT_NAME_BYTES, "/ontime.%s.v%d", instance, LAYOUT_VERSION);
}

const char name_another_user[] = "it belongs to another user";

void name_explain_refusal(const char *name, const char *wrong, uid_t owner, char why[WHY_BYTES])
{
	char how[32] = "sudo";

	if (owner)
		snprintf(how, sizeof(how), "sudo -u '#%u'", owner);
	snprintf(why, WHY_BYTES,
		 "attach segment %s: %s (uid %u; this is uid %u): nothing of it is touched; act as its owner (%s), or "
		 "choose another `instance`",
		 name, wrong, owner, geteuid(), how);
}

static int stat_name(const char *name, struct stat *st)
{
	char path[SEGMENT_NAME_BYTES + sizeof(SHM)];

	snprintf(path, sizeof(path), SHM "%s", name);
	return lstat(path, st) < 0 ? -errno : 0;
}

int segment_is_named(const char *instance, char why[WHY_BYTES])
{
	char name[SEGMENT_NAME_BYTES];
	struct stat st;

	segment_name(instance, name);
	if (stat_name(name, &st))
		return 0;
	if (st.st_uid != geteuid())
		name_explain_refusal(name, name_another_user, st.st_uid, why);
	else
		snprintf(why, WHY_BYTES,
			 "launch instance '%s': segment %s is there already: it runs, or was not stopped cleanly; "
			 "run/stop.sh ends and removes it",
			 instance, name);
	return 1;
}

/* A segment of that instance, of whatever layout? Anybody may put names there: only this user's count. */
static int is_name_of_mine(DIR *dir, const char *name, const char *prefix, size_t prefix_bytes)
{
	struct stat st;

	return strncmp(name, prefix, prefix_bytes) == 0 && name[prefix_bytes] != 0 &&
	       strspn(name + prefix_bytes, "0123456789") == strlen(name + prefix_bytes) &&
	       fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == geteuid();
}

/* Another layout's segment of the same instance explains a missing one better than "not found". */
static int find_other_layout(const char *instance, char *found, size_t bytes)
{
	char prefix[SEGMENT_NAME_BYTES];
	int n = snprintf(prefix, sizeof(prefix), "ontime.%s.v", instance);
	DIR *dir = opendir(SHM);
	struct dirent *e;
	int any = 0;

	while (dir && !any && (e = readdir(dir)))
		if (is_name_of_mine(dir, e->d_name, prefix, (size_t)n)) {
			snprintf(found, bytes, "%s", e->d_name);
			any = 1;
		}
	if (dir)
		closedir(dir);
	return any;
}

int name_explain_missing(struct segment *seg, const char *instance, int err, char why[WHY_BYTES])
{
	char other[256];
	struct stat st;

	if (err != -ENOENT && stat_name(seg->name, &st) == 0 && (st.st_uid != geteuid() || !S_ISREG(st.st_mode))) {
		name_explain_refusal(seg->name, st.st_uid != geteuid() ? name_another_user : "it is no regular file",
				     st.st_uid, why);
		return -EPERM;
	}
	if (err == -ENOENT && find_other_layout(instance, other, sizeof(other))) {
		snprintf(why, WHY_BYTES,
			 "attach segment %s: instance '%s' runs with another layout (%s): run/stop.sh, then "
			 "run/launch.sh",
			 seg->name, instance, other);
		return -EPROTO;
	}
	if (err == -ENOENT) {
		snprintf(why, WHY_BYTES, "instance '%s' is not running; run/launch.sh starts it", instance);
		instances_say(why, WHY_BYTES);
	} else {
		snprintf(why, WHY_BYTES, "attach segment %s: %s", seg->name, log_text_of(-err));
	}
	return err;
}

int name_is_for_group(const struct stat *st)
{
	return (st->st_mode & (S_IRGRP | S_IWGRP | S_IROTH | S_IWOTH)) == S_IRGRP;
}

/* A shared name proves nothing: whoever came first may have made it. Returns NULL, or what is wrong, and *err. */
const char *name_check_owner(const struct stat *st, int writable, int *err)
{
	*err = -EPERM;
	if (!S_ISREG(st->st_mode))
		return "it is no regular file";
	if (st->st_uid != geteuid() && (writable || (geteuid() != 0 && !name_is_for_group(st))))
		return name_another_user;
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return "other users may write to it";
	if (st->st_nlink > 1)
		return "it has another name too, which may be another instance's";
	*err = -EPROTO;
	return st->st_size < (off_t)sizeof(struct shared) ? "it is too small to be one of ours" : NULL;
}

/*
 * By descriptor, by name, or by a process that has it open. A name that somebody else has taken is no reason not to
 * find ours.
 */
int name_open(const char *instance, const char *name, int handed, int flags)
{
	char path[32];
	struct stat st;
	int fd = -1, found, err = 0;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", handed);
	if (handed >= 0) /* a description of its own, so that locks are its own too */
		fd = open(path, flags);
	if (fd >= 0)
		return fd;
	err = handed >= 0 ? -errno : 0;
	fd = shm_open(name, flags | O_NONBLOCK, 0); /* a pipe of that name must not be waited for */
	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid())
		return fd;
	fd = fd < 0 ? -errno : fd;
	found = segment_find(instance, flags);
	if (found < 0 &&
	    fd == -ENOENT) /* without a name, and the others could perhaps not be asked: that it is gone is not known */
		return find_is_shortage(err) ? err : found;
	if (found < 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return found;
}

int segment_remove(const char *instance)
{
	char name[SEGMENT_NAME_BYTES];
	struct stat st;
	int err;

	segment_name(instance, name);
	err = stat_name(name, &st);
	if (!err && st.st_uid != geteuid())
		return -EPERM;
	return err ? err : shm_unlink(name) < 0 ? -errno : 0;
}

int segment_remove_all(const char *instance)
{
	char prefix[SEGMENT_NAME_BYTES];
	size_t n = (size_t)snprintf(prefix, sizeof(prefix), "ontime.%s.v", instance);
	DIR *dir = opendir(SHM);
	struct dirent *e;
	int err = 0;

	while (dir && (e = readdir(dir)))
		if (is_name_of_mine(dir, e->d_name, prefix, n) && unlinkat(dirfd(dir), e->d_name, 0) < 0)
			err = -errno;
	if (dir)
		closedir(dir);
	return err;
}
