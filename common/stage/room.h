/*
 * room.h - when real time must be given back, so that others on the same CPU keep room, and when it may be taken again.
 *
 * Rules:   pure. Each look says how much of the time since the last one all stages on the CPU were running. The
 *          smoothed share reaches ROOM_FULL: real time is given back. It stays below ROOM_AGAIN for a while: it may be
 *          taken again.
 *          That while begins with ROOM_QUIET_NS. It doubles when real time did not last, since the stages may use
 *          little only because others have the CPU; it begins anew after real time that lasted.
 */
#ifndef ONTIME_ROOM_H
#define ONTIME_ROOM_H

#include <stdint.h>

#include "units.h"

#define ROOM_FULL 800 /* permille of the CPU: the rest is for others */
#define ROOM_AGAIN 600
#define ROOM_SMOOTH_NS (100 * NS_PER_MS) /* a flood from idle is seen after 1.6 of these */
#define ROOM_QUIET_NS NS_PER_S
#define ROOM_MOST_QUIET_NS (16 * NS_PER_S)
#define ROOM_LASTED_NS (10 * NS_PER_S)

struct room {
	uint32_t used; /* permille, smoothed */
	uint32_t is_given_back;
	uint64_t for_ns; /* how long it has been held, or how long below ROOM_AGAIN */
	uint64_t quiet_ns; /* how long it must be below ROOM_AGAIN */
};

void room_init(struct room *r);

/* room_look - in the last took_ns > 0 the stages ran for used_ns. Returns 1 when real time may be had now, else 0. */
int room_look(struct room *r, uint64_t took_ns, uint64_t used_ns);

/* room_refuse - real time was lost by other means: as if the CPU had been full. */
void room_refuse(struct room *r);

#endif
