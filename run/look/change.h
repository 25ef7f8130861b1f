/*
 * change.h - what happened between two looks, as rates, shares and percentiles.
 *
 * Rules:   pure. With view_launch() as the earlier look, everything is since launch.
 *          On time: of the packets whose fate was decided in between (sent or dropped), the share sent before their
 *          deadline. The fate of a waiting packet is not decided yet, so the share lies in 0..1 even while a backlog
 *          grows or drains.
 */
#ifndef ONTIME_STAT_CHANGE_H
#define ONTIME_STAT_CHANGE_H

#include "view.h"

struct class_change {
	double received_pps, sent_pps, sent_bits_per_s, dropped_pps, late_pps, marked_pps;
	double reason_pps[N_DROP_REASONS];
	double errno_pps[SEND_ERRNOS];
	double skipped_pps[N_SKIP_REASONS], copy_error_pps; /* of a class that copies: all its destinations together */
	double late_span_pps[N_SPANS];
	double refused_per_s; /* ICMP errors */
	double unexpected_pps; /* replies that nobody asked for */
	double span_share[N_SPANS]; /* of the time that all sent packets took; together 1, or 0 when nothing was sent */
	double on_time; /* 0..1; -1: no deadline, or nothing was decided */
	uint64_t sent_pkts;
	uint64_t mean_ns, percentile_ns[N_PERCENTILES]; /* arrived -> sent; 0 when nothing was sent */
};

#define STARVED 0.3 /* from this share on a stage is called starved, here and in place.c */

struct stage_change {
	int is_new; /* another process than before */
	double cpu; /* CPUs used, 1 is all of one; of a new process since it began */
	double parks_per_s, rings_per_s;
	double starved; /* share of the time that it was ready to run, and others than stages had the CPU */
};

/* view_launch - the look that could have been taken when this instance was launched: all counts 0. */
void view_launch(const struct view *now, struct view *launch);

/* class_change - `before` must be an earlier look at the same class, `ns` the time between them, above 0. */
void class_change(const struct class_view *now, const struct class_view *before, uint64_t ns, struct class_change *out);

/*
 * stages_change - of all three; `before` as for class_change(). Of several shards together: what they use adds up, and
 * starved is the one that is most.
 */
void stages_change(const struct view *now, const struct view *before, uint64_t ns, struct stage_change out[N_STAGES]);

void stage_change(const struct stage_view *now, const struct stage_view *before, uint64_t ns, struct stage_change *out);

#endif
