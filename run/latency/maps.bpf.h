/* maps.bpf.h - what the parts of the BPF program share: its types, its maps. Included first, once. */
#ifndef ONTIME_LATENCY_MAPS_BPF_H
#define ONTIME_LATENCY_MAPS_BPF_H

typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;

#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "latency.h"

enum { INGRESS, EDF, EGRESS };

char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile struct latency_settings settings SEC(".rodata.settings") = {};

volatile struct latency_control control SEC(".data.control") = {};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the loader says how many, here and below */
	__type(key, uint32_t);
	__type(value, struct latency_row);
} rows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct latency_histogram);
} histograms SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LATENCY_STAGES *LATENCY_CLASSES);
	__type(key, uint32_t);
	__type(value, struct latency_progress);
} progress SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LATENCY_STAGES);
	__type(key, uint32_t);
	__type(value, struct latency_stage);
} stages SEC(".maps");

static __always_inline struct latency_histogram *histogram_of(uint32_t class, uint32_t span)
{
	uint32_t row = class * LATENCY_SPANS + span;

	return bpf_map_lookup_elem(&histograms, &row);
}

static __always_inline struct latency_progress *progress_of(uint32_t stage, uint32_t class)
{
	uint32_t key = stage * LATENCY_CLASSES + class;

	return class < LATENCY_CLASSES ? bpf_map_lookup_elem(&progress, &key) : 0;
}

/*
 * Called by the row's writer only, here as everywhere. Walks over buckets are plain loops in global functions, which
 * are verified once and alone: bpf_loop() is Linux 5.17.
 */
__noinline int clear(uint32_t row)
{
	struct latency_histogram *h = bpf_map_lookup_elem(&histograms, &row);

	if (!h)
		return 0;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		h->buckets[i] = 0;
		asm volatile("" ::: "memory"); /* no memset(), which BPF has not */
	}
	h->count = h->sum_ns = h->max_ns = 0;
	return 0;
}

#endif
