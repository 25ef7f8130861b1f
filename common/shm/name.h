/*
 * name.h - the segment by its name, and whose it is.
 *
 * Rules:   for segment.c. Anybody may put names into the directory: only a regular file of this user counts, and
 *          nothing of another user's is touched.
 */
#ifndef ONTIME_NAME_H
#define ONTIME_NAME_H

#include <sys/stat.h>

#include "segment.h"

/*
 * name_open - by descriptor (handed >= 0), by name, or by a process that has it open: a name that another user has
 * taken does not hide ours. Returns a descriptor, or -errno.
 */
int name_open(const char *instance, const char *name, int handed, int flags);

/* name_check_owner - NULL, or what is wrong with whom it belongs to, and *err. */
const char *name_check_owner(const struct stat *st, int writable, int *err);

/* name_is_for_group - of a segment of another user: is it open to the members of its group, and to nobody else? */
int name_is_for_group(const struct stat *st);

/* name_explain_refusal, name_explain_missing - one line. The latter returns the errno to go on with. */
void name_explain_refusal(const char *name, const char *wrong, uid_t owner, char why[WHY_BYTES]);
int name_explain_missing(struct segment *seg, const char *instance, int err, char why[WHY_BYTES]);

extern const char name_another_user[];

#endif
