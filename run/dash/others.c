/* others.c - which instances run on this machine. */
#include "others.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/value.h"

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
	       (st.st_uid == geteuid() || geteuid() == 0);
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

void others_look(struct others *o)
{
	DIR *dir = opendir(WHERE);
	const struct dirent *e;

	o->n = 0;
	if (!dir)
		return;
	while (o->n < MAX_OTHERS && (e = readdir(dir)))
		if (instance_of(e->d_name, o->names[o->n]) == 0 && may_observe(dirfd(dir), e->d_name))
			o->n++;
	closedir(dir);
	qsort(o->names, o->n, sizeof(o->names[0]), compare);
}

int others_have(const struct others *o, const char *name)
{
	for (uint32_t i = 0; i < o->n; i++)
		if (strcmp(o->names[i], name) == 0)
			return 1;
	return 0;
}
