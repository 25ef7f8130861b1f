/* harness.c - real stages for a test. */
#include "harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define TEST_TIMEOUT_NS (60 * NS_PER_S)
#define SINK_BUFFER_BYTES (64 << 20)

#define STATUS_SKIPPED 77

/* What a test's process tells harness_main(), even when it is killed. */
struct report {
	char why[512];
	char instance[INSTANCE_NAME_BYTES], file[64], log[64];
};

static struct report *report;
static const char *stages_dir = "build";
static volatile sig_atomic_t child_pid;

void test_fail(int line, const char *format, ...)
{
	va_list args;
	size_t n = (size_t)snprintf(report->why, sizeof(report->why), "line %d: ", line);

	va_start(args, format);
	vsnprintf(report->why + n, sizeof(report->why) - n, format, args);
	va_end(args);
	_exit(1);
}

void test_skip(const char *reason)
{
	snprintf(report->why, sizeof(report->why), "%s", reason);
	_exit(STATUS_SKIPPED);
}

void pass_time(uint64_t ns)
{
	struct timespec t = { .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };

	nanosleep(&t, NULL);
}

/* A socket bound to a port of the kernel's choice; its address goes to text. */
static int bind_any_port(const char *host, char text[ADDRESS_BYTES])
{
	struct address a = { .len = sizeof(struct sockaddr_in) };
	int v6 = host[0] == '[', fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	int bytes = SINK_BUFFER_BYTES;

	if (v6) {
		*(struct sockaddr_in6 *)&a.at = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
		((struct sockaddr_in6 *)&a.at)->sin6_addr = in6addr_loopback;
		a.len = sizeof(struct sockaddr_in6);
	} else {
		*(struct sockaddr_in *)&a.at =
			(struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = inet_addr(host) };
	}
	if (fd < 0 || bind(fd, (struct sockaddr *)&a.at, a.len) < 0)
		test_fail(__LINE__, "bind to %s: %s", host, strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
	getsockname(fd, (struct sockaddr *)&a.at, &a.len);
	address_format(&a, text);
	return harness_move_fd(fd);
}

__attribute__((format(printf, 2, 3))) static void add_text(struct rig *r, const char *format, ...)
{
	size_t n = strlen(r->text);
	va_list args;

	va_start(args, format);
	vsnprintf(r->text + n, sizeof(r->text) - n, format, args);
	va_end(args);
}

void rig_begin(struct rig *r, const char *pipeline)
{
	memset(r, 0, sizeof(*r));
	r->random = 0x9e3779b97f4a7c15ULL;
	snprintf(report->instance, sizeof(report->instance), "test-%d", getpid());
	snprintf(r->file, sizeof(r->file), "/tmp/ontime-%s.conf", report->instance);
	snprintf(r->log, sizeof(r->log), "/tmp/ontime-%s.log", report->instance);
	memcpy(report->file, r->file, sizeof(r->file));
	memcpy(report->log, r->log, sizeof(r->log));
	/* The default policy sheds what is late; what a test counts must not depend on how fast the machine is. */
	add_text(r, "[pipeline]\ninstance = %s\n%s%s\n", report->instance,
		 strstr(pipeline, "policy") ? "" : "policy = edf\n", pipeline);
}

static void add_listens(struct rig *r, const char *name, const char *host, uint32_t n)
{
	char text[ADDRESS_BYTES];

	add_text(r, "[class %s]\nlisten =", name);
	for (uint32_t i = 0; i < n; i++) {
		r->reserved_fd[r->n_reserved++] = bind_any_port(host, text);
		add_text(r, " %s", text);
	}
}

void rig_class(struct rig *r, const char *name, const char *host, uint32_t n_listen, uint32_t n_dests,
	       const char *lines)
{
	char text[ADDRESS_BYTES];

	add_listens(r, name, host, n_listen);
	add_text(r, "\nsend =");
	for (uint32_t i = 0; i < n_dests; i++) {
		r->flows[r->n_classes].sink_fd[i] = bind_any_port(host, text);
		add_text(r, " %s", text);
	}
	add_text(r, "\n%s\n", lines);
	r->n_classes++;
}

void rig_class_to(struct rig *r, const char *name, const char *to, const char *lines)
{
	add_listens(r, name, "127.0.0.1", 1);
	add_text(r, "\nsend = %s\n%s\n", to, lines);
	r->flows[r->n_classes++].sink_fd[0] = -1;
}

void rig_closed_port(char text[ADDRESS_BYTES])
{
	close(bind_any_port("127.0.0.1", text));
}

static void write_file(const struct rig *r)
{
	FILE *f = fopen(r->file, "w");

	expect(f && fputs(r->text, f) >= 0 && fclose(f) == 0);
}

void rig_load(struct rig *r)
{
	char why[WHY_BYTES];

	write_file(r);
	if (config_load(&r->config, r->file, 0, NULL, why, sizeof(why)))
		test_fail(__LINE__, "%s", why);
	while (r->n_reserved)
		close(r->reserved_fd[--r->n_reserved]);
}

void rig_replace(struct rig *r, const char *from, const char *to)
{
	char rest[sizeof(r->text)], *at = strstr(r->text, from);

	expect(at != NULL);
	snprintf(rest, sizeof(rest), "%s", at + strlen(from));
	*at = 0;
	add_text(r, "%s%s", to, rest);
	write_file(r);
}

void rig_connect(struct rig *r)
{
	for (uint32_t class = 0; class < r->config.n_classes; class++)
		for (uint32_t i = 0; i < r->config.classes[class].n_listen; i++) {
			const struct address *a = &r->config.classes[class].listen[i];
			int fd = socket(a->at.ss_family, SOCK_DGRAM, 0), bytes = SINK_BUFFER_BYTES;

			expect(fd >= 0 && connect(fd, (const struct sockaddr *)&a->at, a->len) == 0);
			setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
			r->flows[class].out_fd[i] = harness_move_fd(fd);
		}
}

void stage_start(struct rig *r, enum stage_id id)
{
	char path[PATH_BYTES];
	pid_t parent = getpid(), pid;

	snprintf(path, sizeof(path), "%s/%s", stages_dir, stage_name(id));
	pid = fork();
	expect(pid >= 0);
	if (pid == 0) {
		int log = open(r->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() == parent && log >= 0 && dup2(log, STDERR_FILENO) >= 0)
			execl(path, path, "-c", r->file, (char *)NULL);
		_exit(127);
	}
	r->pids[id] = pid;
}

void rig_await_ready(const struct rig *r, enum stage_id id, uint32_t generation)
{
	const struct stage_block *b = &r->seg.shared->stages[id];

	await(atomic_load_explicit(&b->generation, memory_order_relaxed) >= generation &&
	      atomic_load_explicit(&b->state, memory_order_relaxed) == STATE_READY);
}

void rig_start(struct rig *r)
{
	rig_connect(r);
	for (int i = 0; i < N_STAGES; i++)
		stage_start(r, (enum stage_id)i);
	for (int i = 0; i < N_STAGES; i++)
		rig_await_ready(r, (enum stage_id)i, 1);
}

int stage_end(struct rig *r, enum stage_id id, int sig)
{
	if (sig)
		kill(r->pids[id], sig);
	await(waitpid(r->pids[id], &r->exits[id], WNOHANG) == r->pids[id]);
	r->pids[id] = 0;
	return r->exits[id];
}

void stage_restart(struct rig *r, enum stage_id id, int sig)
{
	uint32_t generation = atomic_load_explicit(&r->seg.shared->stages[id].generation, memory_order_relaxed);

	stage_end(r, id, sig);
	stage_start(r, id);
	rig_await_ready(r, id, generation + 1);
}

void stage_freeze(const struct rig *r, enum stage_id id)
{
	int status;

	kill(r->pids[id], SIGSTOP);
	expect(waitpid(r->pids[id], &status, WUNTRACED) == r->pids[id] && WIFSTOPPED(status));
}

void stage_thaw(const struct rig *r, enum stage_id id)
{
	kill(r->pids[id], SIGCONT);
}

uint32_t rig_log_lines(const struct rig *r, const char *text)
{
	char line[2048];
	FILE *f = fopen(r->log, "r");
	uint32_t n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	if (f)
		fclose(f);
	return n;
}

static void remove_traces(int show_log)
{
	char more[sizeof(report->file) + 8];

	if (!report->instance[0])
		return;
	if (show_log) {
		char line[1024];
		FILE *f = fopen(report->log, "r");

		while (f && fgets(line, sizeof(line), f))
			printf("     | %s", line);
		if (f)
			fclose(f);
	}
	segment_remove(report->instance);
	snprintf(more, sizeof(more), "%s.fails", report->file); /* what tests/plugins/fail_call.c looks for */
	unlink(more);
	unlink(report->file);
	unlink(report->log);
	memset(report, 0, sizeof(*report));
}

static void on_interrupt(int sig)
{
	if (child_pid > 0)
		kill((pid_t)child_pid, SIGKILL); /* the stages follow */
	signal(sig, SIG_DFL);
	remove_traces(0);
	raise(sig);
}

/* Returns the wait status of the test's process; SIGKILL when it took too long. */
static int run_in_child(const struct harness_test *test)
{
	uint64_t until_ns = now_ns() + TEST_TIMEOUT_NS;
	pid_t parent = getpid(), pid = fork();
	int status = 0;

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		if (getppid() == parent)
			test->run();
		_exit(0);
	}
	child_pid = pid;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (now_ns() > until_ns)
			kill(pid, SIGKILL);
		pass_time(2 * NS_PER_MS);
	}
	child_pid = 0;
	return status;
}

