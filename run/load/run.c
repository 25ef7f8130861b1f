/* run.c - one run. */
#include "run.h"

#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>

#include "clock.h"
#include "command.h"
#include "config/reply.h"
#include "config/sharded.h"
#include "log.h"
#include "progress.h"
#include "strays.h"
#include "traffic/capture.h"

#define TRACE_LEAD_NS (10 * NS_PER_MS) /* before the first datagram of a trace */

static void allow_many_sockets(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* A trace may be of the way back too, for simulate; here only an answer can come back. */
static int refuse_answers(const struct load *l)
{
	for (size_t i = 0; i < l->trace.n; i++) {
		int forth = reply_forth(l->config, l->trace.packets[i].class);

		if (forth < 0)
			continue;
		log_error("--trace %s: class %s carries replies of class %s, which are made here by answering: leave "
			  "them out",
			  l->options->trace, l->config->classes[l->trace.packets[i].class].name,
			  l->config->classes[forth].name);
		return EXIT_USAGE;
	}
	return 0;
}

/* 0, or the exit status after one line. */
static int read_trace(struct load *l)
{
	const struct load_options *o = l->options;
	int status = o->pcap ? capture_read(&l->trace, o->pcap, l->config, 1, o->speed)
			     : trace_read(&l->trace, o->trace, l->config);

	l->source.trace = &l->trace;
	return status ? status : refuse_answers(l);
}

static int has_packets(const struct trace *t, uint32_t class)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->packets[i].class == class)
			return 1;
	return 0;
}

/* Its datagrams are not ours: nothing in them tells them apart but what they are, and nobody answers them. */
static int open_content(struct load *l, struct flow *f, uint32_t class)
{
	struct content *c = &l->contents[f - l->flows];

	f->answers = 0;
	f->content = c;
	if (content_open(c, &l->trace, class) == 0)
		return 0;
	log_error("no memory for capture %s", l->options->pcap);
	return 1;
}

/* What comes back, where both halves are here. */
static void open_ways_back(struct load *l)
{
	uint32_t n = l->n_flows;

	for (uint32_t i = 0; i < n; i++) {
		int back = reply_back(l->config, l->class_of[i]);

		if (back < 0)
			continue;
		flow_open_back(&l->flows[l->n_flows], &l->flows[i], &l->config->classes[back]);
		l->class_of[l->n_flows++] = (uint32_t)back;
	}
}

int load_open(struct load *l, const struct load_options *o, const struct config *c, const volatile sig_atomic_t *stop)
{
	uint32_t what = (o->sink_only ? 0 : FLOW_SENDS) | (o->send_only ? 0 : FLOW_RECEIVES);

	l->options = o;
	l->config = c;
	l->source.options = o;
	l->source.stop = stop;
	l->source.flows = l->flows;
	if (options_are_traced(o)) {
		int status = read_trace(l);

		if (status)
			return status;
	}
	allow_many_sockets();
	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct class_load *class = &o->classes[i];
		struct packet_sizes sizes = { o->seed + i, class->smallest_bytes, class->largest_bytes, 0, 0 };

		if (options_are_traced(o))
			sizes = (struct packet_sizes){ 0, sizeof(struct packet_header), MAX_LOAD_BYTES, 0, 0 };
		if (class->rate_pps == 0 || (o->pcap && !has_packets(&l->trace, i)))
			continue;
		l->source.flow_of[i] = l->n_flows;
		l->flows[l->n_flows].beside = l->flows;
		l->flows[l->n_flows].n_beside = l->n_flows;
		if (flow_open(&l->flows[l->n_flows], &c->classes[i], &sizes, (uint32_t)o->n_sources, what))
			return 1;
		if (o->pcap && open_content(l, &l->flows[l->n_flows], i))
			return 1;
		if (sharded_may_be_many(c)) /* order holds for each sender */
			l->flows[l->n_flows].n_orders = (uint32_t)o->n_sources;
		l->class_of[l->n_flows++] = i;
	}
	l->source.n_flows = l->n_flows;
	if (what == (FLOW_SENDS | FLOW_RECEIVES) && !o->pcap)
		open_ways_back(l);
	if (!o->pcap) /* whose classes are what the rules say */
		strays_tell(l);
	return 0;
}

