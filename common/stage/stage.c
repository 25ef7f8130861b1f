/* stage.c - the life of a stage. */
#include "stage.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"
#include "mutant.h"
#include "shm/lock.h"
#include "version.h"

#define LOCK_WAIT_NS (2 * NS_PER_S)

static _Atomic int stop_asked, drain_asked, reload_asked; /* relaxed, all of them: flags set by a signal handler */

static void on_signal(int sig)
{
	_Atomic int *flag = sig == SIGHUP ? &reload_asked : sig == SIGUSR1 ? &drain_asked : &stop_asked;

	atomic_store_explicit(flag, 1, memory_order_relaxed);
}

int stage_stop_asked(void)
{
	return atomic_load_explicit(&stop_asked, memory_order_relaxed);
}

int stage_drain_asked(void)
{
	return atomic_load_explicit(&drain_asked, memory_order_relaxed);
}

int stage_return_asked(void)
{
	return stage_stop_asked() || atomic_load_explicit(&reload_asked, memory_order_relaxed);
}

static void catch_signals(void)
{
	struct sigaction act = { .sa_handler = on_signal }; /* no SA_RESTART: a park must end */
	sigset_t held_back;

	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	sigaction(SIGUSR1, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&held_back); /* by the supervisor, until now */
	sigaddset(&held_back, SIGHUP);
	sigprocmask(SIG_UNBLOCK, &held_back, NULL);
}

static void print_help(enum stage_id id, FILE *out)
{
	fprintf(out,
		"%s - one stage of ontime, the deadline-aware UDP pipeline.\n\n"
		"usage: %s [-c FILE] [--KEY=VALUE]... [--CLASS.KEY=VALUE]...\n\n"
		"  -c FILE     the config file (default: built-in, see --options)\n"
		"  --options   print every key with unit, default and range\n"
		"  --version   print the version\n\n"
		"Normally started by run/launch.sh; alone it joins the running instance, once the stage it replaces is "
		"gone.\n"
		"Signals: TERM stops, USR1 stops when the input is empty, HUP reads the config again.\n"
		"Exit status: 0 stopped, 1 temporary failure, 2 usage or configuration, 3 another layout than the "
		"segment's.\n",
		stage_name(id), stage_name(id));
}

/* Takes -c FILE and the words that end the process; the rest is the config's. 0, or 1 + exit status. */
static int parse_arguments(struct stage *s, int argc, char **argv)
{
	int n = 0;

	s->argv[n++] = argv[0];
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help(s->id, stdout);
			return 1;
		}
		if (strcmp(argv[i], "--options") == 0) {
			config_print_options(stdout);
			return 1;
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("ontime %s\n", ONTIME_VERSION);
			return 1;
		}
		if (strcmp(argv[i], "-c") == 0 && i + 1 < argc) {
			s->file = argv[++i];
			continue;
		}
		if (n == MAX_ARGUMENTS) {
			log_error("too many arguments: put them into a file, and give it with -c");
			return 1 + EXIT_CONFIG;
		}
		s->argv[n++] = argv[i];
	}
	s->argc = n;
	return 0;
}

/* Is fd 3 + i really the socket hold bound for this segment? 0, or the exit status. */
static int check_sockets(const struct stage *s)
{
	const struct header *h = &s->seg.header;
	const char *count = getenv("LISTEN_FDS");
	uint32_t handed = count ? (uint32_t)strtoul(count, NULL, 10) : 0;

	for (uint32_t i = 0; i < h->n_sockets && i < handed; i++) {
		uint64_t cookie = 0;
		socklen_t len = sizeof(cookie);

		/* Of no socket, and where sockets have no cookies, it is 0. */
		if (getsockopt(LISTEN_FIRST_FD + (int)i, SOL_SOCKET, SO_COOKIE, &cookie, &len) < 0 && errno != EBADF &&
		    errno != ENOTSOCK && errno != EINVAL && errno != ENOPROTOOPT) {
			log_error("ask fd %u which socket it is: %s", LISTEN_FIRST_FD + i, strerror(errno));
			return EXIT_TEMPORARY;
		}
		if (cookie == h->socket_cookies[i])
			continue;
		log_error("fd %u is not the socket that segment %s was made for: run/stop.sh, then run/launch.sh",
			  LISTEN_FIRST_FD + i, s->seg.name);
		return EXIT_CONFIG;
	}
	return 0;
}

int stage_handed_fd(const char *name)
{
	const char *names = getenv("LISTEN_FDNAMES");
	size_t len = strlen(name);

	for (int fd = LISTEN_FIRST_FD; names && *names; fd++) {
		size_t n = strcspn(names, ":");

		if (n == len && strncmp(names, name, n) == 0)
			return fd;
		names += n + (names[n] == ':');
	}
	return -1;
}

