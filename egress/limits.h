/*
 * limits.h - the rates of a class and of its destinations.
 *
 * Rules:   a class whose rate is used up waits, and so does one whose packet at the head is for a destination whose
 *          rate is. In a class that copies, a destination's copy beyond its rate is skipped instead (copies.h).
 *          Where there is no such rate, one look per class and step is all that this costs.
 */
#ifndef ONTIME_LIMITS_H
#define ONTIME_LIMITS_H

#include "sender.h"

/* limits_open - at start, and after a reload. */
void limits_open(struct sender *s, uint64_t now);

/* limits_next_ns - when the packet at the head of a class, of that many wire bytes, may leave by these; 0: now. */
uint64_t limits_next_ns(struct sender *s, uint32_t class, uint32_t head_bytes, uint64_t now);

/* limits_allow_bytes - wire bytes that may leave now, behind the head on its way. */
uint32_t limits_allow_bytes(struct sender *s, uint32_t class, uint64_t now);

/*
 * limits_note, limits_charge - before and after a call, as in limit.h. limits_note() returns whom it is to, for
 * limits_charge().
 */
uint32_t limits_note(struct sender *s, uint32_t class, uint32_t bytes, uint64_t now);
void limits_charge(struct sender *s, uint32_t class, uint32_t destination, uint32_t bytes, uint64_t now);

#endif
