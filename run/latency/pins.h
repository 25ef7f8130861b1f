/*
 * pins.h - where an instance's histograms are pinned, and what may be missing for that.
 *
 * Memory:  <bpffs>/ontime/<instance>/: `latency` (the rows), `report`, `histogram` for people, and in parts/ what keeps
 *          these alive:
 *          maps, programs, and one link per stage and binary. What is pinned lives; no process is needed.
 *          struct pins holds descriptors of the two directories, and all goes through these.
 * Rules:   the bpffs may be writable by everybody. So each directory below its root is entered without following links,
 *          and must be a directory of this user's, on a bpffs, in which nobody else may write. Otherwise nothing in it
 *          is touched: one line says whose it is.
 */
#ifndef ONTIME_LATENCY_PINS_H
#define ONTIME_LATENCY_PINS_H

#include "config/config.h"
#include "shm/segment.h"

#define PINS_BPFFS "/sys/fs/bpf"
#define PINS_ROOT PINS_BPFFS "/ontime"
#define PIN_BYTES 320

struct pins {
	const char *instance;
	int top, parts; /* directories; -1: not there */
};

/*
 * pins_enter - the directories of an instance, as far as they are there. 0, or in why one line:
 * -EACCES for a user who is not root: they are not his, so that he has nothing in them; -EPERM: something of somebody
 * else's is in the way. Afterwards pins_leave(), in each case.
 */
int pins_enter(struct pins *p, const char *instance, char why[WHY_BYTES]);
void pins_leave(struct pins *p);

/* pins_bpffs - the root of the bpffs, to look and change what is in it: a descriptor (O_PATH), or -errno. */
int pins_bpffs(void);

/* pins_path - for bpf(2): a path to NAME, or parts/NAME, through the descriptor of the directory; returns path. */
const char *pins_path(const struct pins *p, const char *name, char path[PIN_BYTES]);

/* pins_has, pins_unlink - one pin. pins_open - a descriptor of what is pinned there, or -errno. */
int pins_has(const struct pins *p, const char *name);
int pins_unlink(const struct pins *p, const char *name);
int pins_open(const struct pins *p, const char *name);

/* pins_read, pins_write - one value of a pinned array map; `bytes` is the value's size. 0, or -errno. */
int pins_read(const struct pins *p, const char *name, uint32_t key, void *value, size_t bytes);
int pins_write(const struct pins *p, const char *name, uint32_t key, const void *value, size_t bytes);

/* pins_make - make and enter the instance's directories. 0, or -1 after one line. */
int pins_make(struct pins *p);

/*
 * pins_remove - all pins, then the directories; p is as if nothing had been there. Returns how many pins there were, or
 * -errno.
 */
int pins_remove(struct pins *p);

/* pins_each - call visit(arg, name) for each pin in parts/ whose name begins with prefix. Returns how many. */
int pins_each(const struct pins *p, const char *prefix, void (*visit)(void *arg, const char *name), void *arg);

/*
 * pins_why_not - say in one line what this process or kernel lacks for BPF at all. Returns 1 then, 0 if nothing is
 * known.
 */
int pins_why_not(void);

/* pins_explain - one line: what was tried, and why the kernel refused. */
void pins_explain(const char *tried, int err);

/* pins_explain_event - likewise, of what went by perf_event_open(2) because the kernel has no uprobe_multi links. */
void pins_explain_event(const char *tried, int err);

#endif