static void plan_source(struct load *l, double factor)
{
	struct source *s = &l->source;
	const struct load_options *o = l->options;

	for (uint32_t i = 0; i < s->n_flows; i++)
		schedule_start(&s->schedules[i], (enum arrivals)o->arrivals, (uint32_t)o->burst_pkts,
			       o->classes[l->class_of[i]].rate_pps * factor, (double)i / s->n_flows, o->seed + i);
	memset(s->lag, 0, sizeof(s->lag));
	s->lag_max_ns = 0;
	s->began_at_ns = now_ns() + (options_are_traced(o) ? TRACE_LEAD_NS : 0);
	for (uint32_t i = 0; i < s->n_flows; i++) /* relaxed: before the first datagram is sent */
		atomic_store_explicit(&l->contents[i].began_at_ns, s->began_at_ns, memory_order_relaxed);
	s->until_ns = s->began_at_ns + (uint64_t)(o->seconds * 1e9);
	if (options_are_traced(o) && l->trace.n)
		s->until_ns = s->began_at_ns + l->trace.packets[l->trace.n - 1].arrival_ns;
	if (o->sink_only && o->seconds == 0)
		s->until_ns = UINT64_MAX;
	l->asked_pps = options_are_traced(o) || o->saturate || o->sink_only ? 0 : o->rate_pps * factor;
}

/* Without a source: until the time is over, or a signal. */
static void wait_for_end(const struct source *s)
{
	struct timespec pause = { .tv_nsec = 10 * (long)NS_PER_MS };

	while (!*s->stop && now_ns() < s->until_ns)
		nanosleep(&pause, NULL);
}

int load_run(struct load *l, double factor)
{
	struct source *s = &l->source;
	struct progress progress;
	pthread_t thread;
	uint32_t run = 0;
	int err = 0;

	if (!l->options->sink_only)
		while ((run >>= STREAM_RUN_SHIFT) == 0)
			if (getrandom(&run, sizeof(run), 0) != sizeof(run))
				run = (uint32_t)now_ns();
	for (uint32_t i = 0; i < l->n_flows; i++) {
		const struct flow *asks = l->flows[i].forth ? l->flows[i].forth : &l->flows[i];

		flow_reset(&l->flows[i], run << STREAM_RUN_SHIFT | l->class_of[asks - l->flows]);
	}
	if (!l->options->send_only) {
		l->sink.learns_sent = l->options->sink_only;
		err = sink_start(&l->sink, l->flows, l->n_flows, &thread);
		if (err)
			return err;
	}
	plan_source(l, factor);
	progress_start(&progress, l->flows, s->n_flows, s->began_at_ns, s->until_ns);
	if (l->options->sink_only)
		wait_for_end(s);
	else
		err = source_run(s);
	if (!l->options->send_only)
		sink_finish(&l->sink, thread, l->options->sink_only ? 0 : (uint64_t)(l->options->drain_seconds * 1e9));
	progress_finish(&progress);
	return err;
}

int load_ask(struct load *l)
{
	int has_both = !l->options->send_only && !l->options->sink_only, err;
	uint32_t used = 0;

	for (uint32_t i = 0; i < l->n_flows; i++)
		used |= 1u << l->class_of[i];
	if (has_both)
		named_before(&l->named, l->config, used);
	err = load_run(l, 1);
	if (has_both)
		named_after(&l->named, l->flows, l->n_flows);
	return err;
}

static int is_as_sent(const struct flow *f)
{
	return f->doubled_pkts + f->reordered_pkts + f->corrupt_pkts + f->misled_pkts == 0;
}

int load_is_named(const struct load *l)
{
	for (uint32_t i = 0; i < l->n_flows && !l->options->send_only; i++)
		if (!is_as_sent(&l->flows[i]) || named_lost_pkts(&l->named, l->flows, i) != 0)
			return 0;
	return 1;
}

int load_is_whole(const struct load *l)
{
	for (uint32_t i = 0; i < l->n_flows && !l->options->send_only; i++)
		if (!is_as_sent(&l->flows[i]) || flow_lost_pkts(&l->flows[i]) != 0)
			return 0;
	return 1;
}

double load_sent_pps(const struct load *l)
{
	uint64_t sent = 0, ns = l->source.ended_at_ns - l->source.began_at_ns;

	for (uint32_t i = 0; i < l->source.n_flows; i++)
		sent += l->flows[i].sent_pkts;
	return ns ? (double)sent * 1e9 / (double)ns : 0;
}
