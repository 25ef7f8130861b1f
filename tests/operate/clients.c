/*
 * clients.c - clients of a control socket that a supervisor must bear, and a service manager that listens.
 *
 * usage: clients DIRECTORY ask TEXT      one request; the answer as it comes, with its status in the first line
 *        clients DIRECTORY HOW N         N connections at once, kept for two seconds: silent (no request), deaf (a
 *        request,
 *                                        nothing read), huge (100,000 bytes), odd (no text), passing (64 descriptors
 *                                        along), gone (closed at once)
 *        clients DIRECTORY notify        make DIRECTORY/notify, and print each message that comes, a line per line
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "hold/control.h"

#define N_PASSED 64
#define HUGE_BYTES 100000

static int must(int result, const char *what)
{
	if (result >= 0)
		return result;
	fprintf(stderr, "clients: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int connect_control(int flags)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = CONTROL_NAME };
	int fd = must(socket(AF_UNIX, SOCK_SEQPACKET | flags, 0), "socket");

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && !(flags && errno == EAGAIN))
		must(-1, "connect");
	return fd;
}

static int ask(const char *text)
{
	static char answer[2 * CONTROL_ANSWER_BYTES];
	int fd = connect_control(0);
	ssize_t n;

	must((int)send(fd, text, strlen(text), MSG_NOSIGNAL), "send");
	n = recv(fd, answer, sizeof(answer) - 1, 0);
	must((int)n, "receive");
	fputs(answer, stdout);
	return n == 0;
}

static void pass(int fd)
{
	char control[CMSG_SPACE(N_PASSED * sizeof(int))] = { 0 };
	struct iovec text = { .iov_base = "status", .iov_len = 6 };
	struct msghdr message = {
		.msg_iov = &text, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	int fds[N_PASSED];

	fds[0] = must(open("/dev/null", O_RDONLY), "/dev/null");
	for (int i = 1; i < N_PASSED; i++)
		fds[i] = fds[0];
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fds));
	memcpy(CMSG_DATA(header), fds, sizeof(fds));
	sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	close(fds[0]);
}

static void behave(int fd, const char *how)
{
	static char huge[HUGE_BYTES];

	/* It may have made room for another already: then there is nobody to send to. */
	if (strcmp(how, "deaf") == 0)
		send(fd, "status", 6, MSG_NOSIGNAL | MSG_DONTWAIT);
	else if (strcmp(how, "huge") == 0)
		send(fd, huge, sizeof(huge), MSG_NOSIGNAL | MSG_DONTWAIT);
	else if (strcmp(how, "odd") == 0)
		send(fd, "\0\n\x7f", 3, MSG_NOSIGNAL | MSG_DONTWAIT);
	else if (strcmp(how, "passing") == 0)
		pass(fd);
	else if (strcmp(how, "gone") == 0)
		close(fd);
}

static int bother(const char *how, int n)
{
	struct rlimit most;

	getrlimit(RLIMIT_NOFILE, &most);
	most.rlim_cur = most.rlim_max;
	setrlimit(RLIMIT_NOFILE, &most);
	for (int i = 0; i < n; i++)
		behave(connect_control(SOCK_NONBLOCK), how);
	printf("%d %s\n", n, how);
	fflush(stdout);
	sleep(2);
	return 0;
}

static int listen_as_manager(void)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "notify" };
	int fd = must(socket(AF_UNIX, SOCK_DGRAM, 0), "socket");
	char text[4096];
	ssize_t n;

	must(bind(fd, (struct sockaddr *)&at, sizeof(at)), "bind");
	while ((n = recv(fd, text, sizeof(text) - 1, 0)) > 0) {
		text[n] = '\0';
		puts(text);
		fflush(stdout);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	must(chdir(argv[1]), argv[1]);
	if (strcmp(argv[2], "notify") == 0)
		return listen_as_manager();
	if (argc < 4)
		return 2;
	return strcmp(argv[2], "ask") == 0 ? ask(argv[3]) : bother(argv[2], atoi(argv[3]));
}
