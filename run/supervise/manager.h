/*
 * manager.h - the service manager that has started this supervisor as its main process (hold --unit), if
 * one has: what it is told.
 *
 * Memory:  private to the supervisor. The stages, the holder and a supervisor that the holder starts tell it nothing.
 * Rules:   READY=1 once the three stages are ready; RELOADING=1, and READY=1 again, around a reload; STOPPING=1;
 *          STATUS= when that is another; WATCHDOG=1 once a second, where a watchdog is asked for.
 *          What could not be sent is sent again a second later. Nobody waits for it.
 * Source:  sd_notify(3).
 */
#ifndef ONTIME_SUPERVISE_MANAGER_H
#define ONTIME_SUPERVISE_MANAGER_H

#include "config/config.h"

#define MANAGER_VARIABLE "ONTIME_SERVICE" /* set: it is the main process of a service */

struct manager {
	int is_there; /* this is the main process of a service, whether or not it is to be told */
	char socket[PATH_BYTES]; /* "": nobody is told */
	char watchdog_us[24]; /* "": none is asked for */
	int is_ready, has_told_ready;
	char status[160], told_status[160];
};

/* manager_init - takes the variables out of the environment, so that no other process has them. */
void manager_init(struct manager *m);

/* manager_set_environment - put them back, for the binary that this process goes over to. */
void manager_set_environment(const struct manager *m);
void manager_unset_environment(void);

/* manager_ready - the three stages are ready, for the first time or after a reload. */
void manager_ready(struct manager *m);

void manager_reloading(struct manager *m, uint64_t now);
void manager_stopping(struct manager *m);

/* manager_status - one line for people. */
void manager_status(struct manager *m, const char *text);

/* manager_keep - once a second. */
void manager_keep(struct manager *m);

#endif
