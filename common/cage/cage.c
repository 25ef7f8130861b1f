/* cage.c - the cage of a process. */
#include "cage.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "log.h"

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#define OTHER_ABI 0x40000000U /* x32 */
#define FIRST_ARGUMENT(context) ((uint32_t)(context)->uc_mcontext.gregs[REG_RDI])
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#define OTHER_ABI 0U
#define FIRST_ARGUMENT(context) ((uint32_t)(context)->uc_mcontext.regs[0])
#endif

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1 /* si_code of a SIGSYS that a filter made; older C libraries have no name for it */
#endif
#define KEPT_EXIT 0x4f6e5400U /* the kernel looks at the lowest byte of a status, and the filter at all of it */
#define KEPT_BITS 0xffffff00U

static struct {
	const char *who, *hint;
	int (*is_others)(void); /* NULL: exit_group(2) is a call like others */
	int is_told;
} shut; /* for the handler, which gets no argument */

static const struct call kept_exit[] = { CALL_IF(exit_group, 1, KEPT_BITS, KEPT_EXIT) };
static const struct call any_exit[] = { CALL(exit_group) };

void cage_allow(struct cage *c, const struct calls *table)
{
	if (c->n_tables < CAGE_MOST_TABLES)
		c->tables[c->n_tables++] = *table;
}

void cage_allow_named(struct cage *c, const char *names)
{
	struct calls table = { .rows = c->named };

	for (const char *at = names; *at && table.n < CAGE_MOST_NAMED;) {
		size_t len = strcspn(at, " ");
		int number = call_number(at, len);

		if (number >= 0)
			c->named[table.n++] = (struct call){ .number = number };
		at += len;
		at += strspn(at, " ");
	}
	cage_allow(c, &table);
}

static int has_name(const char *names, const char *call, size_t n)
{
	size_t len;

	for (const char *at = names; *at; at += len, at += strspn(at, " ")) {
		len = strcspn(at, " ");
		if (len == n && memcmp(at, call, n) == 0)
			return 1;
	}
	return 0;
}

int cage_names(const char *names, const char *call)
{
	return has_name(names, call, strlen(call));
}

void cage_no_new_privileges(void)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

void cage_keep_exits(int (*is_others)(void))
{
	shut.is_others = is_others;
}

void cage_exit(int status)
{
	for (;;)
		syscall(SYS_exit_group, KEPT_EXIT | ((unsigned int)status & 0xff));
}

/* SIGSYS: the call was not made. */
static void on_call(int sig, siginfo_t *info, void *context)
{
	const ucontext_t *at = context;

	(void)sig;
	if (info->si_code != SYS_SECCOMP) /* else somebody has sent it */
		abort();
	if (info->si_syscall == __NR_exit_group && shut.is_others && !shut.is_others())
		cage_exit((int)FIRST_ARGUMENT(at));
	if (shut.is_told) /* the line itself made one */
		abort();
	shut.is_told = 1;
	log_error("system call %s (%d) is none that %s makes: the process ends, and another is started%s",
		  call_name(info->si_syscall), info->si_syscall, shut.who, shut.hint);
	abort();
}

/* All threads, but where only the older call is left. */
static int install(const struct filter *f, int lacks)
{
	struct sock_fprog program = { .len = (unsigned short)f->n, .filter = (struct sock_filter *)f->code };
	long got;

	if (lacks & CAGE_NO_FILTER)
		return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) < 0 ? -errno : 0;
	got = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		      &program);
	return got == 0 ? 0 : got > 0 ? -ESRCH : -errno;
}

static int shut_calls(const struct cage *c)
{
	struct sigaction act = { .sa_sigaction = on_call, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct calls tables[CAGE_MOST_TABLES + 2];
	uint32_t n = c->n_tables;
	struct filter f;

	memcpy(tables, c->tables, n * sizeof(tables[0]));
	tables[n] = shut.is_others ? (struct calls)CALLS(kept_exit) : (struct calls)CALLS(any_exit);
	n++;
	if (filter_make(&f, MACHINE, OTHER_ABI, tables, n))
		return -E2BIG;
	shut.who = c->who;
	shut.hint = c->hint;
	if (sigaction(SIGSYS, &act, NULL) < 0)
		return -errno;
	return install(&f, c->lacks);
}

/* Does a child that makes the call live on? The call itself does nothing. */
static int may_call(long number, unsigned long first)
{
	uint32_t action = SECCOMP_RET_TRAP;
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		syscall(number, first, 0, number == SYS_seccomp ? (unsigned long)&action : 1UL);
		_exit(0);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return pid < 0 || WIFEXITED(status);
}

int cage_forbid(const char *names, const char *but)
{
	static struct call rows[CAGE_MOST_FORBIDDEN];
	struct calls table = { .rows = rows };
	struct filter f;
	int err;

	if (CAGE_IS_OPEN)
		return 0;
	for (const char *at = names; *at && table.n < CAGE_MOST_FORBIDDEN;) {
		size_t len = strcspn(at, " ");
		int number = call_number(at, len); /* another machine may not have it */

		if (number >= 0 && !has_name(but, at, len))
			rows[table.n++] = (struct call){ .number = number };
		at += len;
		at += strspn(at, " ");
	}
	if (filter_make_forbidding(&f, MACHINE, OTHER_ABI, &table))
		return -E2BIG;
	err = install(&f, 0);
	return err ? err : setenv(CAGE_VARIABLE, "1", 1) < 0 ? -errno : 0;
}

int cage_is_foreign(void)
{
	return prctl(PR_GET_SECCOMP, 0, 0, 0, 0) > 0 && !getenv(CAGE_VARIABLE);
}

int cage_probe(void)
{
	if (!cage_is_foreign())
		return 0;
	return (may_call(FILES_FIRST_CALL, 0) ? 0 : CAGE_NO_FILES) |
	       (may_call(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL) ? 0 : CAGE_NO_FILTER);
}

int cage_prepare(const struct cage *c)
{
	int fd = c->lacks & CAGE_NO_FILES ? -EPERM : files_prepare(&c->files);

	return fd < 0 ? 0 : fd;
}

static int shut_files(const struct cage *c)
{
	int fd = c->files_fd ? c->files_fd : c->lacks & CAGE_NO_FILES ? -EPERM : files_prepare(&c->files);

	return fd < 0 ? fd : files_shut(fd);
}

int cage_shut(const struct cage *c, int *err)
{
	int missing = 0, got;
	uint8_t first;

	cage_no_new_privileges();
	*err = 0;
	if (CAGE_IS_OPEN)
		return 0;
	log_prepare(); /* its first line reads a file */
	(void)!getrandom(&first, sizeof(first), GRND_NONBLOCK); /* so may the first of these */
	got = *err = shut_files(c);
	missing |= got ? CAGE_NO_FILES : 0;
	got = shut_calls(c);
	if (got)
		*err = got;
	return missing | (got ? CAGE_NO_FILTER : 0);
}
