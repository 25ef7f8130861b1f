/* files.c - Landlock. */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The same number on each machine. */
#define CREATE_RULESET FILES_FIRST_CALL
#define ADD_RULE 445
#define RESTRICT_SELF 446
#define GET_VERSION 1
#define RULE_PATH_BENEATH 1

#define FIRST_RIGHTS ((1ULL << 13) - 1) /* of version 1 */
#define REFER (1ULL << 13) /* version 2 */
#define TRUNCATE (1ULL << 14) /* version 3 */
#define NET_VERSION 4
#define BIND_AND_CONNECT 3 /* TCP */
#define BIND 1
#define DEVICE_REQUESTS (1ULL << 15) /* version 5 */
#define SCOPE_VERSION 6
#define OTHERS_SOCKETS 1 /* abstract UNIX ones */
#define SIGNALS_TO_OTHERS 2 /* those that the kernel sends at the end of a parent are of this sort too */

struct ruleset {
	uint64_t files, net, scoped;
};

struct path_rule {
	uint64_t may;
	int32_t directory_fd;
} __attribute__((packed));

void files_may(struct files *f, const char *below, uint64_t may)
{
	if (f->n_places < FILES_MOST_PLACES)
		f->places[f->n_places++] = (struct files_place){ below, may };
}

/* What a kernel of that version can take away, and how long the structure is that says so. */
static size_t describe(struct ruleset *r, long version, const struct files *f)
{
	*r = (struct ruleset){ .files = FIRST_RIGHTS };
	if (version >= 2)
		r->files |= REFER;
	if (version >= 3)
		r->files |= TRUNCATE;
	if (version >= 5)
		r->files |= DEVICE_REQUESTS;
	r->files &= ~f->anywhere;
	if (version >= NET_VERSION)
		r->net = f->connects ? BIND : BIND_AND_CONNECT;
	if (version >= SCOPE_VERSION)
		r->scoped = f->has_children ? OTHERS_SOCKETS : OTHERS_SOCKETS | SIGNALS_TO_OTHERS;
	return version < NET_VERSION	 ? offsetof(struct ruleset, net)
	       : version < SCOPE_VERSION ? offsetof(struct ruleset, scoped)
					 : sizeof(*r);
}

static int add_place(int fd, const struct files_place *p, uint64_t handled)
{
	struct path_rule rule = { .may = p->may & handled, .directory_fd = open(p->below, O_PATH | O_CLOEXEC) };
	int err = 0;

	if (rule.directory_fd < 0)
		return 0;
	if (rule.may && syscall(ADD_RULE, fd, RULE_PATH_BENEATH, &rule, 0) < 0)
		err = -errno;
	close(rule.directory_fd);
	return err;
}

int files_prepare(const struct files *f)
{
	long version = syscall(CREATE_RULESET, NULL, 0, GET_VERSION);
	struct ruleset ruleset;
	int fd, err = 0;

	if (version < 0)
		return -errno;
	fd = (int)syscall(CREATE_RULESET, &ruleset, describe(&ruleset, version, f), 0);
	if (fd < 0)
		return -errno;
	for (uint32_t i = 0; !err && i < f->n_places; i++)
		err = add_place(fd, &f->places[i], ruleset.files);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int files_shut(int fd)
{
	int err = syscall(RESTRICT_SELF, fd, 0) < 0 ? -errno : 0;

	close(fd);
	return err;
}
