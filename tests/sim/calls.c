/* calls.c - the system calls of the stages, wrapped at link time: what each one costs, and who answers it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "harness/harness.h"
#include "sim.h"

#define EPOLL_FD 290 /* no real one: whatever closes it gets EBADF */
#define CALL_NS 300 /* a system call that does little */
#define RECEIVE_NS 400 /* per datagram */
#define SEND_NS 700

/* clang-format off */
int __real_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int __wrap_clock_nanosleep(clockid_t id, int flags, const struct timespec *t, struct timespec *left);
int __wrap_nanosleep(const struct timespec *t, struct timespec *left);
long __wrap_syscall(long number, ...);
int __wrap_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags, struct timespec *timeout);
int __wrap_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags);
int __real_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms);
int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);
int __wrap_bind(int fd, const struct sockaddr *at, socklen_t len);
int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len);
int __wrap_getsockname(int fd, struct sockaddr *at, socklen_t *len);
int __wrap_getpeername(int fd, struct sockaddr *at, socklen_t *len);
int __real_getsockopt(int fd, int level, int option, void *value, socklen_t *len);
int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len);
int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t len);
int __wrap_epoll_create1(int flags);
int __wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);
int __wrap_epoll_wait(int epoll_fd, struct epoll_event *events, int most, int timeout_ms);
ssize_t __real_read(int fd, void *to, size_t bytes);
ssize_t __wrap_read(int fd, void *to, size_t bytes);
ssize_t __real_write(int fd, const void *from, size_t bytes);
ssize_t __wrap_write(int fd, const void *from, size_t bytes);
int __real_fcntl(int fd, int cmd, ...);
int __wrap_fcntl(int fd, int cmd, ...);
int __wrap_mlock2(const void *at, size_t bytes, unsigned int flags);
int __wrap_shm_open(const char *name, int flags, mode_t mode);
int __wrap_shm_unlink(const char *name);
int __wrap_softnet_is_starvable(void);
/* clang-format on */

static int segment_fd = -1; /* what shm_open() finds */

/* 0 or more as it is; a negative errno as -1 and errno. */
static int answer(int result, uint64_t cost_ns)
{
	sim.result.calls++;
	sim_spend(cost_ns);
	if (result >= 0)
		return result;
	errno = -result;
	return -1;
}

static struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };
}

static uint64_t to_ns(const struct timespec *t)
{
	return (uint64_t)t->tv_sec * NS_PER_S + (uint64_t)t->tv_nsec;
}

uint64_t sim_wall_ns(void)
{
	struct timespec t;

	__real_clock_gettime(CLOCK_MONOTONIC, &t);
	return to_ns(&t);
}

int __wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	uint64_t now = sim_read_clock();

	*t = to_timespec(id == CLOCK_REALTIME ? input_real_ns() : now);
	return 0;
}

int __wrap_clock_nanosleep(clockid_t id, int flags, const struct timespec *t, struct timespec *left)
{
	(void)id;
	(void)left;
	sim_spend(CALL_NS);
	if (sim_happens(FAULT_CALL, 20))
		return EINTR;
	sim_sleep(NULL, flags & TIMER_ABSTIME ? to_ns(t) : sim_now_ns() + to_ns(t));
	return 0;
}

int __wrap_nanosleep(const struct timespec *t, struct timespec *left)
{
	(void)left;
	sim_sleep(NULL, sim_now_ns() + to_ns(t));
	return 0;
}

/* A worker of edf that is done rings it. */
static int sleep_on(const _Atomic uint32_t *word, uint64_t until_ns)
{
	uint64_t news_ns = sim_stage() == STAGE_EDF ? workers_news_ns() : UINT64_MAX;

	if (news_ns > until_ns)
		return sim_sleep(word, until_ns);
	sim_sleep(word, news_ns);
	return 1;
}

static int futex_wait(const _Atomic uint32_t *word, uint32_t value, uint64_t timeout_ns)
{
	uint64_t began_at_ns = sim_now_ns();
	int woken;

	if (atomic_load_explicit(word, memory_order_relaxed) != value)
		return -EAGAIN;
	if (sim_happens(FAULT_CALL, 20))
		return -EINTR;
	woken = sleep_on(word, began_at_ns + timeout_ns);
	if (timeout_ns == sim.config.heartbeat_ms * NS_PER_MS) /* shorter: it waits for something else */
		check_slept((enum stage_id)sim_stage(), began_at_ns);
	return woken ? 0 : -ETIMEDOUT;
}

