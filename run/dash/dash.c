/*
 * dash.c - the web dashboard: one look at the instance per interval, served to any number of browsers and to
 * Prometheus.
 *
 * Rules:   one thread: look, serve, sleep. Maps the segment read-only. The instance may come, go and come again.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "clock.h"
#include "config/value.h"
#include "http.h"
#include "decimal.h"
#include "log.h"
#include "version.h"

#define EXIT_CANNOT 1
#define EXIT_USAGE 2
#define DEFAULT_LISTEN "127.0.0.1:9999"

struct dash_options {
	const char *instance; /* NULL: not given, as the next two */
	const char *file;
	struct address listen; /* len 0: not given */
	uint64_t interval_ns;
};

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
	(void)number;
	stop_asked = 1;
}

static void print_help(void)
{
	puts("dash - the web dashboard of a running instance, and its metrics for Prometheus.\n\n"
	     "usage: dash [-i INSTANCE | -c FILE] [--listen ADDRESS:PORT] [options]\n\n"
	     "  -i INSTANCE            which instance (default: default); it may start later, stop, and start again\n"
	     "  -c FILE                the instance of this configuration, served where its [dash] says\n"
	     "  --listen ADDRESS:PORT  where to serve (default: what [dash] says that the instance runs with, else\n"
	     "                         " DEFAULT_LISTEN "; there is no password)\n"
	     "  --allow-host NAME      a host name it may be asked by, beside localhost and its address; up to 8 "
	     "times\n"
	     "  --interval SECONDS     between two looks (default 1; 0.1 to 60); it keeps the last 600 looks\n"
	     "  --version              print the version\n\n"
	     "serves: /         the page; on loopback /?instance=NAME too, for others that run\n"
	     "        /metrics  Prometheus's text format, or OpenMetrics if that is asked for\n"
	     "        /events   server-sent events: each look as `stat --json`\n"
	     "        /healthz  200 ok, or 503 and a line for each cause (run/look/README.md)\n"
	     "        /ready    200 while packets get through and nobody drains it, else 503 and why; /live: 200 while "
	     "dash answers\n\n"
	     "examples: build/dash\n"
	     "          build/dash -i stress --listen '[::1]:8000' --interval 0.5\n"
	     "          ssh -L 9999:127.0.0.1:9999 relay.example    then http://localhost:9999/ here\n\n"
	     "Exit status: 0 asked to stop, 1 cannot serve (the port is in use), 2 usage.");
}

static int parse_interval(const char *text, uint64_t *ns)
{
	double seconds;

	if (decimal_real(text, 0.1, 60, &seconds))
		return -EINVAL;
	*ns = (uint64_t)(seconds * 1e9);
	return 0;
}

/* One option with its value. 0, or -1 after one line. */
static int take_option(struct dash_options *o, struct server *s, const char *name, const char *value)
{
	char reason[REASON_BYTES];

	if (!value) {
		log_error("%s: what? see dash --help", name);
		return -1;
	}
	if (strcmp(name, "-i") == 0) {
		o->instance = value;
		if (value_check_name(value, INSTANCE_NAME_BYTES - 1, reason) == 0)
			return 0;
		log_error("-i %s: %s", value, reason);
	} else if (strcmp(name, "-c") == 0) {
		o->file = value;
		return 0;
	} else if (strcmp(name, "--listen") == 0) {
		if (address_parse(value, strlen(value), &o->listen))
			return 0;
		log_error("--listen %s: not an address and port such as 127.0.0.1:9999 or [::1]:9999", value);
	} else if (strcmp(name, "--interval") == 0) {
		if (parse_interval(value, &o->interval_ns) == 0)
			return 0;
		log_error("--interval %s: not a number of seconds from 0.1 to 60", value);
	} else if (strcmp(name, "--allow-host") == 0) {
		if (s->n_allowed < MAX_ALLOWED) {
			s->allowed[s->n_allowed++] = value;
			return 0;
		}
		log_error("--allow-host %s: one too many: at most %d", value, MAX_ALLOWED);
	} else {
		log_error("%s: unknown option; see dash --help", name);
	}
	return -1;
}

static int is_flag(const char *word, const char *name)
{
	return strcmp(word, name) == 0;
}

/* Returns 0, or 1 + the exit status when there is nothing to serve. */
static int read_options(struct dash_options *o, struct server *s, int argc, char **argv)
{
	*o = (struct dash_options){ .interval_ns = NS_PER_S };
	for (int i = 1; i < argc; i += 2) {
		if (is_flag(argv[i], "--help") || is_flag(argv[i], "-h")) {
			print_help();
			return 1;
		}
		if (is_flag(argv[i], "--version")) {
			printf("ontime %s\n", ONTIME_VERSION);
			return 1;
		}
		const char *known[] = { "-i", "-c", "--listen", "--interval", "--allow-host" };
		size_t k = 0;

		while (k < sizeof(known) / sizeof(known[0]) && !is_flag(argv[i], known[k]))
			k++;
		if (take_option(o, s, argv[i], k < sizeof(known) / sizeof(known[0]) ? argv[i + 1] : ""))
			return 1 + EXIT_USAGE;
	}
	return 0;
}

