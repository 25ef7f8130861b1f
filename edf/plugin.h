/*
 * plugin.h - the work done per packet by a shared object: `work = plugin:FILE.so`.
 *
 * Rules:   the object exports `const struct ontime_plugin ontime_plugin`. One thread calls it; with `workers = N` one
 *          thread in each of N processes, each of which has opened it. It reads `in`, writes
 *          `out`; they never overlap, so redoing a packet after a crash is always safe: work() must give the same
 *          answer again and keep no count of calls that matters.
 * Crash:   a plugin that crashes, calls exit() or the like, or is aborted because it hangs, takes the edf stage with
 *          it, or its worker; the successor works on the same packet again. A packet that does that three times in a
 *          row is dropped, counted `poison`.
 * Start:   open() may take a minute; then the stage is ended and started again. The file must belong to root or to the
 *          user the stages run as, and nobody else may write to it. It is loaded by descriptor, so $ORIGIN in it means
 *          nothing.
 * Cage:    from the end of open() on the process makes only the system calls of the stage, and those that
 *          `plugin_calls = NAME..` in the config names; it has the descriptors that open() left it, and no files.
 *          Another call ends it as a crash does. exit_group(2) by hand is one of these.
 * Slices:  work that takes long may call packet->checkpoint(packet) now and then, say every 10 us. With `slice = 50us`
 *          in the config, a packet of a higher class that must not wait is worked on in there: work() is then called
 *          for that one before it returns for this one. So what work() keeps outside of its packet must be whole at a
 *          checkpoint.
 * ABI:     version 2. Fields are only ever added at the end, with a new version; objects of version 1 still load.
 */
#ifndef ONTIME_PLUGIN_H
#define ONTIME_PLUGIN_H

#include <stdint.h>

#define ONTIME_PLUGIN_ABI 2

struct ontime_packet {
	const uint8_t *in;
	uint32_t in_bytes;
	uint32_t out_room_bytes;
	uint8_t *out;
	uint32_t out_bytes; /* set by work(); starts as 0 */
	uint32_t class_rank; /* 0 is the highest */
	uint64_t arrived_at_ns; /* CLOCK_MONOTONIC */
	uint64_t deadline_ns; /* UINT64_MAX: none */
	/* since ABI 2 */
	void (*checkpoint)(struct ontime_packet *packet); /* never NULL; costs a few ns when there is nothing to do */
	void *host; /* not the plugin's business */
};

struct ontime_plugin {
	uint32_t abi; /* ONTIME_PLUGIN_ABI */
	const char *name;
	int (*open)(void **state); /* 0, or a negative errno; NULL: nothing to open */
	int (*work)(void *state, struct ontime_packet *packet); /* 0: send out[0..out_bytes); else: drop, `poison` */
	void (*close)(void *state); /* NULL: nothing to close */
};

#endif
