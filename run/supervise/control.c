/* control.c - the control socket of an instance. */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "units.h"

#define FRESH_NAME CONTROL_NAME ".new"
#define N_BACKLOG 64
#define N_ACCEPTS 16 /* in one turn of the loop, which has more to do */
#define REQUEST_NS NS_PER_S /* for a request to come */
#define SHORT_NS (100 * NS_PER_MS)
#define STATUS_BYTES 4 /* in front of an answer */

/* By the descriptor of the directory: its name may be longer than an address has room for, or another's by now. */
static int make_at(int directory, ino_t *inode)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;
	struct stat st = { 0 };

	if (fd < 0)
		return -errno;
	snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/%s", directory, FRESH_NAME);
	unlinkat(directory, FRESH_NAME, 0);
	err = bind(fd, (const struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, N_BACKLOG) < 0 ||
			      fstatat(directory, FRESH_NAME, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
			      renameat(directory, FRESH_NAME, directory, CONTROL_NAME) < 0
		      ? -errno
		      : 0;
	*inode = st.st_ino;
	if (!err)
		return fd;
	close(fd);
	return err;
}

/* What the kernel chooses is nobody else's, and cannot be taken first. */
static int make_nameless(uint64_t *name)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(sa_family_t);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err = fd < 0 ? -errno : 0;

	if (!err && (bind(fd, (const struct sockaddr *)&at, len) < 0 || listen(fd, N_BACKLOG) < 0))
		err = -errno;
	len = sizeof(at);
	if (!err && getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		err = -errno;
	*name = 0;
	memcpy(name, at.sun_path + 1, CONTROL_NAMELESS_BYTES);
	if (err && fd >= 0)
		close(fd);
	return err ? err : fd;
}

static void use(struct control *c, int fd, ino_t inode, uint64_t name)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = fd;
	c->inode = inode;
	/* relaxed: who asks and gets no answer looks again */
	atomic_store_explicit(c->nameless, name, memory_order_relaxed);
}

static void make(struct control *c, const struct names *n)
{
	ino_t inode = 0;
	int directory = names_open_directory(n), fd = directory < 0 ? directory : make_at(directory, &inode);
	uint64_t name;

	if (directory >= 0)
		close(directory);
	if (fd < 0 && !c->has_told)
		log_error("make %s/%s: %s: trying again each second; the scripts find the supervisor without it",
			  n->directory, CONTROL_NAME, log_text_of(-fd));
	c->has_told = fd < 0;
	if (fd >= 0) {
		use(c, fd, inode, 0);
	} else if (c->fd < 0 || c->inode) {
		fd = make_nameless(&name);
		if (fd >= 0)
			use(c, fd, 0, name);
	}
}

void control_open(struct control *c, const struct names *n, const struct segment *seg)
{
	memset(c, 0, sizeof(*c));
	c->fd = -1;
	c->nameless = &seg->shared->stages[0].control_name;
	for (int i = 0; i < N_CLIENTS; i++)
		c->clients[i].fd = -1;
	make(c, n);
}

void control_keep(struct control *c, const struct names *n)
{
	char path[PATH_BYTES + 32];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", n->directory, CONTROL_NAME);
	if (c->fd < 0 || lstat(path, &st) < 0 || st.st_ino != c->inode)
		make(c, n);
}

void control_list(const struct control *c, struct pollfd polls[1 + N_CLIENTS], uint64_t now)
{
	polls[0] = (struct pollfd){ .fd = now < c->accept_due_ns ? -1 : c->fd, .events = POLLIN };
	for (int i = 0; i < N_CLIENTS; i++) /* of one that waits for its answer only whether it is there still */
		polls[1 + i] = (struct pollfd){ .fd = c->clients[i].fd,
						.events = c->clients[i].asked == ASKED_NOTHING ? POLLIN : 0 };
}

static void let_go(struct client *client)
{
	close(client->fd);
	client->fd = -1;
	client->asked = ASKED_NOTHING;
}

void control_say_lines(struct client *client, const char *lines)
{
	size_t room = sizeof(client->text) - client->len - 1, len = strlen(lines);

	if (len > room) /* whole lines */
		for (len = room; len > 0 && lines[len - 1] != '\n';)
			len--;
	memcpy(client->text + client->len, lines, len);
	client->len += len;
	client->text[client->len] = '\0';
}

