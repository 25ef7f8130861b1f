/* life_tell.c - what is said of a life that ended. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "hold/row.h"
#include "life.h"
#include "log.h"

/* With signals blocked, as the C library has them when it forks or makes a thread, the stage cannot say it itself. */
static const char *what_ended(const char *last_end)
{
	return strncmp(last_end, "signal", 6) == 0 && atoi(last_end + 6) == SIGSYS
		       ? ": a system call that it may not make, such as a fork or a thread of a plugin's"
		       : "";
}

/* Once per change, not per death; and only when the successor is on its way. */
void life_tell(struct life *l)
{
	const char *name = l->name;

	if (!l->ended_by_itself)
		return;
	l->ended_by_itself = 0;
	if (row_pause_ns(l->row) == 0) {
		log_info("%s ended (%s%s): another is started", name, l->last_end, what_ended(l->last_end));
		l->has_told = 0;
	} else if (!l->has_told) {
		log_error("%s ended (%s%s), %u times in a row without passing a packet on: it is started again after "
			  "pauses, at "
			  "least once a second",
			  name, l->last_end, what_ended(l->last_end), l->row);
		l->has_told = 1;
	}
}
