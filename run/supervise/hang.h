/*
 * hang.h - pure: is a stage that has not moved kept from it by others, who have its CPU?
 *
 * Rules:   such a stage is not ended: that would help nobody, and blame the packet that a plugin has at work. But one
 *          that loops waits too, while others share its CPU: it is ended once it has had the CPU for as long as a hang
 *          is borne.
 */
#ifndef ONTIME_SUPERVISE_HANG_H
#define ONTIME_SUPERVISE_HANG_H

#include <stdint.h>

/* hang_is_starved - in took_ns since it was first seen not to move it waited for its CPU for waited_ns of these. */
static inline int hang_is_starved(uint64_t took_ns, uint64_t waited_ns, uint64_t hung_ns)
{
	return took_ns > 0 && waited_ns <= took_ns && waited_ns >= took_ns - waited_ns && took_ns - waited_ns < hung_ns;
}

#endif
