/* ask.c - a request to the supervisor of an instance. */
#include "ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "log.h"
#include "process.h"
#include "shm/lock.h"
#include "stage/stage.h"

#define RETRY_NS (50 * NS_PER_MS)
#define GONE_NS (10 * NS_PER_S) /* for a supervisor, or its socket, to be there again: a busy machine takes its time */
#define WAKE_NS NS_PER_S /* without an answer: it may be frozen */

/* The longest that an answer may take. */
static uint64_t patience_ns(const char *request)
{
	static const struct {
		const char *word;
		uint64_t ns;
	} most[] = { { "restart", 240 * NS_PER_S }, { "reload", 70 * NS_PER_S }, { "stop", STOP_MOST_MS * NS_PER_MS } };

	for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++)
		if (strncmp(request, most[i].word, strlen(most[i].word)) == 0)
			return most[i].ns;
	return 5 * NS_PER_S;
}

/* What ONTIME_DIR is in the environment of the process; 0, or -ENOENT. */
static int directory_of(pid_t pid, char directory[PATH_BYTES])
{
	static const char name[] = "ONTIME_DIR=";
	char path[32], *word = NULL;
	size_t room = 0;
	int err = -ENOENT;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/environ", pid);
	in = pid > 0 ? fopen(path, "re") : NULL;
	while (in && err && getdelim(&word, &room, '\0', in) > 0)
		if (strncmp(word, name, sizeof(name) - 1) == 0 && strlen(word) < PATH_BYTES) {
			snprintf(directory, PATH_BYTES, "%s", word + sizeof(name) - 1);
			err = 0;
		}
	free(word);
	if (in)
		fclose(in);
	return err;
}

/* Is it who has the instance? */
static int is_of_owner(int fd, const struct segment *seg)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	struct stat st;

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && fstat(seg->fd, &st) == 0 &&
	       peer.uid == st.st_uid;
}

/* A descriptor, or -errno. */
static int connect_at(const struct sockaddr_un *to, socklen_t len, const struct segment *seg)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), err = 0;
	struct timeval most = { .tv_sec = 1 };

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof(most));
	if (connect(fd, (const struct sockaddr *)to, len) < 0)
		err = -errno;
	else if (!is_of_owner(fd, seg))
		err = -EPERM;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* By the directory's descriptor: an address has no room for a long name. */
static int connect_in(const char *directory, const struct segment *seg)
{
	int at = open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), fd;
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (at < 0)
		return -errno;
	snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d/%s", at, CONTROL_NAME);
	fd = connect_at(&to, sizeof(to), seg);
	close(at);
	return fd;
}

static int connect_to(const struct segment *seg, pid_t supervisor, const char *at)
{
	/* relaxed: if it is an old one there is another try */
	uint64_t name = atomic_load_explicit(&seg->shared->stages[0].control_name, memory_order_relaxed);
	char directory[PATH_BYTES];
	struct sockaddr_un to;
	socklen_t len;

	if (name) {
		len = control_address(&to, name);
		return connect_at(&to, len, seg);
	}
	if (directory_of(supervisor, directory))
		snprintf(directory, sizeof(directory), "%s", at ? at : "");
	return connect_in(directory, seg);
}

/* Returns the length of the answer; 0: none came, the supervisor has ended; -ETIME: none came in time. */
static ssize_t converse(int fd, int pidfd, const char *request, uint64_t until_ns,
			char answer[CONTROL_ANSWER_BYTES + 8])
{
	uint64_t wake_at_ns = now_ns() + WAKE_NS;

	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		return 0;
	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint64_t now = now_ns();

		if (poll(&p, 1, 100) > 0) {
			ssize_t n = recv(fd, answer, CONTROL_ANSWER_BYTES + 7, MSG_DONTWAIT);

			return n > 0 ? n : 0;
		}
		if (now >= until_ns)
			return -ETIME;
		if (now >= wake_at_ns && pidfd >= 0) {
			process_signal(pidfd, SIGCONT);
			wake_at_ns = UINT64_MAX;
		}
	}
}

