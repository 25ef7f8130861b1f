/*
 * cage.c - each system call of this machine, tried by a process that is shut in as a stage is: it is made if the
 * stage's table has it, and else ends the process with a line that names it.
 *
 * usage: cage [DIR [PART]]     as pipeline; DIR is not used
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"
#include "edf/calls.h"
#include "edf/loop.h"
#include "egress/loop.h"
#include "harness/harness.h"
#include "ingress/loop.h"

#define N_NUMBERS 600 /* more than there are */
#define TEXT_BYTES 2048
#define SAME_ARGUMENT (~0UL) /* no descriptor, no address, no time */

struct kind {
	const char *name;
	const struct stage_ops *ops; /* NULL: a worker of edf */
	const char *plugin_calls; /* NULL: no plugin */
	uint32_t workers;
};

static const struct kind kinds[] = {
	{ "ingress", &ingress_ops, NULL, 1 },
	{ "egress", &egress_ops, NULL, 1 },
	{ "edf", &edf_ops, NULL, 1 },
	{ "edf with a plugin", &edf_ops, "", 1 },
	{ "edf with a plugin that reads files", &edf_ops, "openat getdents64", 1 },
	{ "edf with workers", &edf_ops, "", 4 },
	{ "a worker of edf", NULL, "", 4 },
};

#define N_KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* As stage_run() does when the stage is open, without the stage. */
static void shut_in(const struct kind *k)
{
	static struct stage s;

	s.id = STAGE_INGRESS; /* another speaks of what the kernel lacks */
	s.config.cage = 1;
	s.config_fd = -1;
	s.config.workers = k->workers;
	s.config.work = k->plugin_calls ? WORK_PLUGIN : k->workers > 1 ? WORK_SIMULATE : WORK_NONE;
	snprintf(s.config.plugin_calls, sizeof(s.config.plugin_calls), "%s", k->plugin_calls ? k->plugin_calls : "");
	if (k->ops)
		stage_shut(&s, k->ops);
	else
		stage_shut_worker(&s, "a worker", edf_allow_worker);
}

