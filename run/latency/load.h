/*
 * load.h - the BPF program into the kernel, and into the instance's directory.
 *
 * Rules:   the object file lies beside the loader. What is pinned belongs to one segment and one object file: when
 *          either has changed, it is of no use any more, and is replaced.
 */
#ifndef ONTIME_LATENCY_LOAD_H
#define ONTIME_LATENCY_LOAD_H

#include "pins.h"
#include "shm/segment.h"

/* load_is_current - is what is pinned for this instance made for this segment by this object file? */
int load_is_current(const struct pins *p, const struct segment *seg);

/*
 * load_program - load, name the rows, start the clock, pin all but the links to the stages. multi: for uprobe_multi
 * links.
 * 0, or -1 after one line: what failed, and if it was the
 * verifier, its own last line. On failure nothing stays pinned.
 */
int load_program(struct pins *p, const struct segment *seg, int multi);

/* load_verbose - let libbpf, and through it the kernel's verifier, speak. */
void load_verbose(void);

#endif
