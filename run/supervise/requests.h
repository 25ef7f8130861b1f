/*
 * requests.h - what a supervisor is asked for, by signals and through the control socket, and its answers.
 *
 * Rules:   nothing here waits: a request that takes its time is looked at every 10 ms (requests_tend()), and answered
 *          when it is done, or when its time is over.
 *          restart: when the successor is ready; of the supervisor before it goes over to its file. reload: when the
 *          stages that run say that they go by the new configuration, or with the first one that has not after
 *          RELOAD_STAGES_NS. stop: when the instance is gone.
 *          adopt: supervisor and holder end, and the stages go on; who asks has their descriptors, and adopts them. The
 *          main process of a service stays.
 *          While the instance is being stopped, whatever would change it is refused.
 */
#ifndef ONTIME_SUPERVISE_REQUESTS_H
#define ONTIME_SUPERVISE_REQUESTS_H

#include "supervisor.h"

#define REQUEST_LOOK_NS (10 * NS_PER_MS)
#define RELOAD_STAGES_NS (5 * NS_PER_S)
#define RELOAD_HOSTS_NS (60 * NS_PER_S) /* for host names to be asked for */
#define RESTART_NS (5 * NS_PER_S) /* of a stage, without the time in which it is starting */

/* requests_take - for control_take(): arg is the supervisor. */
void requests_take(void *arg, struct client *client, char *request, int is_allowed);

/* request_reload - from `file`, NULL: the one of the launch. request_stop - in order. */
void request_reload(struct supervisor *s, const char *file, uint64_t now);
void request_stop(struct supervisor *s, uint64_t now);

/* requests_in_force - are all stages ready, and go by the configuration that is in force? */
int requests_in_force(const struct supervisor *s);

/* requests_reloaded - the verdict on the reload that asked for host names. */
void requests_reloaded(struct supervisor *s, enum reload_verdict verdict, uint64_t now);

/* requests_tend - what is waited for. requests_any - is anything? */
void requests_tend(struct supervisor *s, uint64_t now);
int requests_any(const struct supervisor *s);

/*
 * requests_end - the supervisor ends. Who waits for a stop gets the answer; everybody else sees the connection end, and
 * asks the next supervisor.
 */
void requests_end(struct supervisor *s);

/* request_describe - what is not as it should be, a line each; returns the length. */
size_t request_describe(const struct supervisor *s, char *text, size_t bytes);

#endif