/* Run in a child that is shut in; what it says goes to text. Returns its wait status. */
static int in_cage(const struct kind *k, void (*try)(const void *arg), const void *arg, char text[TEXT_BYTES])
{
	int ends[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	expect(pipe2(ends, O_CLOEXEC) == 0);
	pid = fork();
	expect(pid >= 0);
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		shut_in(k);
		try(arg);
		cage_exit(0);
	}
	close(ends[1]);
	while (len < TEXT_BYTES - 1 && (n = read(ends[0], text + len, TEXT_BYTES - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(ends[0]);
	expect(waitpid(pid, &status, 0) == pid);
	return status;
}

static int was_made(int status)
{
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int was_refused(int status, const char *text, int number)
{
	char line[64];

	snprintf(line, sizeof(line), "system call %s (%d) is none that ", call_name(number), number);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(text, line);
}

/* May it be made, whatever its arguments are? With SAME_ARGUMENT no condition of ours is met. */
static int may_make(const struct kind *k, int number)
{
	struct cage cage = { 0 };

	if (!k->ops) {
		struct stage s = { .config = { .work = WORK_PLUGIN } };

		edf_allow_worker(&s, &cage);
	} else if (k->ops->allow) {
		struct stage s = { .config = { .work = k->plugin_calls ? WORK_PLUGIN : WORK_NONE,
					       .workers = k->workers } };

		snprintf(s.config.plugin_calls, sizeof(s.config.plugin_calls), "%s",
			 k->plugin_calls ? k->plugin_calls : "");
		k->ops->allow(&s, &cage);
	}
	cage_allow(&cage, &stage_calls);
	if (k->ops && k->ops->calls)
		cage_allow(&cage, k->ops->calls);
	for (uint32_t t = 0; t < cage.n_tables; t++)
		for (uint32_t i = 0; i < cage.tables[t].n; i++)
			if (cage.tables[t].rows[i].number == number && cage.tables[t].rows[i].argument == 0)
				return 1;
	return 0;
}

static void make_call(const void *arg)
{
	syscall(*(const int *)arg, SAME_ARGUMENT, SAME_ARGUMENT, SAME_ARGUMENT, SAME_ARGUMENT, SAME_ARGUMENT,
		SAME_ARGUMENT);
}

/* These end, change or stop the child itself. */
static int is_left_out(int number)
{
	return number == __NR_rt_sigreturn || number == 335 || number == 336 || /* the kernel's own, of a probe */
	       number == __NR_exit_group || number == __NR_exit || number == __NR_clone || number == __NR_clone3;
}

static void skip_if_open(void)
{
	if (CAGE_IS_OPEN)
		test_skip("with a sanitizer all calls are allowed");
}

static void each_call_is_made_or_named(void)
{
	char text[TEXT_BYTES];

	skip_if_open();
	for (size_t k = 0; k < N_KINDS; k++) {
		uint32_t made = 0, refused = 0;

		for (int number = 0; number < N_NUMBERS; number++) {
			int may = may_make(&kinds[k], number), status;

			if (may && is_left_out(number))
				continue;
			if (!may && number == __NR_exit_group)
				continue;
			status = in_cage(&kinds[k], make_call, &number, text);
			if (may ? !was_made(status) : !was_refused(status, text, number))
				test_fail(__LINE__, "%s: %s (%d): may %d, wait status 0x%x, it said \"%s\"",
					  kinds[k].name, call_name(number), number, may, status, text);
			made += may != 0;
			refused += !may;
		}
		printf("     %s: %u calls are made, %u are refused\n", kinds[k].name, made, refused);
	}
}

/* Whatever the tables become, no stage makes these. A worker is started, but starts nothing itself. */
static void no_stage_takes_the_machine_over(void)
{
	static const int never[] = {
		__NR_execve,   __NR_execveat,	     __NR_ptrace,	 __NR_process_vm_readv, __NR_process_vm_writev,
		__NR_mount,    __NR_umount2,	     __NR_pivot_root,	 __NR_chroot,		__NR_init_module,
		__NR_bpf,      __NR_unshare,	     __NR_setns,	 __NR_setuid,		__NR_setresuid,
		__NR_setgid,   __NR_kexec_load,	     __NR_reboot,	 __NR_keyctl,		__NR_userfaultfd,
		__NR_io_setup, __NR_perf_event_open, __NR_memfd_create,	 __NR_pidfd_getfd,	__NR_listen,
		__NR_accept4,  __NR_sendto,	     __NR_unlinkat,	 __NR_renameat2,	__NR_mkdirat,
		__NR_fchmodat, __NR_fchownat,	     __NR_linkat,	 __NR_symlinkat,	__NR_io_uring_setup,
		__NR_shmget,   __NR_msgget,	     __NR_add_key,	 __NR_personality,	__NR_setsid,
		__NR_setpgid,  __NR_sethostname,     __NR_clock_settime, __NR_settimeofday,
	};

	for (size_t k = 0; k < N_KINDS; k++)
		for (size_t i = 0; i < sizeof(never) / sizeof(never[0]); i++)
			if (may_make(&kinds[k], never[i]))
				test_fail(__LINE__, "%s may call %s", kinds[k].name, call_name(never[i]));
	for (size_t k = 0; k < N_KINDS; k++)
		if (kinds[k].workers == 1 || !kinds[k].ops)
			expect(!may_make(&kinds[k], __NR_capset) && !may_make(&kinds[k], __NR_clone) &&
			       !may_make(&kinds[k], __NR_clone3) && !may_make(&kinds[k], __NR_kill));
}

struct conditional {
	int number;
	unsigned long first, second, third;
	int is_made;
};

static void make_conditional(const void *arg)
{
	const struct conditional *c = arg;
	long got = syscall(c->number, c->first, c->second, c->third, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (got < 0 && errno == ENOSYS)
		cage_exit(1);
}

static void some_are_made_with_some_arguments_only(void)
{
	static const struct conditional tries[] = {
		{ __NR_mmap, 0, 4096, PROT_READ | PROT_WRITE, 1 },
		{ __NR_mmap, 0, 4096, PROT_READ | PROT_EXEC, 0 },
		{ __NR_mprotect, 0, 0, PROT_READ, 1 },
		{ __NR_mprotect, 0, 0, PROT_WRITE | PROT_EXEC, 0 },
		{ __NR_socket, AF_INET, SOCK_DGRAM, 0, 1 },
		{ __NR_socket, AF_INET6, SOCK_DGRAM, 0, 1 },
		{ __NR_socket, AF_UNIX, SOCK_DGRAM, 0, 0 },
		{ __NR_socket, AF_PACKET, SOCK_DGRAM, 0, 0 },
		{ __NR_socket, AF_NETLINK, SOCK_RAW, 0, 0 },
		{ __NR_socket, AF_VSOCK, SOCK_STREAM, 0, 0 },
		{ __NR_prctl, 15, 0, 0, 0 }, /* a name of its own */
		{ __NR_ioctl, 0, 0x5412, 0, 0 }, /* TIOCSTI: a key is pressed */
	};
	char text[TEXT_BYTES];

	skip_if_open();
	for (size_t k = 0; k < N_KINDS; k++)
		for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
			int status = in_cage(&kinds[k], make_conditional, &tries[i], text);
			int may = tries[i].is_made || may_make(&kinds[k], tries[i].number);

			if (may ? !was_made(status) : !was_refused(status, text, tries[i].number))
				test_fail(__LINE__, "%s: try %zu: may %d, wait status 0x%x, it said \"%s\"",
					  kinds[k].name, i, may, status, text);
		}
}

static void exit_by_hand(const void *arg)
{
	(void)arg;
	syscall(SYS_exit_group, 7);
}

/* Nothing is in a plugin's hands here: so it is the process's own. */
static void an_exit_of_its_own_keeps_its_status(void)
{
	char text[TEXT_BYTES];

	for (size_t k = 0; k < N_KINDS; k++) {
		int status = in_cage(&kinds[k], exit_by_hand, NULL, text);

		expect(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	}
}

static void open_a_file(const void *arg)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = { .flags = O_RDONLY };
	long fd = syscall(SYS_openat2, AT_FDCWD, arg, &how, sizeof(how));

	cage_exit(fd >= 0 ? 10 : errno == EACCES ? 11 : 12);
}

static void create_a_file(const void *arg)
{
	struct {
		uint64_t flags, mode, resolve;
	} how = { .flags = O_WRONLY | O_CREAT, .mode = 0600 };
	long fd = syscall(SYS_openat2, AT_FDCWD, arg, &how, sizeof(how));

	cage_exit(fd >= 0 ? 10 : errno == EACCES ? 11 : 12);
}

static int has_landlock(void)
{
	return syscall(444, NULL, 0, 1) > 0;
}

/* The one call that opens files is for the log alone. */
static void no_file_is_there_but_the_log(void)
{
	char text[TEXT_BYTES], dir[] = "/tmp/ontime-cage-XXXXXX", all[64], log[64], made[64], above[64];

	skip_if_open();
	if (!has_landlock())
		test_skip("this kernel has no Landlock");
	expect(mkdtemp(dir) != NULL);
	snprintf(all, sizeof(all), "%s/run", dir); /* of all instances */
	expect(mkdir(all, 0700) == 0);
	snprintf(log, sizeof(log), "%s/run/instance/log", dir);
	snprintf(made, sizeof(made), "%s/run/log", dir);
	snprintf(above, sizeof(above), "%s/log", dir);
	setenv("ONTIME_LOG_FILE", log, 1);
	for (size_t k = 0; k < N_KINDS; k++) {
		int reads =
			kinds[k].plugin_calls && (kinds[k].plugin_calls[0] || (kinds[k].ops && kinds[k].workers > 1));
		int status = in_cage(&kinds[k], open_a_file, "/etc/passwd", text);

		if (!WIFEXITED(status) || WEXITSTATUS(status) != (reads ? 10 : 11))
			test_fail(__LINE__, "%s opens /etc/passwd: 0x%x", kinds[k].name, status);
		status = in_cage(&kinds[k], create_a_file, "/tmp/ontime-cage-other", text);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 11)
			test_fail(__LINE__, "%s makes a file: 0x%x", kinds[k].name, status);
		status = in_cage(&kinds[k], create_a_file, above, text);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 11)
			test_fail(__LINE__, "%s makes a file beside the run directories: 0x%x", kinds[k].name, status);
		status = in_cage(&kinds[k], create_a_file, made, text);
		unlink(made);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 10)
			test_fail(__LINE__, "%s makes no log: 0x%x %s", kinds[k].name, status, text);
	}
	rmdir(all);
	rmdir(dir);
}

#define ENTRY(test)                                                                                                    \
	{                                                                                                              \
#test, test                                                                                            \
	}

int main(int argc, char **argv)
{
	static const struct harness_test tests[] = {
		ENTRY(each_call_is_made_or_named),
		ENTRY(no_stage_takes_the_machine_over),
		ENTRY(some_are_made_with_some_arguments_only),
		ENTRY(an_exit_of_its_own_keeps_its_status),
		ENTRY(no_file_is_there_but_the_log),
	};

	return harness_main("cage", argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