/* The lines, as a person is told them. */
static int print_answer(char *answer)
{
	char *line = strchr(answer, '\n'), *end;
	int status = atoi(answer);
	FILE *out = status ? stderr : stdout;

	for (line = line ? line + 1 : answer + strlen(answer); *line; line = end) {
		end = line + strcspn(line, "\n");
		for (char *c = line; c < end; c++)
			if ((unsigned char)*c < ' ' || *c == 0x7f)
				*c = '?';
		fprintf(out, "ontime: %.*s\n", (int)(end - line), line);
		end += *end == '\n';
	}
	return status;
}

struct asking {
	const struct segment *seg;
	const char *request, *at;
	char answer[CONTROL_ANSWER_BYTES + 8];
	pid_t pid; /* who is asked; 0: it cannot be seen from here */
};

/* 1: there is one; it may be frozen. */
static int wake_holder(const struct segment *seg)
{
	pid_t pid;
	int pidfd = process_open(seg, WHO_HOLDER, &pid);

	if (pidfd < 0)
		return segment_is_held(seg);
	process_signal(pidfd, SIGCONT);
	close(pidfd);
	return 1;
}

/* One try. Returns the length of the answer, or -EAGAIN: another try may be better; or why not. */
static ssize_t try_once(struct asking *a, uint64_t until_ns)
{
	int pidfd = process_open(a->seg, WHO_SUPERVISOR, &a->pid), fd;
	ssize_t n;

	if ((pidfd == -EPERM || pidfd == -EXDEV) && strcmp(a->request, "status") != 0) /* that harms nobody */
		return pidfd;
	if (pidfd == -ESRCH)
		return wake_holder(a->seg) ? -EAGAIN : -ESRCH; /* it starts another */
	fd = connect_to(a->seg, a->pid, a->at);
	if (fd < 0) {
		n = fd == -EPERM ? -EPERM : pidfd == -EXDEV ? -EXDEV : -EAGAIN;
	} else {
		n = converse(fd, pidfd, a->request, until_ns, a->answer);
		close(fd);
		if (n == 0)
			n = -EAGAIN;
		else if (n > 0 && pidfd >= 0 && (strcmp(a->request, "stop") == 0 || strcmp(a->request, "adopt") == 0))
			process_wait(pidfd, 3000); /* it has no more to do, and lets go of the segment */
	}
	if (pidfd >= 0)
		close(pidfd);
	return n;
}

int ask(const char *request, const char *at, const struct config *c, const struct segment *seg)
{
	static struct asking a;
	uint64_t until_ns = now_ns() + patience_ns(request), gone_ns = 0;
	struct timespec pause = { .tv_nsec = RETRY_NS };
	ssize_t n;

	a = (struct asking){ .seg = seg, .request = request, .at = at };
	while ((n = try_once(&a, until_ns)) == -EAGAIN && now_ns() < until_ns) {
		if (!gone_ns)
			gone_ns = now_ns() + GONE_NS;
		if (now_ns() >= gone_ns)
			break;
		nanosleep(&pause, NULL);
	}
	if (n > 0) {
		a.answer[n] = '\0';
		return print_answer(a.answer);
	}
	if (n == -ESRCH)
		log_error("nobody supervises instance '%s': run/launch.sh starts a supervisor, which adopts what runs",
			  c->instance);
	else if (n == -EPERM)
		log_error("instance '%s' belongs to another user: nothing of it is touched", c->instance);
	else if (n == -EXDEV)
		log_error(
			"the supervisor of instance '%s' runs in another pid namespace (a container?): act from there",
			c->instance);
	else if (n == -ETIME)
		log_error("the supervisor of instance '%s' (pid %d) has not answered within %d s", c->instance, a.pid,
			  (int)(patience_ns(request) / NS_PER_S));
	else
		log_error("the supervisor of instance '%s' (pid %d) has no control socket: see its log", c->instance,
			  a.pid);
	return n == -ESRCH ? EXIT_NOBODY : EXIT_TEMPORARY;
}
