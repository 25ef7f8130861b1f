/* holder.c - the supervisor's view of its holder. */
#include "holder.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "stage/stage.h"
#include "hold/keep.h"
#include "hold/process.h"
#include "log.h"
#include "hold/spawn.h"

#define WAIT_MS 1000

int holder_init(struct holder *h, const char *build, char *const *argv)
{
	const char *number = getenv(HOLDER_VARIABLE);
	pid_t pid = number ? atoi(number) : 0;
	int pidfd;

	*h = (struct holder){ .is_wanted = number != NULL, .pidfd = -1, .argv = argv };
	snprintf(h->binary, sizeof(h->binary), "%s/hold", build);
	unsetenv(HOLDER_VARIABLE);
	if (pid <= 0) /* it is to start one, or wants none */
		return 0;
	pidfd = process_open_parent(pid);
	if (pidfd == -ESRCH) {
		pidfd = process_open_child(pid);
		h->child = pidfd < 0 ? 0 : pid;
	}
	if (pidfd == -ESRCH)
		return pidfd;
	h->parent = h->child ? 0 : pid;
	h->pidfd = pidfd < 0 ? -1 : pidfd; /* short of descriptors it goes on, and tries to have another */
	return 0;
}

void holder_set_environment(const struct holder *h)
{
	int is_there = h->pidfd >= 0, is_child = h->child != 0;
	char number[16];

	if (!h->is_wanted)
		return;
	if (!is_child && getppid() != h->parent) /* that ended meanwhile: whoever took its children is no holder */
		is_there = 0;
	snprintf(number, sizeof(number), "%d", is_there ? is_child ? h->child : h->parent : 0);
	setenv(HOLDER_VARIABLE, number, 1);
}

void holder_renew(struct holder *h)
{
	if (h->pidfd >= 0)
		process_signal(h->pidfd, SIGUSR2);
}

void holder_start(struct holder *h, uint64_t now)
{
	char number[16];
	char *argv[MAX_ARGUMENTS + 8] = { h->binary, "--beside", number, "--" };
	int n = 4, err;

	if (!h->is_wanted || h->pidfd >= 0 || now < h->due_ns)
		return;
	snprintf(number, sizeof(number), "%d", getpid());
	for (int i = 0; h->argv[i]; i++)
		argv[n++] = h->argv[i];
	argv[n] = NULL;
	err = spawn(h->binary, argv, 0, -1, &h->child, &h->pidfd);
	h->began_at_ns = now;
	h->due_ns = now + NS_PER_S;
	if (!err)
		return;
	h->child = 0;
	h->pidfd = -1;
	if (!h->row.has_told)
		log_warn("start another holder %s: %s: it is tried again each second", h->binary, log_text_of(err));
	h->row.has_told = 1;
}

/* Once per change: one that cannot stay is started each second. */
static void tell(struct holder *h, uint64_t lived_ns)
{
	enum row_news news = row_count(&h->row, lived_ns);

	if (news == ROW_ENDED_WELL)
		log_warn("the holder of the sockets was killed: another is started");
	else if (news == ROW_BEGINS)
		log_error("the holder of the sockets ends again and again (its own line says why): another is started "
			  "each second");
}

void holder_ended(struct holder *h, uint64_t now)
{
	close(h->pidfd);
	h->pidfd = -1;
	if (h->child)
		waitpid(h->child, NULL, 0);
	h->child = 0;
	tell(h, now - h->began_at_ns);
	holder_start(h, now);
}

void holder_let_go(struct holder *h)
{
	if (h->pidfd < 0)
		return;
	process_signal(h->pidfd, SIGUSR1);
	if (h->child && process_wait(h->pidfd, WAIT_MS))
		waitpid(h->child, NULL, 0);
}
