/*
 * predict.h - pure: how long work on a packet will take, as a line in its bytes, learned from measured ones.
 *
 * Rules:   inline: a decision predicts once or twice per packet.
 * Source:  least squares with exponential forgetting.
 */
#ifndef ONTIME_PREDICT_H
#define ONTIME_PREDICT_H

#include <stdint.h>

#define PREDICT_FORGET 64 /* a sample weighs 1/64 once there are that many */
#define PREDICT_ENOUGH 8 /* samples that make a line */

struct predict_line {
	double mean_bytes, mean_ns, variance, covariance;
	double slope; /* ns per byte, of those */
	uint32_t n_samples;
};

/* predict_is_known - have there been enough samples to go by? */
static inline int predict_is_known(const struct predict_line *m)
{
	return m->n_samples >= PREDICT_ENOUGH;
}

/* predict_ns - the work on a packet of that many bytes; 0 before anything was learned. */
static inline uint64_t predict_ns(const struct predict_line *m, uint32_t bytes)
{
	double ns = m->mean_ns + m->slope * ((double)bytes - m->mean_bytes);

	return ns <= 0 ? 0 : ns >= UINT32_MAX ? UINT32_MAX : (uint64_t)ns;
}

/* predict_learn - work on a packet of that many bytes took ns. */
static inline void predict_learn(struct predict_line *m, double bytes, double ns)
{
	double weight, dx = bytes - m->mean_bytes, dy = ns - m->mean_ns;

	m->n_samples += m->n_samples < PREDICT_FORGET;
	weight = m->n_samples < PREDICT_FORGET ? 1.0 / m->n_samples : 1.0 / PREDICT_FORGET;
	m->mean_bytes += weight * dx;
	m->mean_ns += weight * dy;
	m->variance = (1 - weight) * (m->variance + weight * dx * dx);
	m->covariance = (1 - weight) * (m->covariance + weight * dx * dy);
	m->slope = m->variance > 1 ? m->covariance / m->variance : 0;
}

#endif
