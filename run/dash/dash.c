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
#include "log.h"
#include "options/dash.h"
#include "shut.h"

#define EXIT_CANNOT 1
#define EXIT_USAGE 2
#define DEFAULT_LISTEN "127.0.0.1:9999"

struct dash_options {
	const char *instance; /* NULL: not given, as the next two */
	const char *file;
	const char *token; /* a file */
	int is_open; /* `cage = off` */
	struct address listen; /* len 0: not given */
	uint64_t interval_ns;
};

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
	(void)number;
	stop_asked = 1;
}

static int allow_host(struct server *s, const char *name)
{
	if (s->n_allowed < MAX_ALLOWED) {
		s->allowed[s->n_allowed++] = name;
		return 0;
	}
	log_error("--allow-host %s: one too many: at most %d", name, MAX_ALLOWED);
	return -1;
}

/* What is more than a value to keep. 0, or -1 after one line. */
static int take_option(struct dash_options *o, struct server *s, int option, const char *value)
{
	char reason[REASON_BYTES];

	if (option == OPTION_ALLOW_HOST)
		return allow_host(s, value);
	if (option == OPTION_INSTANCE) {
		o->instance = value;
		if (value_check_name(value, INSTANCE_NAME_BYTES - 1, reason) == 0)
			return 0;
		log_error("-i %s: %s", value, reason);
		return -1;
	}
	if (address_parse(value, strlen(value), &o->listen))
		return 0;
	log_error("--listen %s: not an address and port such as 127.0.0.1:9999 or [::1]:9999", value);
	return -1;
}

/* Returns 0, or 1 + the exit status when there is nothing to serve. */
static int read_options(struct dash_options *o, struct server *s, int argc, char **argv)
{
	double seconds = 1;
	void *const places[N_COMMAND_OPTIONS] = {
		[OPTION_CONFIG] = &o->file, [OPTION_INTERVAL] = &seconds, [OPTION_TOKEN] = &o->token
	};
	struct command_line line;
	int option;

	*o = (struct dash_options){ 0 };
	command_open(&line, &command, argc, argv, places, NULL);
	while ((option = command_next(&line)) >= 0)
		if (take_option(o, s, option, line.value))
			return 1 + COMMAND_USAGE;
	o->interval_ns = (uint64_t)(seconds * 1e9);
	return option == COMMAND_END ? 0 : 1 + command_status(option);
}

static int is_loopback(const struct address *a)
{
	if (a->at.ss_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)&a->at)->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&a->at)->sin6_addr);
}

static unsigned int port_of(const struct address *a)
{
	return a->at.ss_family == AF_INET ? ntohs(((const struct sockaddr_in *)&a->at)->sin_port)
					  : ntohs(((const struct sockaddr_in6 *)&a->at)->sin6_port);
}

/* What [dash] says, as far as the command line does not. `names` keeps the host names. */
static void take_section(const struct config *c, struct dash_options *o, struct server *s, char names[DASH_HOSTS_BYTES])
{
	char *rest = names;

	if (!o->listen.len && c->n_dash_listen)
		o->listen = c->dash_listen;
	o->is_open = !c->cage;
	if (!o->token && c->dash_token[0])
		o->token = c->dash_token;
	memcpy(names, c->dash_allow_host, DASH_HOSTS_BYTES);
	for (char *name = strtok_r(names, " ", &rest); name && s->n_allowed < MAX_ALLOWED;
	     name = strtok_r(NULL, " ", &rest))
		s->allowed[s->n_allowed++] = name;
}

static int is_section_known; /* of the instance that is shown, or of a file */

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
		is_section_known = 1;
		o->instance = o->instance ? o->instance : config.instance;
	}
	o->instance = o->instance ? o->instance : "default";
	if (!o->file && in_force_find(&in_force, o->instance) == 0) {
		take_section(&in_force.config, o, s, names);
		is_section_known = 1;
	}
	if (!o->listen.len)
		address_parse(DEFAULT_LISTEN, strlen(DEFAULT_LISTEN), &o->listen);
	return 0;
}

/*
 * The socket that it serves on. Where a supervisor keeps it, which would only start another, what stands in the way may
 * pass: it says so once, and tries again. 0, or -errno; -EINTR: it is to stop.
 */
static int listen_on(const struct dash_options *o, const char *text, const sigset_t *stops, int *fd)
{
	const struct timespec pause = { .tv_sec = 1 };
	int err = server_listen(&o->listen, fd);

	if (err && !getenv(SUPERVISED_VARIABLE)) {
		log_error("serve on %s: %s; --listen ADDRESS:PORT takes another", text, log_text_of(-err));
		return err;
	}
	if (err)
		log_error("serve on %s: %s: it is tried again each second; another `listen` in [dash], and a reload, "
			  "take another",
			  text, log_text_of(-err));
	while (err) {
		if (sigtimedwait(stops, NULL, &pause) > 0)
			return -EINTR;
		err = server_listen(&o->listen, fd);
	}
	return 0;
}

static int start(const struct dash_options *o, const sigset_t *stops, struct server *s)
{
	char text[ADDRESS_BYTES];
	int fd, err;

	address_format(&o->listen, text);
	if (o->token && token_read(&s->token, o->token, port_of(&o->listen)))
		return -EACCES;
	err = listen_on(o, text, stops, &fd);
	if (err)
		return err;
	err = sites_open(&s->sites, o->instance);
	if (!err)
		err = server_start(s, fd, is_loopback(&o->listen));
	if (err) {
		log_error("serve on %s: %s", text, log_text_of(-err));
		return err;
	}
	log_info("http://%s/ shows instance '%s'", text, o->instance);
	if (!is_loopback(&o->listen) && !o->token)
		log_warn("whoever can reach %s can read along: `token` in [dash] has it ask for one", text);
	return 0;
}

/*
 * It was started before its instance, whose section asks for a token: nothing is served without it any more. Who keeps
 * this process starts another, which asks for it.
 */
static int lacks_token(const struct dash_options *o)
{
	static struct in_force in_force;

	if (is_section_known || o->token || in_force_find(&in_force, o->instance))
		return 0;
	is_section_known = 1;
	if (!in_force.config.dash_token[0])
		return 0;
	log_error("instance '%s' asks for a token ([dash] token), which is read at the start: start this again",
		  o->instance);
	return 1;
}

/* Signals are blocked but while it sleeps, so that none comes between the look at the flag and the sleep. */
static int serve(struct server *s, const struct dash_options *o, const sigset_t *asleep)
{
	uint64_t due_ns = now_ns();

	while (!stop_asked) {
		struct pollfd polled = { .fd = server_fd(s), .events = POLLIN };
		uint64_t now = now_ns(), wait_ns, limit_ns;

		if (now >= due_ns) {
			if (lacks_token(o))
				return EXIT_CANNOT;
			if (sites_look(&s->sites))
				log_warn("out of memory: one look is left out");
			server_tick(s);
			due_ns += o->interval_ns;
			if (due_ns <= now) /* slept through some: they are not made up for */
				due_ns = now + o->interval_ns;
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
	return 0;
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
	cage_no_new_privileges();
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
	done = start(&options, &stops, &server);
	if (done)
		return done == -EINTR ? 0 : EXIT_CANNOT;
	if (!options.is_open)
		shut_in();
	done = serve(&server, &options, &asleep);
	server_stop(&server);
	return done;
}
