/*
 * holder.h - the supervisor's view of its holder (hold/keep.h): watch it, start another, let it go.
 *
 * Memory:  private to the supervisor. The holder is its parent, or a child of its own that stands in for that.
 * Errors:  a holder that cannot be started is tried again each second; the supervisor goes on without.
 */
#ifndef ONTIME_SUPERVISE_HOLDER_H
#define ONTIME_SUPERVISE_HOLDER_H

#include <sys/types.h>

#include <stdint.h>

#include "config/ids.h"
#include "hold/row.h"

struct holder {
	int is_wanted; /* 0: whoever started this supervisor keeps no holder, as a test may */
	int pidfd; /* -1: none is there */
	pid_t child; /* 0: it is the parent */
	pid_t parent; /* that one */
	uint64_t due_ns, began_at_ns;
	struct row row; /* of holders that ended within a second */
	char binary[PATH_BYTES];
	char *const *argv; /* of the supervisor */
};

/*
 * holder_init - watch the parent, or a child from before this process went over to its binary, if that is a holder.
 * Returns -ESRCH when it was one and is gone: the instance is being stopped, and no supervisor is wanted.
 */
int holder_init(struct holder *h, const char *build, char *const *argv);

/* holder_set_environment - for the binary that this supervisor goes over to. holder_renew - and now the holder. */
void holder_set_environment(const struct holder *h);
void holder_renew(struct holder *h);

/* holder_start - another one, if there is none and it is due. */
void holder_start(struct holder *h, uint64_t now);

/* holder_ended - its pidfd is readable. */
void holder_ended(struct holder *h, uint64_t now);

/* holder_let_go - the supervisor ends because it was asked to: so does the holder. */
void holder_let_go(struct holder *h);

#endif
