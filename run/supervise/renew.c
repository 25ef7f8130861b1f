/* renew.c - the supervisor goes over to the binary that is there now. */
#include "renew.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hold/keep.h"
#include "log.h"
#include "requests.h"
#include "shm/lock.h"

#define RENEW_VARIABLE "ONTIME_RENEWED" /* a descriptor of the binary before */

extern char **environ;

static int runs_another(pid_t pid, const char *binary)
{
	char path[32];
	struct stat runs, there;

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return stat(path, &runs) == 0 && stat(binary, &there) == 0 &&
	       (runs.st_ino != there.st_ino || runs.st_dev != there.st_dev);
}

static void path_of_supervisor(const struct supervisor *s, char path[PATH_BYTES + 16])
{
	snprintf(path, PATH_BYTES + 16, "%s/supervise", s->build);
}

int renew_is_due(const struct supervisor *s)
{
	char own[PATH_BYTES + 16];
	pid_t holder = segment_holder_pid(&s->seg);

	path_of_supervisor(s, own);
	return runs_another(getpid(), own) || (holder > 0 && runs_another(holder, s->holder.binary));
}

void renew_ask(struct supervisor *s, uint64_t now)
{
	s->renews = 1;
	s->renew_by_ns = now + RENEW_PATIENCE_NS;
}

int renew_is_time(const struct supervisor *s, uint64_t now)
{
	return s->renews && s->stopping.step == STOP_NOT_ASKED && s->reload.asked_fd < 0 &&
	       (requests_in_force(s) || now >= s->renew_by_ns);
}

/* What the next one asks its environment for, and this one has taken out of it; or out again. */
static void set_environment(const struct supervisor *s, int own_fd)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", own_fd);
	setenv(RENEW_VARIABLE, number, 1);
	holder_set_environment(&s->holder);
	manager_set_environment(&s->manager);
}

static void unset_environment(void)
{
	unsetenv(RENEW_VARIABLE);
	unsetenv(HOLDER_VARIABLE);
	manager_unset_environment();
}

void renew(struct supervisor *s, char **argv)
{
	char path[PATH_BYTES + 16];
	int own_fd = open("/proc/self/exe", O_RDONLY);

	s->renews = 0;
	path_of_supervisor(s, path);
	if (access(path, X_OK) == 0) {
		for (uint32_t i = 0; i < s->n_lives; i++)
			standby_end(&s->lives[i].standby);
		service_stop(&s->dash);
		service_init(&s->dash, s->build);
		scouting_stop(&s->scout);
		scouting_init(&s->scout, s->build);
		set_environment(s, own_fd);
		execv(path, argv);
		unset_environment();
	}
	log_error("go over to %s: %s: the supervisor that runs goes on", path, log_text_of(errno));
	if (own_fd >= 0)
		close(own_fd);
}

/* It goes on as any supervisor does if nothing can be read: then it says itself what is wrong. */
static int is_of_another_layout(void)
{
	struct header h;

	return pread(handed_fd("segment"), &h, sizeof(h), 0) == (ssize_t)sizeof(h) &&
	       (h.layout != LAYOUT_VERSION || h.layout_hash != layout_hash());
}

int renew_arrive(char **argv)
{
	const char *number = getenv(RENEW_VARIABLE);
	int fd = number ? atoi(number) : -1;

	if (!number)
		return 0;
	unsetenv(RENEW_VARIABLE);
	if (is_of_another_layout()) {
		log_warn(
			"%s is of a build with another layout than this instance: the supervisor before it goes on; to "
			"upgrade, run/stop.sh and run/launch.sh",
			argv[0]);
		execveat(fd, "", argv, environ, AT_EMPTY_PATH);
		log_error("go back to the supervisor before: %s", log_text_of(errno));
	}
	return 1;
}
