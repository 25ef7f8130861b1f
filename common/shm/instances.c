/* instances.c - which instances run on this machine. */
#include "instances.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/value.h"
#include "name.h"
#include "segment.h"

#define WHERE "/dev/shm"
#define PREFIX "ontime."

/* The instance that a name in WHERE is of. -1: of none, or of one of another layout. */
static int instance_of(const char *file, char name[INSTANCE_NAME_BYTES])
{
	char whole[SEGMENT_NAME_BYTES], reason[REASON_BYTES];

	if (strncmp(file, PREFIX, strlen(PREFIX)) != 0)
		return -1;
	file += strlen(PREFIX);
	snprintf(name, INSTANCE_NAME_BYTES, "%.*s", (int)strcspn(file, "."), file);
	if (value_check_name(name, INSTANCE_NAME_BYTES - 1, reason))
		return -1;
	segment_name(name, whole);
	return strcmp(file - strlen(PREFIX), whole + 1) == 0 ? 0 : -1;
}

static int may_observe(int dir, const char *file)
{
	struct stat st;

	return fstatat(dir, file, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (st.st_uid == geteuid() || geteuid() == 0 ||
		(name_is_for_group(&st) && faccessat(dir, file, R_OK, AT_EACCESS) == 0));
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

void instances_look(struct instances *all)
{
	DIR *dir = opendir(WHERE);
	const struct dirent *e;

	all->n = 0;
	if (!dir)
		return;
	while (all->n < MAX_INSTANCES && (e = readdir(dir)))
		if (instance_of(e->d_name, all->names[all->n]) == 0 && may_observe(dirfd(dir), e->d_name))
			all->n++;
	closedir(dir);
	qsort(all->names, all->n, sizeof(all->names[0]), compare);
}

int instances_have(const struct instances *all, const char *name)
{
	for (uint32_t i = 0; i < all->n; i++)
		if (strcmp(all->names[i], name) == 0)
			return 1;
	return 0;
}

void instances_say(char *line, size_t bytes)
{
	struct instances all;
	size_t len = strlen(line);

	instances_look(&all);
	for (uint32_t i = 0; i < all.n && len < bytes; i++)
		len += (size_t)snprintf(line + len, bytes - len, "%s'%s'", i == 0 ? "; here run: " : ", ",
					all.names[i]);
}
