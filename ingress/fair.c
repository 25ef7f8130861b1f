/* fair.c - buckets that are read by turns. */
#include "fair.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "pick.h"
#include "stage/icmp.h"

#define MOST_CALLS 8 /* that read a bucket, before all are looked at again */

struct fair *fair_open(int first_fd, uint32_t n, uint32_t quantum_bytes)
{
	struct fair *f = calloc(1, sizeof(*f));
	uint32_t quanta[MOST_BUCKETS];
	int err;

	if (!f)
		return NULL;
	f->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	f->first_fd = first_fd;
	f->n = n;
	for (uint32_t k = 0; k < n; k++)
		quanta[k] = quantum_bytes;
	drr_init(&f->drr, n, quanta);
	memset(f->asks_pkts, LEAST_ASKED, sizeof(f->asks_pkts));
	for (uint32_t k = 0; k < n; k++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = k };

		if (f->poll_fd >= 0 && epoll_ctl(f->poll_fd, EPOLL_CTL_ADD, first_fd + (int)k, &event) == 0)
			continue;
		err = errno;
		fair_close(f);
		errno = err;
		return NULL;
	}
	return f;
}

void fair_close(struct fair *f)
{
	if (f && f->poll_fd >= 0)
		close(f->poll_fd);
	free(f);
}

/* An error that stays in its socket would be told of for ever. */
static void look(struct fair *f)
{
	struct epoll_event events[MOST_BUCKETS];
	int n = epoll_wait(f->poll_fd, events, MOST_BUCKETS, 0);

	f->unlooked_pkts = 0;
	for (int i = 0; i < n; i++) {
		uint32_t k = events[i].data.u32;

		if (events[i].events & EPOLLERR)
			f->refusals += icmp_take_all(f->first_fd + (int)k);
		if (events[i].events & EPOLLIN)
			f->ready |= 1ULL << k;
	}
}

int fair_next(struct fair *f)
{
	uint32_t oldest_bytes[MOST_BUCKETS];

	if (!f->ready || f->unlooked_pkts >= BATCH)
		look(f);
	for (uint32_t k = 0; k < f->n; k++)
		oldest_bytes[k] = f->ready >> k & 1;
	if (!f->ready)
		return 0;
	f->bucket = (uint32_t)drr_pick(&f->drr, oldest_bytes);
	return 1;
}

void fair_read(struct fair *f, uint32_t bytes, uint32_t pkts, int emptied)
{
	drr_charge(&f->drr, (int)f->bucket, bytes + pkts);
	if (emptied)
		f->ready &= ~(1ULL << f->bucket);
	f->unlooked_pkts += emptied ? pkts + BATCH / MOST_CALLS : BATCH;
}