long __wrap_syscall(long number, ...)
{
	va_list args;
	const _Atomic uint32_t *word;
	int op;
	uint32_t value;
	const struct timespec *timeout;

	va_start(args, number);
	word = va_arg(args, const _Atomic uint32_t *);
	op = va_arg(args, int);
	value = va_arg(args, uint32_t);
	timeout = va_arg(args, const struct timespec *);
	va_end(args);
	if (number != SYS_futex) {
		sim_complain("system call %ld, which nobody simulates", number);
		return answer(-ENOSYS, CALL_NS);
	}
	if (op == FUTEX_WAIT) {
		sim_spend(CALL_NS);
		return answer(futex_wait(word, value, to_ns(timeout)), CALL_NS);
	}
	sim_wake((const void *)word);
	return answer(0, CALL_NS);
}

int __wrap_recvmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags, struct timespec *timeout)
{
	int got;

	(void)flags;
	(void)timeout;
	check_lanes();
	trap_begin_call();
	if (replies_has(fd) && msgs->msg_hdr.msg_iov->iov_len == 1) /* nothing of a stray is wanted */
		got = replies_take(fd, msgs);
	else
		got = replies_has(fd) ? replies_receive(fd, msgs, n)
				      : input_receive((uint32_t)(fd - SIM_INPUT_FD), msgs, n);
	trap_end_call();
	return answer(got, CALL_NS + (got > 0 ? (uint64_t)got * RECEIVE_NS : 0));
}

int __wrap_sendmmsg(int fd, struct mmsghdr *msgs, unsigned int n, int flags)
{
	int sent;

	(void)flags;
	check_lanes();
	trap_begin_call();
	sent = replies_has(fd) || fd < input_space_fd() ? replies_send(fd, msgs, n) : output_send(fd, msgs, n);
	trap_end_call();
	return answer(sent, CALL_NS + (sent > 0 ? (uint64_t)sent * SEND_NS : 0));
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags)
{
	(void)flags;
	return answer(output_take_error(fd, m), CALL_NS);
}

int __wrap_poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
	return n == 1 && replies_has(fds->fd) ? answer(replies_poll(fds), CALL_NS) : __real_poll(fds, n, timeout_ms);
}

int __wrap_socket(int family, int type, int protocol)
{
	if (sim_stage() < 0 || family == AF_UNIX)
		return __real_socket(family, type, protocol);
	return answer(output_socket(), CALL_NS);
}

int __wrap_bind(int fd, const struct sockaddr *at, socklen_t len)
{
	(void)at;
	(void)len;
	/* Each socket of a stage has its port, but for one that only asks whether an address is there. */
	return answer(output_close(fd) ? 0 : -EINVAL, CALL_NS);
}

int __wrap_connect(int fd, const struct sockaddr *to, socklen_t len)
{
	(void)len;
	if (replies_has(fd))
		return answer(replies_connect(fd, to->sa_family == AF_UNSPEC), CALL_NS);
	return answer(output_connect(fd, to->sa_family == AF_UNSPEC), CALL_NS);
}

/* Inputs are bound, to whatever address. */
int __wrap_getsockname(int fd, struct sockaddr *at, socklen_t *len)
{
	struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(9) };

	if (replies_has(fd))
		return answer(replies_end(fd, 0, at, len), CALL_NS);
	if (fd > input_space_fd())
		return answer(output_end(fd, 0, at, len), CALL_NS);
	memcpy(at, &any, sizeof(any));
	*len = sizeof(any);
	return answer(0, CALL_NS);
}

int __wrap_getpeername(int fd, struct sockaddr *at, socklen_t *len)
{
	return answer(replies_has(fd) ? replies_end(fd, 1, at, len) : output_end(fd, 1, at, len), CALL_NS);
}

int __wrap_getsockopt(int fd, int level, int option, void *value, socklen_t *len)
{
	int on;

	if (sim_stage() < 0)
		return __real_getsockopt(fd, level, option, value, len);
	on = level == SOL_UDP && option == UDP_GRO ? input_take_trains(fd, -1) : -EBADF;
	if (on >= 0)
		memcpy(value, &on, sizeof(on));
	return answer(on < 0 ? on : 0, CALL_NS);
}