static int is_loopback(const struct address *a)
{
	if (a->at.ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)&a->at)->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&a->at)->sin6_addr);
}

/* What [dash] says, as far as the command line does not. `names` keeps the host names. */
static void take_section(const struct config *c, struct dash_options *o, struct server *s, char names[DASH_HOSTS_BYTES])
{
	char *rest = names;

	if (!o->listen.len && c->n_dash_listen)
		o->listen = c->dash_listen;
	memcpy(names, c->dash_allow_host, DASH_HOSTS_BYTES);
	for (char *name = strtok_r(names, " ", &rest); name && s->n_allowed < MAX_ALLOWED;
	     name = strtok_r(NULL, " ", &rest))
		s->allowed[s->n_allowed++] = name;
}

/* Which instance, and where to serve: by the command line, the file it names, what the instance runs with. */
static int settle_options(struct dash_options *o, struct server *s)
{
	static char names[DASH_HOSTS_BYTES], why[CONFIG_WHY_BYTES];
	static struct config config;
	static struct in_force in_force;
	int err;

	if (o->file) {
		err = config_load(&config, o->file, 0, NULL, why, sizeof(why));
		if (err) {
			config_log_refusals(why, "");
			return config_may_pass(err) ? EXIT_CANNOT : EXIT_USAGE;
		}
		take_section(&config, o, s, names);
		o->instance = o->instance ? o->instance : config.instance;
	}
	o->instance = o->instance ? o->instance : "default";
	if (!o->file && in_force_find(&in_force, o->instance) == 0)
		take_section(&in_force.config, o, s, names);
	if (!o->listen.len)
		address_parse(DEFAULT_LISTEN, strlen(DEFAULT_LISTEN), &o->listen);
	return 0;
}

static int start(const struct dash_options *o, struct server *s)
{
	char text[ADDRESS_BYTES];
	int fd, err = server_listen(&o->listen, &fd);

	address_format(&o->listen, text);
	if (err) {
		log_error("serve on %s: %s; --listen ADDRESS:PORT takes another", text, log_text_of(-err));
		return err;
	}
	err = sites_open(&s->sites, o->instance);
	if (!err)
		err = server_start(s, fd, is_loopback(&o->listen));
	if (err) {
		log_error("serve on %s: %s", text, log_text_of(-err));
		return err;
	}
	log_info("http://%s/ shows instance '%s'", text, o->instance);
	if (!is_loopback(&o->listen))
		log_warn("whoever can reach %s can read along: there is no password", text);
	return 0;
}

/* Signals are blocked but while it sleeps, so that none comes between the look at the flag and the sleep. */
static void serve(struct server *s, uint64_t interval_ns, const sigset_t *asleep)
{
	uint64_t due_ns = now_ns();

	while (!stop_asked) {
		struct pollfd polled = { .fd = server_fd(s), .events = POLLIN };
		uint64_t now = now_ns(), wait_ns, limit_ns;

		if (now >= due_ns) {
			if (sites_look(&s->sites))
				log_warn("out of memory: one look is left out");
			server_tick(s);
			due_ns += interval_ns;
			if (due_ns <= now) /* slept through some: they are not made up for */
				due_ns = now + interval_ns;
		}
		wait_ns = due_ns - now;
		limit_ns = server_wait_ns(s);
		if (limit_ns < wait_ns)
			wait_ns = limit_ns;
		ppoll(&polled, 1,
		      &(struct timespec){ .tv_sec = (time_t)(wait_ns / NS_PER_S),
					  .tv_nsec = (long)(wait_ns % NS_PER_S) },
		      asleep);
		server_run(s);
	}
}

/* Where a supervisor keeps it: it ends with that, and nothing that it inherited from there is its own. */
static int is_left_alone(void)
{
	const char *supervisor = getenv(SUPERVISED_VARIABLE);

	if (!supervisor)
		return 0;
	close_range(STDERR_FILENO + 1, ~0U, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	return getppid() != atoi(supervisor); /* it was gone before that */
}

int main(int argc, char **argv)
{
	static struct server server;
	struct sigaction action = { .sa_handler = on_signal };
	struct dash_options options;
	sigset_t stops, asleep;
	int done;

	log_set_service_name("dash");
	if (is_left_alone())
		return 0;
	done = read_options(&options, &server, argc, argv);
	if (done)
		return done - 1;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&stops);
	sigaddset(&stops, SIGTERM);
	sigaddset(&stops, SIGINT);
	sigprocmask(SIG_BLOCK, &stops, &asleep);
	sigdelset(&asleep, SIGTERM); /* even if it was started with them blocked */
	sigdelset(&asleep, SIGINT);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	done = settle_options(&options, &server);
	if (done)
		return done;
	if (start(&options, &server))
		return EXIT_CANNOT;
	serve(&server, options.interval_ns, &asleep);
	server_stop(&server);
	return 0;
}
