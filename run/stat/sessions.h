/* sessions.h - who is talking through an instance: its sessions, a line each. */
#ifndef ONTIME_STAT_SESSIONS_H
#define ONTIME_STAT_SESSIONS_H

#include <stdio.h>

/* stat_sessions - as a table, or as one JSON object. 0, or -errno after one line. */
int stat_sessions(FILE *out, const char *instance, int json);

#endif