void control_say(struct client *client, const char *format, ...)
{
	char line[LOG_LINE_BYTES];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof(line) - 1, format, args);
	va_end(args);
	if (n < 0)
		return;
	n = n < (int)sizeof(line) - 1 ? n : (int)sizeof(line) - 2;
	line[n] = '\n';
	line[n + 1] = '\0';
	control_say_lines(client, line);
}

void control_answer(struct client *client, int status)
{
	char text[STATUS_BYTES + CONTROL_ANSWER_BYTES];
	int len = snprintf(text, sizeof(text), "%d\n%s", status, client->text);

	if (client->fd < 0)
		return;
	/* One message in a buffer that is empty; who does not read it has not asked for it. */
	send(client->fd, text, (size_t)len, MSG_DONTWAIT | MSG_NOSIGNAL);
	let_go(client);
}

/* The place of a new one; somebody who has asked for nothing yet makes room. NULL: all wait for their answers. */
static struct client *find_place(struct control *c)
{
	struct client *oldest = NULL;

	for (int i = 0; i < N_CLIENTS; i++) {
		struct client *client = &c->clients[i];

		if (client->fd < 0)
			return client;
		if (client->asked == ASKED_NOTHING && (!oldest || client->due_ns < oldest->due_ns))
			oldest = client;
	}
	if (oldest)
		let_go(oldest);
	return oldest;
}

static int is_allowed(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && (peer.uid == geteuid() || peer.uid == 0);
}

static int is_text(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return 0;
	return len > 0;
}

/* Returns 1 when it is a request. Descriptors that come along have no room, so the kernel closes them. */
static int receive(struct client *client, char request[CONTROL_REQUEST_BYTES])
{
	ssize_t n = recv(client->fd, request, CONTROL_REQUEST_BYTES - 1, MSG_DONTWAIT | MSG_TRUNC);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		let_go(client);
		return 0;
	}
	if (n >= CONTROL_REQUEST_BYTES)
		control_say(client, "the request has %zd bytes, and %d are the most", n, CONTROL_REQUEST_BYTES - 1);
	else if (!is_text(request, (size_t)n))
		control_say(client, "the request is not a line of text");
	if (client->len) {
		control_answer(client, CONTROL_REFUSED);
		return 0;
	}
	request[n] = '\0';
	return 1;
}

static struct client *take_in(struct control *c, int fd, uint64_t now)
{
	struct client *client;

	if (c->inode == 0 && !is_allowed(fd)) { /* anybody can connect to that one */
		close(fd);
		return NULL;
	}
	client = find_place(c);
	if (!client) {
		static const char busy[] = "1\nthe supervisor works on as many requests as it can: ask again\n";

		send(fd, busy, sizeof(busy) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
		return NULL;
	}
	client->fd = fd;
	client->asked = ASKED_NOTHING;
	client->due_ns = now + REQUEST_NS;
	client->len = 0;
	client->text[0] = '\0';
	return client;
}

void control_take(struct control *c, const struct pollfd polls[1 + N_CLIENTS], uint64_t now,
		  void (*take)(void *arg, struct client *client, char *request, int is_allowed), void *arg)
{
	char request[CONTROL_REQUEST_BYTES];

	for (int i = 0; i < N_CLIENTS; i++) {
		struct client *client = &c->clients[i];

		if (client->fd < 0 || client->fd != polls[1 + i].fd)
			continue;
		if (client->asked != ASKED_NOTHING && (polls[1 + i].revents & (POLLHUP | POLLERR)))
			let_go(client);
		else if (client->asked == ASKED_NOTHING && polls[1 + i].revents && receive(client, request))
			take(arg, client, request, is_allowed(client->fd));
		if (client->fd >= 0 && client->asked == ASKED_NOTHING && now >= client->due_ns)
			let_go(client);
	}
	for (int i = 0; polls[0].revents && i < N_ACCEPTS; i++) {
		int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct client *client = fd < 0 ? NULL : take_in(c, fd, now);

		if (fd < 0 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
			c->accept_due_ns = now + SHORT_NS;
		if (fd < 0)
			break;
		if (client && receive(client, request)) /* it is there already, as a rule */
			take(arg, client, request, is_allowed(client->fd));
	}
}

void control_close(struct control *c, const struct names *n)
{
	int directory = names_open_directory(n);

	if (directory >= 0) {
		unlinkat(directory, CONTROL_NAME, 0);
		close(directory);
	}
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}
