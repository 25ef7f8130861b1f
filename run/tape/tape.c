/*
 * tape.c - capture what a running instance sends or drops, with the reason why it was late, as pcapng.
 *
 * Rules:   maps the segment read-only, so that no packet waits for it: what it is too slow to copy is counted.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "log.h"
#include "look/number.h"
#include "record.h"

#define SUMMARY_BYTES LOG_LINE_BYTES
#define USAGE 2

static volatile sig_atomic_t stop_asked;

static void on_signal(int sig)
{
	(void)sig;
	stop_asked = 1;
}

/* Without SA_RESTART: a sleep, or a wait for a reader, ends at once. */
static void catch_signals(void)
{
	struct sigaction act = { .sa_handler = on_signal };

	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static const char *ending_text(const struct record *r)
{
	if (r->err == FILE_FULL)
		return "it is full";
	switch (r->ending) {
	case ENDED_BY_TIME:
		return "the time is over";
	case ENDED_BY_COUNT:
		return "there are as many as were asked for";
	case READER_GONE:
		return "its reader is gone";
	case CANNOT_WRITE:
		return r->err ? log_text_of(-r->err) : "it cannot go on";
	default:
		return "asked to end";
	}
}

/* One line: how it ended, and what has become of each class's packets. */
static void tell(const struct record *r)
{
	char text[SUMMARY_BYTES] = "", number[4][GROUPED_BYTES];
	size_t len = 0;

	for (uint32_t i = 0; i < r->n_tallies && len < sizeof(text); i++) {
		const struct tally *t = &r->tallies[i];
		int n = snprintf(
			text + len, sizeof(text) - len, "; %s: %s captured + %s missed + %s filtered = %s released",
			t->name, number_grouped(t->captured_pkts, number[0]), number_grouped(t->missed_pkts, number[1]),
			number_grouped(t->filtered_pkts, number[2]), number_grouped(t->released_pkts, number[3]));

		len += n > 0 ? (size_t)n : 0;
	}
	(r->ending == CANNOT_WRITE ? log_error : log_info)("%s: %s%s", r->options->write, ending_text(r), text);
	if (r->before.was_full)
		log_warn("--before: there were too many packets for the memory that is kept for them: of some of that "
			 "time the oldest are not there");
}

int main(int argc, char **argv)
{
	static struct tape_options o;
	static struct record r = { .options = &o, .stop = &stop_asked, .until_ns = UINT64_MAX };
	int status;

	log_set_name("tape");
	status = options_parse(&o, argc, argv);
	if (status >= 0)
		return status;
	if (o.write[0] == '-' && !o.write[1] && isatty(STDOUT_FILENO)) {
		log_error("-w -: standard output is a terminal, and packets are no text: name a file, or a program "
			  "behind a |");
		return USAGE;
	}
	catch_signals();
	status = record_run(&r);
	if (r.has_begun)
		tell(&r);
	viewer_close(&r.viewer);
	return status;
}
