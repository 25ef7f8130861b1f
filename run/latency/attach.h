/*
 * attach.h - the probe points of the stages' binaries, and the links from these to the BPF programs.
 *
 * Rules:   a probe belongs to a file, not to a process: whatever runs it, now or later, is probed. A rebuilt binary is
 *          another file. So each that a stage runs, or would run if it were started now, gets a link, named by its
 *          device and inode; a link to a file that is neither is taken away.
 *          Links are uprobe_multi (Linux 6.6, CAP_BPF and CAP_PERFMON) or a perf event (CAP_SYS_ADMIN).
 */
#ifndef ONTIME_LATENCY_ATTACH_H
#define ONTIME_LATENCY_ATTACH_H

#include "pins.h"
#include "shm/segment.h"

/* BPF_TRACE_UPROBE_MULTI of linux/bpf.h, which Debian 12's headers do not have yet. */
#define ATTACH_UPROBE_MULTI 48

#define MOST_BINARIES 3 /* of one stage: beside us, where the running one came from, what the running one is */

struct binary {
	int fd;
	uint64_t device, inode;
	int is_running;
};

/* attach_as_before - link as older kernels need it: by perf events, to the twin with a nop of 1 byte. */
void attach_as_before(void);

/* binaries_find - those of a stage, opened. Returns how many. */
int binaries_find(const struct segment *seg, enum stage_id id, struct binary binaries[MOST_BINARIES]);
void binaries_close(struct binary *binaries, int n);

/* attach_name - the pin of the link to a binary: "link-ingress-fe00-1234". */
const char *attach_name(enum stage_id id, const struct binary *b, char name[64]);

/*
 * attach_stage - link the pinned program of a stage to all its binaries that have no link yet; take away old links.
 * *n_new: links made. 0, or -1 after one line; -ENOTSUP without a line: this kernel has no uprobe_multi, and the
 * program is one for that.
 */
int attach_stage(const struct pins *p, const struct segment *seg, enum stage_id id, int *n_new);

#endif