static void run_one(const struct harness_test *test, uint32_t counts[3])
{
	int status = run_in_child(test), result = !WIFEXITED(status) || WEXITSTATUS(status) != 0;

	if (WIFSIGNALED(status))
		snprintf(report->why, sizeof(report->why), "the test ended by signal %d%s", WTERMSIG(status),
			 WTERMSIG(status) == SIGKILL ? ": it took too long" : "");
	if (WIFEXITED(status) && WEXITSTATUS(status) == STATUS_SKIPPED)
		result = 2;
	if (result == 0)
		printf("ok %s\n", test->name);
	else
		printf("%s %s: %s\n", result == 1 ? "FAIL" : "skip", test->name, report->why);
	remove_traces(result == 1);
	fflush(stdout);
	counts[result]++;
}

int harness_main(const char *program, int argc, char **argv, const struct harness_test *tests, size_t n_tests)
{
	const char *dir = getenv("ONTIME_BUILD");
	uint32_t counts[3] = { 0 };

	stages_dir = argc > 1 ? argv[1] : dir ? dir : "build";
	/* cppcheck-suppress invalidFunctionArg ; -1 is what MAP_ANONYMOUS wants */
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGINT, on_interrupt);
	signal(SIGTERM, on_interrupt);
	for (size_t i = 0; i < n_tests; i++)
		if (argc <= 2 || strstr(tests[i].name, argv[2]))
			run_one(&tests[i], counts);
	printf("%s: %u passed, %u failed, %u skipped\n", program, counts[0], counts[1], counts[2]);
	return counts[1] > 0;
}
