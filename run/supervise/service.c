/* service.c - the dashboard of an instance, kept running. */
#include "service.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "hold/process.h"
#include "hold/spawn.h"
#include "log.h"

#define STOP_MS 1000

void service_init(struct service *d, const char *build)
{
	*d = (struct service){ .pidfd = -1 };
	snprintf(d->binary, sizeof(d->binary), "%s/dash", build);
}

static void start(struct service *d, const struct config *c, uint64_t now)
{
	char instance[INSTANCE_NAME_BYTES], number[16];
	char *argv[] = { d->binary, "-i", instance, NULL };
	int err;

	snprintf(instance, sizeof(instance), "%s", c->instance);
	snprintf(number, sizeof(number), "%d", getpid());
	setenv(SUPERVISED_VARIABLE, number, 1);
	err = spawn(d->binary, argv, 0, -1, &d->pid, &d->pidfd);
	unsetenv(SUPERVISED_VARIABLE);
	d->began_at_ns = now;
	d->due_ns = now + NS_PER_S;
	d->listen = c->dash_listen;
	memcpy(d->allow_host, c->dash_allow_host, sizeof(d->allow_host));
	memcpy(d->token, c->dash_token, sizeof(d->token));
	if (!err)
		return;
	d->pidfd = -1;
	if (!d->row.has_told)
		log_warn("start the dashboard %s: %s: it is tried again each second", d->binary, log_text_of(err));
	d->row.has_told = 1;
}

void service_tend(struct service *d, const struct config *c, uint64_t now)
{
	int is_same = memcmp(&d->listen.at, &c->dash_listen.at, sizeof(d->listen.at)) == 0 &&
		      strcmp(d->allow_host, c->dash_allow_host) == 0 && strcmp(d->token, c->dash_token) == 0;

	if (d->pidfd >= 0 && (!c->n_dash_listen || !is_same)) {
		process_signal(d->pidfd, SIGTERM);
		return;
	}
	if (d->pidfd < 0 && c->n_dash_listen && (now >= d->due_ns || !is_same))
		start(d, c, now);
}

void service_ended(struct service *d, uint64_t now)
{
	siginfo_t info = { 0 };

	waitid(P_PIDFD, (id_t)d->pidfd, &info, WEXITED);
	close(d->pidfd);
	d->pidfd = -1;
	if (row_count(&d->row, now - d->began_at_ns) == ROW_BEGINS)
		log_warn("the dashboard ends again and again (its own line says why): it is started again, at least "
			 "once a "
			 "second");
	d->due_ns = now + row_pause_ns(d->row.deaths);
}

void service_stop(struct service *d)
{
	if (d->pidfd >= 0 && process_end(d->pidfd, SIGTERM, STOP_MS) == 0)
		waitpid(d->pid, NULL, 0);
}
