/* cut.c - a segment that its owner cuts short under an observer. */
#include "cut.h"

#include <signal.h>
#include <sys/mman.h>

static struct {
	void *at;
	size_t bytes;
} observed[MOST_SHARDS];

static void *put_zeros(void *at, size_t bytes)
{
	/* cppcheck-suppress invalidFunctionArg ; -1 is what MAP_ANONYMOUS wants */
	return mmap(at, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void on_bus_error(int sig, siginfo_t *info, void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr;
	void *zeros = MAP_FAILED;

	(void)context;
	for (int i = 0; i < MOST_SHARDS; i++)
		if (observed[i].at && at - (uintptr_t)observed[i].at < observed[i].bytes)
			zeros = put_zeros(observed[i].at, observed[i].bytes);
	if (zeros != MAP_FAILED)
		return;
	signal(sig, SIG_DFL); /* the instruction is tried again, and ends the process */
}

void cut_bear(const struct segment *seg)
{
	struct sigaction act = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };

	observed[seg->shard].at = seg->shared;
	observed[seg->shard].bytes = seg->size_bytes;
	sigaction(SIGBUS, &act, NULL);
}

void cut_forget(const struct segment *seg)
{
	if (seg->shared && seg->shared == observed[seg->shard].at)
		observed[seg->shard].at = NULL;
}
