/*
 * scout.c - ask for the names of destinations again, and look whether they are there. Started by the supervisor where a
 * class asks for it.
 *
 * Memory:  the segment and the configuration are handed on (LISTEN_FDS). This process writes the blocks of destinations
 *          and nothing else, but for the bells of the stages that it rings (roster.h).
 * Rules:   one poll loop; nothing is waited for but in poll(2). One scout for an instance, with a lock on the segment.
 *          No stage waits for it: one that is dead, or stopped, changes nothing.
 *          It keeps no right, opens files to read them, and makes the calls of its table only (`cage`).
 *          HUP reads the configuration again, TERM ends it. It ends with its supervisor.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cage/capabilities.h"
#include "clock.h"
#include "config/table.h"
#include "log.h"
#include "shm/lock.h"
#include "stage/run.h"
#include "names.h"
#include "options/scout.h"
#include "quiet.h"
#include "roster.h"

#define LONGEST_SLEEP_MS 1000
#define LONGEST_LOOK_NS (5 * NS_PER_S) /* an answer that takes longer is none */

static struct roster roster;
static uint64_t quiet_due_ns[MAX_CLASSES];

static const struct call rows[] = {
	CALL(poll),    CALL(ppoll),   CALL(openat),	CALL(sendto),	   CALL(recvfrom),
	CALL(sendmsg), CALL(writev),  CALL(newfstatat), CALL(getsockname), CALL(uname),
	CALL(access),  CALL(exit),    CALL(prlimit64),	CALL(ioctl),	   CALL(getuid),
	CALL(getgid),  CALL(getegid), CALL(readlink),	CALL(socket),	   CALL(set_robust_list),
};
static const struct calls scout_calls = CALLS(rows);

static void shut_in(void)
{
	struct cage c = { .who = "scout", .hint = "", .lacks = cage_probe() };
	char place[PATH_BYTES];
	int err, missing;

	if (!roster.config.cage)
		return;
	cage_allow(&c, &stage_calls);
	cage_allow(&c, &scout_calls);
	c.files.anywhere = FILES_READ;
	if (stage_log_place(place))
		files_may(&c.files, place, FILES_WRITE);
	c.files.connects = 1;
	capabilities_keep(0);
	missing = cage_shut(&c, &err);
	if (missing & CAGE_NO_FILTER)
		log_warn("the scout is not confined to its system calls: seccomp: %s", log_text_of(-err));
}

static int load(const char *file, int argc, char *const *argv, struct config *c)
{
	char why[CONFIG_WHY_BYTES];
	int err = config_load(c, file, argc, argv, why, sizeof(why));

	if (err)
		config_log_refusals(why, "");
	return err;
}

static int attach(void)
{
	int segment_fd = handed_fd("segment"), err = 0;
	char why[WHY_BYTES], number[16];

	roster.n_parts = 1;
	for (uint32_t shard = 0; !err && shard < roster.n_parts; shard++) {
		err = segment_attach_shard(&roster.parts[shard], segment_fd, &roster.config, shard, why);
		if (!err && shard == 0)
			roster.n_parts = roster.parts[0].n_shards;
		snprintf(number, sizeof(number), "%u", shard);
		setenv(SHARD_VARIABLE, number, 1);
		roster.space_fds[shard] = handed_fd("space");
	}
	unsetenv(SHARD_VARIABLE);
	if (err)
		log_error("%s", why);
	return err == 0 ? 0 : err == -ESTALE ? EXIT_LAYOUT : err == -EPROTO ? EXIT_CONFIG : EXIT_TEMPORARY;
}

static int lock(void)
{
	int err = segment_lock_scout(&roster.parts[0]);

	if (err)
		log_error("start in instance '%s': %s", roster.config.instance,
			  err == -EBUSY ? "a scout is running already" : log_text_of(-err));
	return err ? EXIT_TEMPORARY : 0;
}

/* Whoever started it; a supervisor that dies has a successor, which starts another. */
static void end_with_supervisor(void)
{
	const char *pid = getenv(SUPERVISED_VARIABLE);

	if (!pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != atoi(pid))
		exit(0);
}

static int open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static void take_answer(void *arg, const struct names_answer *a)
{
	roster_answer(&roster, arg, a, now_ns());
}

static uint64_t look_ends_ns(const struct class_config *c, uint64_t now)
{
	return now + (c->health_every_ns < LONGEST_LOOK_NS ? c->health_every_ns : LONGEST_LOOK_NS);
}

/* What ICMP told the stages of what they have sent: nothing of this process's own is needed for that. */
static void look_at_refused(struct post *p, uint64_t now)
{
	uint64_t n = roster_refused(&roster, p), before = p->refused;

	p->refused = n;
	p->look_due_ns = now + roster_class(&roster, p)->health_every_ns;
	roster_verdict(&roster, p, n != before ? WHY_REFUSED : WHY_ANSWERS, 0, now);
}

static void end_look(struct post *p, uint64_t began_ns, uint64_t now)
{
	enum destination_why why = p->look.why;
	uint32_t number = p->look.number;

	look_end(&p->look);
	p->refused = roster_refused(&roster, p);
	p->look_due_ns = began_ns + roster_class(&roster, p)->health_every_ns;
	roster_verdict(&roster, p, why, number, now);
}

static uint64_t began_ns(const struct post *p)
{
	return p->look_due_ns - (look_ends_ns(roster_class(&roster, p), 0));
}

