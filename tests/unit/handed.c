/* handed.c - descriptors are handed on in their order, whatever places they had, and found by name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hold/sockets.h"
#include "random.h"
#include "stage/handed.h"
#include "cookies.h"
#include "suites.h"

#define MANY 200

static void a_name_that_stands_for_many_is_found_with_their_number(void)
{
	uint32_t n = 7;

	setenv("LISTEN_FDNAMES", "a.in.0:a.in.1:space:segment:config:a.poll.0:a.via.0*1024:ab.poll.0:ab.via.0*1", 1);
	CU_ASSERT_EQUAL(handed_fd("a.in.1"), 4);
	CU_ASSERT_EQUAL(handed_fd("config"), 7);
	CU_ASSERT_EQUAL(handed_socket("a", "poll", 0), 8);
	CU_ASSERT_EQUAL(handed_range("a", "via", &n), 9);
	CU_ASSERT_EQUAL(n, 1024);
	CU_ASSERT_EQUAL(handed_socket("ab", "poll", 0), 9 + 1024);
	CU_ASSERT_EQUAL(handed_range("ab", "via", &n), 10 + 1024);
	CU_ASSERT_EQUAL(n, 1);
	CU_ASSERT_EQUAL(handed_range("b", "via", &n), -1);
	CU_ASSERT_EQUAL(n, 0);
	CU_ASSERT_EQUAL(handed_range("a", "vi", &n), -1);
	CU_ASSERT_EQUAL(handed_socket("a", "via", 1), -1);
	CU_ASSERT_EQUAL(handed_fd("a"), -1);
	CU_ASSERT_EQUAL(handed_fd(""), -1);
	unsetenv("LISTEN_FDNAMES");
	CU_ASSERT_EQUAL(handed_range("a", "via", &n), -1);
}

static ino_t inode_of(int fd)
{
	struct stat status = { 0 };

	return fstat(fd, &status) < 0 ? 0 : status.st_ino;
}

static uint32_t open_fds(void)
{
	uint32_t n = 0;

	for (int fd = LISTEN_FIRST_FD; fd < 1000; fd++)
		n += inode_of(fd) != 0;
	return n;
}

/* In a child: memory files at the places given are handed on. Returns 0 if each is where it belongs, and no more. */
static int hand_on_from(const int *places, uint32_t n)
{
	static struct sockets s;
	static ino_t inodes[MANY];

	close_range(LISTEN_FIRST_FD, ~0U, 0);
	memset(&s, 0, sizeof(s));
	for (uint32_t i = 0; i < n; i++) {
		int fd = memfd_create("handed", 0);

		/* One that lies where a later one belongs would be lost: they come from above. */
		s.fds[i] = dup2(fd, 500 + (int)i);
		close(fd);
		inodes[i] = inode_of(s.fds[i]);
	}
	for (uint32_t i = 0; i < n; i++) {
		dup2(500 + (int)i, places[i]);
		close(500 + (int)i);
		s.fds[i] = places[i];
	}
	s.n = n;
	if (sockets_hand_on(&s) || open_fds() != n)
		return 1;
	for (uint32_t i = 0; i < n; i++)
		if (inode_of(LISTEN_FIRST_FD + (int)i) != inodes[i] || s.fds[i] != LISTEN_FIRST_FD + (int)i)
			return 2;
	return atoi(getenv("LISTEN_FDS")) == (int)n ? 0 : 3;
}

static int exit_of(const int *places, uint32_t n)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(hand_on_from(places, n));
	CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
	return status;
}

static void each_descriptor_gets_its_place_whoever_has_it_now(void)
{
	int places[MANY];

	for (int i = 0; i < MANY; i++)
		places[i] = LISTEN_FIRST_FD + i;
	CU_ASSERT_EQUAL(exit_of(places, MANY), 0); /* all are there already */
	for (int i = 0; i < MANY; i++)
		places[i] = LISTEN_FIRST_FD + (i + 1) % MANY;
	CU_ASSERT_EQUAL(exit_of(places, MANY), 0); /* one circle of all */
	for (int i = 0; i < MANY; i++)
		places[i] = LISTEN_FIRST_FD + MANY - 1 - i;
	CU_ASSERT_EQUAL(exit_of(places, MANY), 0); /* pairs that change places */
	for (int i = 0; i < MANY; i++)
		places[i] = LISTEN_FIRST_FD + MANY / 2 + i;
	CU_ASSERT_EQUAL(exit_of(places, MANY), 0); /* two ranges that overlap */
}

static void any_order_of_descriptors_is_handed_on(void)
{
	uint64_t state = 11;
	int places[2 * MANY];

	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 2 * MANY; i++)
			places[i] = LISTEN_FIRST_FD + i;
		for (uint32_t i = 2 * MANY - 1; i > 0; i--) {
			uint32_t j = (uint32_t)((random_next(&state) >> 32) % (i + 1));
			int was = places[i];

			places[i] = places[j];
			places[j] = was;
		}
		CU_ASSERT_EQUAL(exit_of(places, 1 + (uint32_t)(random_next(&state) >> 32) % MANY), 0);
	}
}

static struct segment seg;

/*
 * In a child: a class of the segment's has two sessions, whose sockets are handed on. Returns what a stage says of it.
 */
static int check_handed(const char *names, int swaps)
{
	static struct session sessions[2];

	close_range(LISTEN_FIRST_FD, ~0U, 0);
	memset(&seg, 0, sizeof(seg));
	seg.n_classes = seg.header.n_classes = 1;
	strcpy(seg.header.classes[0].name, "a");
	seg.header.classes[0].n_sessions = seg.header.classes[0].n_session_sockets = 2;
	seg.views[0].sessions = sessions;
	dup2(memfd_create("poll", 0), LISTEN_FIRST_FD);
	for (int k = 0; k < 2; k++) {
		socklen_t len = sizeof(sessions[0].cookie);
		int fd = socket(AF_INET, SOCK_DGRAM, 0);

		CU_ASSERT_EQUAL(fd, LISTEN_FIRST_FD + 1 + k);
		getsockopt(fd, SOL_SOCKET, SO_COOKIE, &sessions[k ^ swaps].cookie, &len);
	}
	setenv("LISTEN_FDS", "3", 1);
	setenv("LISTEN_FDNAMES", names, 1);
	close(STDERR_FILENO);
	return -handed_check(&seg);
}

static int handed_exit(const char *names, int swaps)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(check_handed(names, swaps));
	CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void another_socket_is_not_taken_for_a_sessions(void)
{
	if (!has_cookies())
		SKIP("an emulator without cookies of sockets");
	CU_ASSERT_EQUAL(handed_exit("a.poll.0:a.via.0*2", 0), 0);
	CU_ASSERT_EQUAL(handed_exit("a.poll.0:a.via.0*2", 1), EBADF);
	CU_ASSERT_EQUAL(handed_exit("a.via.0*2:a.poll.0", 0), EBADF);
	CU_ASSERT_EQUAL(handed_exit("b.poll.0:b.via.0*2", 1), 0); /* sessions_open() says so where they are needed */
}

SUITE(handed, TEST(a_name_that_stands_for_many_is_found_with_their_number),
      TEST(each_descriptor_gets_its_place_whoever_has_it_now), TEST(any_order_of_descriptors_is_handed_on),
      TEST(another_socket_is_not_taken_for_a_sessions))
