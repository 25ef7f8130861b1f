/*
 * quiet.h - destinations whose sessions ask, and whether any is answered.
 *
 * Memory:  what each session had counted at the last look, private. Sessions are ingress's; here they are only read.
 * Rules:   quiet: since its sessions began to ask without an answer to any of them, for longer than the configuration
 *          says. Such a destination is down for QUIET_PAUSES times as long, and then up for another try: without
 *          senders nothing else would tell.
 */
#ifndef ONTIME_SCOUT_QUIET_H
#define ONTIME_SCOUT_QUIET_H

#include "roster.h"

#define QUIET_PAUSES 10

/* quiet_look - at all destinations of a class that are looked after so. */
void quiet_look(struct roster *r, uint32_t class, uint64_t now);

/* quiet_every_ns - from one look to the next. */
uint64_t quiet_every_ns(const struct class_config *c);

#endif