static int join_segment(struct stage *s)
{
	char why[WHY_BYTES];
	int err = segment_attach_handed(&s->seg, stage_handed_fd("segment"), &s->config, why);

	if (err) {
		log_error("%s", why);
		return err == -ESTALE ? EXIT_LAYOUT : err == -EPROTO ? EXIT_CONFIG : EXIT_TEMPORARY;
	}
	err = mutant_is("no-lock") ? 0 : segment_lock_stage(&s->seg, s->id, LOCK_WAIT_NS);
	if (err) {
		log_error("start in instance '%s': %s (pid %d): stop that one first, or use run/restart.sh %s",
			  s->config.instance, err == -EBUSY ? "this stage is already running" : strerror(-err),
			  segment_stage_pid(&s->seg, s->id), stage_name(s->id));
		return EXIT_TEMPORARY;
	}
	return check_sockets(s);
}

int stage_socket(const char *class, const char *direction, uint32_t i)
{
	char name[64];

	snprintf(name, sizeof(name), "%s.%s.%u", class, direction, i);
	return stage_handed_fd(name);
}

static void announce(struct stage *s, uint32_t state)
{
	/* relaxed, all of them: for observers, nothing depends on their order */
	atomic_store_explicit(&s->self->state, state, memory_order_relaxed);
	atomic_store_explicit(&s->self->beat_at_ns, now_ns(), memory_order_relaxed);
}

/* Which config file this is: a reload puts a new one in its place. */
static uint64_t file_stamp(const char *file)
{
	struct stat st;

	if (!file || stat(file, &st) < 0)
		return 0;
	return (uint64_t)st.st_ino ^ (uint64_t)st.st_mtim.tv_sec * NS_PER_S ^ (uint64_t)st.st_mtim.tv_nsec;
}

int stage_open(struct stage *s, enum stage_id id, int argc, char **argv)
{
	char why[CONFIG_WHY_BYTES];
	uint64_t stamp;
	int status, err;

	memset(s, 0, sizeof(*s));
	s->id = id;
	s->seg.fd = -1;
	log_set_name(stage_name(id));
	/* A binary that was started by descriptor has a number for a name. */
	prctl(PR_SET_NAME, stage_name(id), 0, 0, 0);
	status = parse_arguments(s, argc, argv);
	if (status)
		return status;
	stamp = file_stamp(s->file);
	err = config_load(&s->config, s->file, s->argc, s->argv, why, sizeof(why));
	if (err) {
		config_log_refusals(why, "");
		return 1 + (config_may_pass(err) ? EXIT_TEMPORARY : EXIT_CONFIG);
	}
	catch_signals();
	status = join_segment(s);
	if (status)
		return 1 + status;
	s->blocks = s->seg.shared->stages;
	s->self = &s->blocks[id];
	place_open(&s->place, &s->config, id, s->blocks);
	probe_init(&s->probes, &s->seg, id);
	s->space_fd = stage_handed_fd("space");
	/* relaxed, all of them: for observers */
	atomic_store_explicit(&s->self->pid, (uint32_t)getpid(), memory_order_relaxed);
	atomic_store_explicit(&s->self->generation,
			      atomic_load_explicit(&s->self->generation, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	atomic_store_explicit(&s->self->started_at_ns, now_ns(), memory_order_relaxed);
	atomic_store_explicit(&s->self->failing_since_ns, 0, memory_order_relaxed); /* the predecessor's */
	s->parks = atomic_load_explicit(&s->self->parks, memory_order_relaxed);
	s->rings = atomic_load_explicit(&s->self->rings, memory_order_relaxed);
	bell_awake(&s->self->parked);
	announce(s, STATE_STARTING);
	/* A reload before our pid was there to be signalled: it counts too. */
	if (file_stamp(s->file) != stamp)
		atomic_store_explicit(&reload_asked, 1, memory_order_relaxed);
	return 0;
}

/* sd_notify(3): one datagram to the socket named by the environment, if it is. */
static void notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd;

	if (!path || strlen(path) >= sizeof(to.sun_path))
		return;
	memcpy(to.sun_path, path, strlen(path));
	if (to.sun_path[0] == '@')
		to.sun_path[0] = 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to,
	       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path)));
	close(fd);
}

