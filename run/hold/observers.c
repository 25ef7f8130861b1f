/* observers.c - the group whose members may look at an instance. */
#include "observers.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cage/cage.h"
#include "log.h"
#include "stage/stage.h"

#define GROUP_BYTES 65536 /* with the names of its members */

int observers_find(const struct config *c, gid_t *group)
{
	struct group entry, *found = NULL;
	char text[GROUP_BYTES];

	*group = OBSERVERS_NONE;
	if (strcmp(c->observers, "none") == 0)
		return 0;
	if (getgrnam_r(c->observers, &entry, text, sizeof(text), &found) || !found) {
		log_error("observers = %s: there is no such group: groupadd %s makes it", c->observers, c->observers);
		return -1;
	}
	*group = found->gr_gid;
	return 0;
}

/* A unit's filter ends who gives a file away. */
static int give(const struct segment *seg, gid_t group)
{
	struct stat st;

	if (fstat(seg->fd, &st) < 0)
		return -errno;
	if (st.st_gid != group && cage_is_foreign())
		return -EPERM;
	if (st.st_gid != group && fchown(seg->fd, (uid_t)-1, group) < 0)
		return -errno;
	return fchmod(seg->fd, 0640) < 0 ? -errno : 0;
}

int observers_let_in(const struct config *c, const struct segment *seg, gid_t group)
{
	int err = group == OBSERVERS_NONE ? 0 : give(seg, group);

	if (!err)
		return 0;
	log_error(
		"observers = %s: give segment %s to the group: %s: root launches as a user who need not be in it; user "
		"%u must be; a unit must have Group=%s",
		c->observers, seg->name, log_text_of(-err), geteuid(), c->observers);
	return EXIT_CONFIG;
}
