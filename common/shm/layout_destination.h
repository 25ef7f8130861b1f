/*
 * layout_destination.h - THE shared segment, the part of it that a scout writes: what is known of each destination. By
 * the rules of layout.h, which includes it: whoever changes this changes the layout.
 */
#ifndef ONTIME_LAYOUT_DESTINATION_H
#define ONTIME_LAYOUT_DESTINATION_H

#include <netinet/in.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>

#define DESTINATION_NAME_BYTES 72 /* of "name:port" for observers; a longer one is cut */

/* In uint32_t words of the segment. */
enum destination_is { DESTINATION_UP, DESTINATION_DOWN, DESTINATION_DRAINED, N_DESTINATION_STATES };

/* Why it is so. */
enum destination_why {
	WHY_FIRST, /* nothing was seen of it yet */
	WHY_ANSWERS, /* it answers, or nothing says otherwise any more */
	WHY_ERRNO, /* a system call says so: `number` */
	WHY_REFUSED, /* ICMP said that nobody is there */
	WHY_SILENT, /* no answer in time */
	WHY_STATUS, /* HTTP: `number` */
	WHY_WRONG, /* another answer than the one expected */
	WHY_QUIET, /* its sessions ask, and none is answered */
	WHY_TRIED, /* it was quiet, and gets another try */
	WHY_ASKED, /* `drain` names it */
	N_DESTINATION_REASONS
};

/* What is known of one destination, whole. */
struct destination_state {
	uint64_t since_ns; /* CLOCK_MONOTONIC */
	uint32_t is, why; /* enum destination_is, enum destination_why */
	uint32_t number; /* an errno, or an HTTP status */
	uint32_t n_moves; /* how often its address became another */
	struct sockaddr_in6 address; /* or a sockaddr_in: where it is now */
	uint32_t spare;
	char name[DESTINATION_NAME_BYTES];
};

#define DESTINATION_WORDS (sizeof(struct destination_state) / sizeof(uint64_t))

/*
 * What a scout knows of a destination (run/scout/), in two banks: it writes the one that `serial` does not point to,
 * and moves `serial` on with one store. So a reader never sees half, and what a dead scout knew stays.
 */
struct destination {
	/* 0: nothing is known; bit 0: the bank; writer: scout, as of the banks */
	alignas(LINE) _Atomic uint64_t serial;
	_Atomic uint64_t banks[2][DESTINATION_WORDS];
	/* ICMP errors that told of what was sent to it. One stage each: a word that two write would need more. */
	alignas(LINE) _Atomic uint64_t refused_by_egress; /* writer: egress */
	alignas(LINE) _Atomic uint64_t refused_by_ingress; /* to sockets of sessions; writer: ingress */
};

/* Of a class, before its destinations: one look tells whether anything has changed. */
struct destinations {
	alignas(LINE) _Atomic uint64_t changes; /* raised after each change of one of them; writer: scout */
	alignas(LINE) struct destination all[];
};

#endif
