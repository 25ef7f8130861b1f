/*
 * service.h - the dashboard of an instance: started where the configuration asks for it ([dash] listen), and kept
 * running.
 *
 * Memory:  private to the supervisor. The dashboard only looks on: no stage waits for it.
 * Rules:   it ends with its supervisor (SUPERVISED_VARIABLE, prctl(2) PR_SET_PDEATHSIG), so a successor starts another.
 *          One that ends by itself is started again after pauses that grow to one second (hold/row.h); that is said
 *          once.
 *          After a reload that changes [dash] it is started anew.
 */
#ifndef ONTIME_SUPERVISE_SERVICE_H
#define ONTIME_SUPERVISE_SERVICE_H

#include <sys/types.h>

#include "config/config.h"
#include "hold/row.h"

struct service {
	pid_t pid;
	int pidfd; /* -1: it does not run */
	uint64_t began_at_ns, due_ns;
	struct row row;
	char binary[PATH_BYTES];
	/* What it was started with. */
	struct address listen;
	char allow_host[DASH_HOSTS_BYTES];
	char token[PATH_BYTES];
};

void service_init(struct service *d, const char *build);

/* service_tend - start it, or end it, as the configuration asks. */
void service_tend(struct service *d, const struct config *c, uint64_t now);

/* service_ended - its pidfd is readable. */
void service_ended(struct service *d, uint64_t now);

/* service_stop - the supervisor ends. */
void service_stop(struct service *d);

#endif