static void wake_ingress(struct stage *s)
{
	uint64_t one = 1;

	if (s->space_fd >= 0 && write(s->space_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_warn("wake ingress: %s", strerror(errno));
}

static void ring_all(struct stage *s)
{
	for (int i = 0; i < N_STAGES; i++)
		if (i != (int)s->id)
			bell_ring_hard(&s->blocks[i].parked);
	wake_ingress(s);
}

void stage_ready(struct stage *s)
{
	ring_all(s);
	announce(s, STATE_READY);
	notify("READY=1");
	log_info("ready (pid %d, start %u)", getpid(),
		 atomic_load_explicit(&s->self->generation, memory_order_relaxed));
}

/* A config that cannot be read just now is read again until it can: the other stages may have read it. */
static void postpone_reload(struct stage *s, const char *why)
{
	if (!s->reload_due_ns)
		config_log_refusals(why, ": nothing was changed, it is tried again");
	s->reload_due_ns = now_ns() + NS_PER_S;
}

int stage_reload_asked(struct stage *s, struct config *fresh)
{
	char why[CONFIG_WHY_BYTES];
	int err;

	if (!atomic_load_explicit(&reload_asked, memory_order_relaxed) &&
	    !(s->reload_due_ns && now_ns() >= s->reload_due_ns))
		return 0;
	atomic_store_explicit(&reload_asked, 0, memory_order_relaxed);
	log_reopen();
	err = config_load(fresh, s->file, s->argc, s->argv, why, sizeof(why));
	if (config_may_pass(err)) {
		postpone_reload(s, why);
		return 0;
	}
	s->reload_due_ns = 0;
	if (err) {
		config_log_refusals(why, ": nothing was changed");
		return 0;
	}
	if (config_explain_changes(&s->config, fresh, stderr)) {
		log_error("reload %s: some changes need a relaunch: nothing was changed",
			  s->file ? fresh->file : "defaults");
		return 0;
	}
	s->config = *fresh;
	log_info("reloaded %s", s->file ? fresh->file : "the defaults");
	return 1;
}

void stage_beat(struct stage *s, uint64_t now, int has_work)
{
	place_look(&s->place, now);
	if (now < s->beat_due_ns)
		return;
	s->beat_due_ns = now + s->config.heartbeat_ms * NS_PER_MS / 4;
	failing_beat(&s->failing, s->self, now);
	/* relaxed, all of them: for observers */
	atomic_store_explicit(&s->self->has_work, (uint32_t)has_work, memory_order_relaxed);
	atomic_store_explicit(&s->self->parks, s->parks, memory_order_relaxed);
	atomic_store_explicit(&s->self->rings, s->rings, memory_order_relaxed);
	atomic_store_explicit(&s->self->beat_at_ns, now, memory_order_relaxed);
	probe_commit(&s->probes, 0, 0, 0, now); /* for who attaches while nothing comes: it works */
	notify("WATCHDOG=1");
}

void stage_ring(struct stage *s, enum stage_id other, uint32_t how)
{
	if (other != STAGE_INGRESS) {
		s->rings += (uint64_t)bell_ring(&s->blocks[other].parked, how);
		return;
	}
	if (!bell_take(&s->blocks[other].parked, how))
		return;
	wake_ingress(s);
	s->rings++;
}

void stage_check_counts(const struct stage *s, uint32_t class, uint64_t ahead_pkts)
{
	if (ahead_pkts <= s->seg.views[class].slots)
		return;
	log_error("segment %s: class %s: a count is %llu packets ahead in a lane of %u: it is damaged; "
		  "run/stop.sh, then run/launch.sh",
		  s->seg.name, s->config.classes[class].name, (unsigned long long)ahead_pkts,
		  s->seg.views[class].slots);
	abort();
}

void stage_check_length(const struct stage *s, uint32_t class, uint32_t bytes)
{
	if (bytes <= s->config.payload_bytes)
		return;
	log_error("segment %s: class %s: a packet of %u bytes in slots for %u: it is damaged; run/stop.sh, then "
		  "run/launch.sh",
		  s->seg.name, s->config.classes[class].name, bytes, s->config.payload_bytes);
	abort();
}

int stage_spin(struct stage *s, int (*has_input)(void *arg), void *arg)
{
	uint64_t limit_ns = s->config.spin_us[s->id] * NS_PER_US, until_ns;

	if (limit_ns == 0 || place_holds_up_others(&s->place))
		return 0;
	if (s->spin_ns < limit_ns / 16 || s->spin_ns > limit_ns)
		s->spin_ns = limit_ns;
	until_ns = now_ns() + s->spin_ns;
	do {
		if (has_input(arg)) {
			s->spin_ns *= 2; /* it paid: look longer next time */
			return 1;
		}
	} while (now_ns() < until_ns);
	s->spin_ns /= 2;
	return 0;
}

int stage_close(struct stage *s)
{
	s->beat_due_ns = 0;
	stage_beat(s, now_ns(), 0);
	ring_all(s); /* for what was passed on since the last ring */
	announce(s, STATE_STOPPED);
	notify("STOPPING=1");
	log_info("stopped");
	place_close();
	segment_close(&s->seg);
	return 0;
}
