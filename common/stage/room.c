/* room.c - when real time must be given back, and when it may be taken again. */
#include "room.h"

void room_init(struct room *r)
{
	*r = (struct room){ .quiet_ns = ROOM_QUIET_NS };
}

static void give_back(struct room *r)
{
	if (r->for_ns >= ROOM_LASTED_NS)
		r->quiet_ns = ROOM_QUIET_NS;
	r->is_given_back = 1;
	r->for_ns = 0;
}

static void take_again(struct room *r)
{
	r->is_given_back = 0;
	r->for_ns = 0;
	/* for the next time, if this does not last */
	r->quiet_ns = r->quiet_ns * 2 < ROOM_MOST_QUIET_NS ? r->quiet_ns * 2 : ROOM_MOST_QUIET_NS;
}

int room_look(struct room *r, uint64_t took_ns, uint64_t used_ns)
{
	int64_t sample = used_ns < took_ns ? (int64_t)(used_ns * 1000 / took_ns) : 1000;
	int64_t change = (sample - (int64_t)r->used) * (int64_t)took_ns / (int64_t)(took_ns + ROOM_SMOOTH_NS);

	r->used = (uint32_t)((int64_t)r->used + change);
	r->for_ns += took_ns;
	if (!r->is_given_back && r->used >= ROOM_FULL)
		give_back(r);
	else if (r->is_given_back && r->used >= ROOM_AGAIN)
		r->for_ns = 0;
	else if (r->is_given_back && r->for_ns >= r->quiet_ns)
		take_again(r);
	return !r->is_given_back;
}

void room_refuse(struct room *r)
{
	r->used = 1000;
	if (!r->is_given_back)
		give_back(r);
	r->for_ns = 0;
}