static void tend_look(struct post *p, uint64_t now)
{
	const struct class_config *c = roster_class(&roster, p);

	if (c->alive.kind == ALIVE_OFF || c->alive.kind == ALIVE_QUIET || now < p->look_due_ns)
		return;
	if (p->look.fd >= 0) {
		look_time_is_over(&p->look);
		end_look(p, began_ns(p), now);
	} else if (c->alive.kind == ALIVE_ICMP && !p->verdict.is_down) {
		look_at_refused(p, now);
	} else {
		look_begin(&p->look, &c->alive, &c->dests[p->i], p->host[0] ? p->host : p->name);
		p->look_due_ns = look_ends_ns(c, now);
		if (p->look.is_over)
			end_look(p, now, now);
	}
}

static void tend(uint64_t now)
{
	for (uint32_t i = 0; i < roster.n_posts; i++) {
		struct post *p = &roster.posts[i];

		if (!p->is_asked && now >= p->ask_due_ns) {
			p->is_asked = 1;
			names_ask(p->host, roster_class(&roster, p)->dests[p->i].at.ss_family, take_answer, p);
		}
		tend_look(p, now);
	}
	for (uint32_t class = 0; class < roster.config.n_classes; class++)
		if (roster.config.classes[class].alive.kind == ALIVE_QUIET && now >= quiet_due_ns[class]) {
			quiet_look(&roster, class, now);
			quiet_due_ns[class] = now + quiet_every_ns(&roster.config.classes[class]);
		}
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static int next_timeout_ms(uint64_t now)
{
	uint64_t at = now + LONGEST_SLEEP_MS * NS_PER_MS;

	for (uint32_t i = 0; i < roster.n_posts; i++) {
		const struct post *p = &roster.posts[i];

		if (!p->is_asked)
			at = sooner(at, p->ask_due_ns);
		if (roster_class(&roster, p)->alive.kind != ALIVE_QUIET)
			at = sooner(at, p->look_due_ns);
	}
	for (uint32_t class = 0; class < roster.config.n_classes; class++)
		if (roster.config.classes[class].alive.kind == ALIVE_QUIET)
			at = sooner(at, quiet_due_ns[class]);
	return at <= now ? 0 : (int)((at - now + NS_PER_MS - 1) / NS_PER_MS);
}

static int read_again(const char *file, int argc, char *const *argv, struct config *fresh)
{
	log_reopen();
	if (load(file, argc, argv, fresh))
		return -1;
	roster_release(&roster, fresh, now_ns());
	return 0;
}

static void reload(const char *file, int argc, char *const *argv)
{
	static struct config fresh;

	if (read_again(file, argc, argv, &fresh)) {
		log_warn("what is looked after stays as it was");
		return;
	}
	roster.config = fresh;
	roster_fill(&roster, now_ns());
}

/* Returns 1 when it is to end: it may be that no class asks for it any more. */
static int take_signals(int fd, const char *file, int argc, char *const *argv)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo != SIGHUP) {
			static struct config fresh;

			read_again(file, argc, argv, &fresh);
			return 1;
		}
		reload(file, argc, argv);
	}
	return 0;
}

static void run(int signal_fd, const char *file, int argc, char *const *argv)
{
	static struct pollfd polls[1 + NAMES_MOST_POLLS + MOST_POSTS];
	static struct post *of[MOST_POSTS];

	for (;;) {
		uint32_t n = 1, n_names, first;
		int timeout_ms;

		tend(now_ns());
		timeout_ms = next_timeout_ms(now_ns());
		polls[0] = (struct pollfd){ .fd = signal_fd, .events = POLLIN };
		n_names = names_list(polls + 1, &timeout_ms);
		n = first = 1 + n_names;
		for (uint32_t i = 0; i < roster.n_posts; i++)
			if (roster.posts[i].look.fd >= 0) {
				polls[n] = (struct pollfd){ .fd = roster.posts[i].look.fd,
							    .events = look_events(&roster.posts[i].look) };
				of[n++ - first] = &roster.posts[i];
			}
		if (poll(polls, n, timeout_ms) < 0)
			continue;
		for (uint32_t i = first; i < n; i++) {
			struct post *p = of[i - first];

			if (!polls[i].revents)
				continue;
			look_take(&p->look, &roster_class(&roster, p)->alive, p->host[0] ? p->host : p->name);
			if (p->look.is_over)
				end_look(p, began_ns(p), now_ns());
		}
		names_process(polls + 1, n_names);
		if (polls[0].revents && take_signals(signal_fd, file, argc, argv))
			return;
	}
}

/* Each look takes one, and those that were handed on are many: a look must not fail for want of one. */
static void allow_descriptors(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

int main(int argc, char **argv)
{
	const char *file = NULL;
	void *const places[N_COMMAND_OPTIONS] = { [OPTION_CONFIG] = &file };
	struct command_line line;
	int status, signal_fd;

	log_set_service_name("scout");
	prctl(PR_SET_NAME, "scout", 0, 0, 0);
	command_open(&line, &command, argc, argv, places, option_changes);
	status = command_read(&line, NULL);
	if (status >= 0)
		return status;
	end_with_supervisor();
	signal_fd = open_signals();
	if (signal_fd < 0) {
		log_error("signalfd: %s", log_text_of(errno));
		return EXIT_TEMPORARY;
	}
	status = load(file, line.argc, line.argv, &roster.config);
	if (status)
		return config_may_pass(status) ? EXIT_TEMPORARY : EXIT_CONFIG;
	status = attach();
	if (!status)
		status = lock();
	if (status)
		return status;
	allow_descriptors();
	shut_in();
	log_info("ready (pid %d)", getpid());
	roster_fill(&roster, now_ns());
	run(signal_fd, file, line.argc, line.argv);
	log_info("stopped");
	return 0;
}
