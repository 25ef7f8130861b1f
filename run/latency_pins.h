/*
 * latency_pins.h - where an instance's histograms are pinned, and what may be missing for that.
 *
 * Memory:  <bpffs>/ontime/<instance>/: `latency` (the rows), `report`, `histogram` for people, and in parts/ what keeps these alive:
 *          maps, programs, and one link per stage and binary. What is pinned lives; no process is needed.
 */
#ifndef ONTIME_LATENCY_PINS_H
#define ONTIME_LATENCY_PINS_H

#include "config.h"

#define PINS_ROOT "/sys/fs/bpf/ontime"
#define PIN_BYTES 192

/* pins_path - PINS_ROOT/INSTANCE/NAME into path; returns path. */
const char *pins_path(const char *instance, const char *name, char path[PIN_BYTES]);

/* pins_open - a descriptor of what is pinned there, or -errno. */
int pins_open(const char *instance, const char *name);

/* pins_read, pins_write - one value of a pinned array map; `bytes` is the value's size. 0, or -errno. */
int pins_read(const char *instance, const char *name, uint32_t key, void *value, size_t bytes);
int pins_write(const char *instance, const char *name, uint32_t key, const void *value, size_t bytes);

/* pins_make - the instance's directory. 0, or -1 after one line. */
int pins_make(const char *instance);

/* pins_remove - the directory with all that is in it, whatever that is. Returns how many pins there were, or -errno. */
int pins_remove(const char *instance);

/* pins_each - call visit(arg, name) for each pin in parts/ whose name begins with prefix. Returns how many. */
int pins_each(const char *instance, const char *prefix, void (*visit)(void *arg, const char *name), void *arg);

/* pins_why_not - say in one line what this process or kernel lacks for BPF at all. Returns 1 then, 0 if nothing is known. */
int pins_why_not(void);

/* pins_explain - one line: what was tried, and why the kernel refused. */
void pins_explain(const char *tried, int err);

#endif
