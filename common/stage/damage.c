/* damage.c - a segment that no stage can have written: the stage ends before it acts on that. */
#include "damage.h"

#include <stdlib.h>

#include "log.h"
#include "stage.h"

void stage_check_counts(const struct stage *s, uint32_t class, uint64_t ahead_pkts)
{
	if (ahead_pkts <= s->seg.views[class].slots)
		return;
	log_error("segment %s: class %s: a count is %llu packets ahead in a lane of %u: it is damaged; "
		  "run/stop.sh, then run/launch.sh",
		  s->seg.name, s->config.classes[class].name, (unsigned long long)ahead_pkts,
		  s->seg.views[class].slots);
	abort();
}

void stage_check_length(const struct stage *s, uint32_t class, uint64_t bytes)
{
	if (bytes <= s->config.payload_bytes)
		return;
	log_error("segment %s: class %s: a packet of %llu bytes in slots for %u: it is damaged; run/stop.sh, then "
		  "run/launch.sh",
		  s->seg.name, s->config.classes[class].name, (unsigned long long)bytes, s->config.payload_bytes);
	abort();
}
