/* take.c - the sockets of an instance, out of a stage that runs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "parts.h"
#include "sockets.h"
#include "stage/stage.h"

/* The cookie that each descriptor that is handed on should have; 0: it is no socket. */
static uint64_t wanted[MAX_HANDED];

static int want_of_part(void *arg, const struct segment *part)
{
	const struct header *h = &part->header;

	(void)arg;
	for (uint32_t i = 0; i < h->n_sockets; i++)
		wanted[i * part->n_shards + part->shard] = h->socket_cookies[i];
	return 0;
}

static int want_all(const struct segment *seg)
{
	const struct header *h = &seg->header;
	uint32_t at = h->n_sockets * seg->n_shards + sockets_uncounted(seg->n_shards);

	memset(wanted, 0, sizeof(wanted));
	for (uint32_t class = 0; class < h->n_classes; class++) {
		uint32_t n = h->classes[class].n_session_sockets;

		for (uint32_t k = 0; k < n; k++) /* behind the epoll instance */
			wanted[at + 1 + k] = seg->views[class].sessions[k].cookie;
		at += n ? n + 1 : 0;
	}
	return parts_each(seg, want_of_part, NULL);
}

int sockets_take(struct sockets *s, const struct segment *seg, pid_t stage)
{
	int pidfd = (int)syscall(SYS_pidfd_open, stage, 0), err = pidfd < 0 ? -errno : want_all(seg);

	memset(s, 0, sizeof(*s));
	s->n_shards = seg->n_shards;
	s->n_uncounted = sockets_uncounted(seg->n_shards);
	for (uint32_t i = 0; err >= 0 && i < sockets_expected(&seg->header); i++) {
		uint64_t cookie = 0;
		socklen_t len = sizeof(cookie);
		int fd = (int)syscall(SYS_pidfd_getfd, pidfd, LISTEN_FIRST_FD + (int)i, 0);

		if (fd < 0) {
			err = -errno;
			break;
		}
		s->fds[s->n++] = fd;
		getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len);
		if (cookie != wanted[i])
			err = -EPROTO;
	}
	if (pidfd >= 0)
		close(pidfd);
	if (err >= 0)
		return 0;
	log_warn("take the sockets from pid %d: %s", stage,
		 err == -EPROTO ? "one is not the socket that the segment was made for" : log_text_of(-err));
	while (s->n)
		close(s->fds[--s->n]);
	return err;
}
