/*
 * segment.h - create, attach, check and remove the shared segment.
 *
 * Memory:  struct segment is a private handle; segment_close() unmaps. The segment itself lives until
 *          segment_remove() takes its name and the last process unmaps it.
 * Rules:   hold creates, stages attach for writing, observers attach read-only. Creation allocates every page: a full
 *          /dev/shm is an error now, never a SIGBUS later. Nothing read from a segment is trusted unchecked.
 *          A segment of another user is refused; root, and the members of a group that it was opened to (`observers`),
 *          may observe it, even while its owner changes it or cuts it short.
 * Shards:  a handle is of one part of the segment, and nothing else of it is mapped: by no mistake can a stage write
 *          into another shard. What belongs to the instance (the locks of supervisor and holder, the control socket,
 *          the request to stop) stands in the first part.
 * Names:   a segment whose name was taken away (by a logout, a cleaner) goes on. The supervisor hands it to stages by
 *          descriptor; all others find it through a process of this user that has it open (find.h).
 * Order:   edge "ready": everything in the header is visible before the magic word.
 * Errors:  -errno, and in `why` one line: what was tried, on what, why, and what to do.
 *          -ENOENT no such segment, -EEXIST there is one, -EPROTO not one of these, damaged, or of another config,
 *          -ESTALE made by a build with another layout, -EPERM another user's, -ENOSPC /dev/shm is full.
 */
#ifndef ONTIME_SEGMENT_H
#define ONTIME_SEGMENT_H

#include <sys/types.h>

#include "lane.h"
#include "config/config.h"
#include "layout.h"

#define SEGMENT_NAME_BYTES 64
#define WHY_BYTES 512

struct segment {
	struct shared *shared; /* NULL: not attached */
	uint64_t size_bytes; /* of the part that is mapped */
	uint32_t n_classes;
	uint32_t shard, n_shards; /* which part that is, and of how many */
	int fd;
	int locked; /* 1: pages are locked in memory once touched */
	int scratch_locked; /* 1: those of the scratch too */
	char name[SEGMENT_NAME_BYTES];
	char instance[INSTANCE_NAME_BYTES];
	struct header header; /* as it was judged: what is shared may belong to another user, who changes it later */
	struct scratch *scratch; /* NULL: none */
	struct lane_view views[MAX_CLASSES];
};

/* segment_name - "/ontime.<instance>.v<layout>" into name. */
void segment_name(const char *instance, char name[SEGMENT_NAME_BYTES]);

/* segment_create - make, allocate, and fill in a segment for this config; cookies: of the sockets to hand on. */
int segment_create(struct segment *seg, const struct config *c, const uint64_t *cookies, uint32_t n_sockets,
		   char why[WHY_BYTES]);

/*
 * segment_create_shards - likewise one of n_shards parts; the handle is of the first. cookies: n_sockets of each shard:
 * those of all shards for one purpose in a row, as they are handed on.
 */
int segment_create_shards(struct segment *seg, const struct config *c, uint32_t n_shards, const uint64_t *cookies,
			  uint32_t n_sockets, char why[WHY_BYTES]);

/* segment_is_named - 1: the instance's name is taken in /dev/shm, by whatever; `why` says by whom, and what to do. */
int segment_is_named(const char *instance, char why[WHY_BYTES]);

/* segment_attach - map an existing one for writing and check it against the config. */
int segment_attach(struct segment *seg, const struct config *c, char why[WHY_BYTES]);

/* segment_attach_handed - likewise, the one that descriptor `fd` is of; fd < 0: by name. */
int segment_attach_handed(struct segment *seg, int fd, const struct config *c, char why[WHY_BYTES]);

/* segment_attach_shard - likewise that part of it. */
int segment_attach_shard(struct segment *seg, int fd, const struct config *c, uint32_t shard, char why[WHY_BYTES]);

/* segment_observe - map an existing one read-only, by instance name. */
int segment_observe(struct segment *seg, const char *instance, char why[WHY_BYTES]);

/* segment_observe_handed - likewise the one that descriptor `fd` is of, which may have no name any more. */
int segment_observe_handed(struct segment *seg, int fd, const char *instance, char why[WHY_BYTES]);

/* segment_observe_shard - another part of what `first` is of; -EPROTO if it has fewer. */
int segment_observe_shard(struct segment *seg, const struct segment *first, uint32_t shard, char why[WHY_BYTES]);

/* segment_is_mine - does this user own it? What acts on an instance must ask: root may observe another user's. */
int segment_is_mine(const struct segment *seg);

/* segment_must_be_mine - likewise: 0, or -EPERM and one line. */
int segment_must_be_mine(const struct segment *seg, char why[WHY_BYTES]);

/* segment_lanes_are_sane - the counts of all lanes keep their order; if not, which and how, in why. */
int segment_lanes_are_sane(const struct segment *seg, char why[WHY_BYTES]);

/* segment_touch - write-fault the pages of [at, at + bytes) here, not inside a kernel store. */
void segment_touch(void *at, size_t bytes);

/*
 * segment_populate - once, by who made it: put it into huge pages, where the kernel can (Linux 6.1), and fault all of
 * it in. No stage waits for a zeroed page then, and the end of one takes a tenth of a millisecond, not the half that
 * unmapping a thousand small pages takes: its successor begins only after that.
 */
void segment_populate(const struct segment *seg);

void segment_close(struct segment *seg);

/* segment_remove - take the name away; never another user's (-EPERM). 0, or -errno. */
int segment_remove(const char *instance);

/*
 * segment_remove_all - take away this user's names of the instance's segments, of all layouts. 0, or -errno of one that
 * stayed.
 */
int segment_remove_all(const char *instance);

#endif
