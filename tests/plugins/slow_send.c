/*
 * slow_send.c - preloaded into egress: every other sendmmsg happens 20 ms late, as if the stage had been pre-empted on
 * its way there. With SLOW_SEND_DIES in the environment the stage is killed in that call, after the kernel's last
 * store.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	static const struct timespec late = { .tv_nsec = 20000000 };
	static unsigned int calls;
	int is_late = calls++ % 2 == 0, sent;

	if (is_late)
		nanosleep(&late, NULL);
	sent = (int)syscall(SYS_sendmmsg, fd, msgs, n, flags);
	if (is_late && getenv("SLOW_SEND_DIES"))
		raise(SIGKILL);
	return sent;
}