int __wrap_close(int fd)
{
	if (sim_stage() < 0 || !output_close(fd))
		return __real_close(fd);
	return answer(0, CALL_NS);
}

int __wrap_setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	int tos, on;

	if (level == SOL_SOCKET && (option == SO_ATTACH_FILTER || option == SO_DETACH_FILTER))
		replies_filter(fd, option == SO_ATTACH_FILTER);
	if (level == SOL_UDP && option == UDP_GRO) {
		memcpy(&on, value, sizeof(on));
		on = input_take_trains(fd, on);
		return answer(on < 0 ? on : 0, CALL_NS);
	}
	if ((level == SOL_IP && option == IP_TOS) || (level == SOL_IPV6 && option == IPV6_TCLASS)) {
		memcpy(&tos, value, len);
		output_use_tos(fd, tos);
	}
	return answer(0, CALL_NS);
}

int __wrap_epoll_create1(int flags)
{
	(void)flags;
	return answer(EPOLL_FD, CALL_NS);
}

int __wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
	(void)epoll_fd;
	(void)op;
	if (!replies_has(fd) && fd == replies_poll_fd() + 2) /* beside the one socket of `via`: nothing comes to it */
		return answer(0, CALL_NS);
	return answer(fd == replies_poll_fd() || replies_has(fd) ? replies_set_events(event)
								 : input_set_events(fd, event),
		      CALL_NS);
}

int __wrap_epoll_wait(int epoll_fd, struct epoll_event *events, int most, int timeout_ms)
{
	uint64_t began_at_ns = sim_now_ns();
	int n = epoll_fd == EPOLL_FD ? input_wait(events, most, timeout_ms) : replies_wait(events, most);

	if (timeout_ms == (int)sim.config.heartbeat_ms)
		check_slept(STAGE_INGRESS, began_at_ns);
	return answer(n, CALL_NS);
}

ssize_t __wrap_read(int fd, void *to, size_t bytes)
{
	if (sim_stage() < 0 || fd != input_space_fd())
		return __real_read(fd, to, bytes);
	return answer(input_take_space() ? (int)bytes : -EAGAIN, CALL_NS);
}

ssize_t __wrap_write(int fd, const void *from, size_t bytes)
{
	if (sim_stage() < 0 || fd != input_space_fd())
		return __real_write(fd, from, bytes);
	input_ring_space();
	return answer((int)bytes, CALL_NS);
}

/* The lock that a stage holds while it lives: a real one would be shared with every fork of this world. */
int __wrap_fcntl(int fd, int cmd, ...)
{
	va_list args;
	void *arg;
	const struct flock *lock;

	va_start(args, cmd);
	arg = va_arg(args, void *);
	va_end(args);
	lock = arg;
	if (cmd == F_SETLK) /* which tells the pid: there is but one here */
		return answer(0, CALL_NS);
	if (cmd == F_OFD_SETLK && lock->l_type != F_WRLCK) /* of who reads the configuration: nobody writes it here */
		return 0;
	if (cmd != F_OFD_SETLK)
		return __real_fcntl(fd, cmd, arg);
	return answer(sim_lock((enum stage_id)lock->l_start) ? 0 : -EAGAIN, CALL_NS);
}

int __wrap_mlock2(const void *at, size_t bytes, unsigned int flags)
{
	(void)at;
	(void)bytes;
	(void)flags;
	return 0;
}

/* Each opening has a file description of its own, as the stages' locks are told apart by that. */
int __wrap_shm_open(const char *name, int flags, mode_t mode)
{
	char path[64];

	(void)mode;
	if (flags & O_CREAT) {
		segment_fd = harness_move_fd(memfd_create(name, MFD_CLOEXEC));
		fchmod(segment_fd, 0600);
		return segment_fd;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", segment_fd);
	return harness_move_fd(open(path, O_RDWR | O_CLOEXEC));
}

int __wrap_shm_unlink(const char *name)
{
	(void)name;
	return 0;
}

int __wrap_softnet_is_starvable(void)
{
	return 0; /* whatever kernel this runs on */
}
