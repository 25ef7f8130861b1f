/* clocks.c - two clocks at one instant. */
#include "clocks.h"

#include "clock.h"

#define MOST_APART_NS (3 * NS_PER_US) /* two clocks read in a row */

/* A stage that is preempted between the two would take its own pause for waiting. */
struct clocks clocks_read(uint64_t not_before_ns)
{
	struct clocks t = { .not_before_ns = not_before_ns };

	for (int tries = 0; tries < 3; tries++) {
		uint64_t before_ns = now_ns();

		t.real_ns = real_ns();
		t.read_at_ns = now_ns();
		if (t.read_at_ns - before_ns <= MOST_APART_NS)
			break;
	}
	return t;
}

/* A step of CLOCK_REALTIME must not invent waiting: the packet came after the socket was last seen empty. */
uint64_t clocks_monotonic(uint64_t stamp_ns, const struct clocks *t)
{
	uint64_t waited_ns = t->real_ns - stamp_ns;

	if (stamp_ns == 0 || stamp_ns >= t->real_ns)
		return t->read_at_ns;
	if (waited_ns > t->read_at_ns - t->not_before_ns)
		return t->not_before_ns;
	return t->read_at_ns - waited_ns;
}
