/*
 * load.c - open-loop traffic source and sink: what was lost, doubled, reordered or changed, and how long it took.
 *
 * Rules:   open loop: each datagram has its send time from the start, and latency counts from that time, so a slow
 *          receiver cannot hide its delays. Sent means accepted by the kernel. Loss, duplicates and order are exact, by
 *          a sequence number per flow; a datagram too short for one is told by its size and place (load_sink.h).
 * Source:  G. Tene, "How NOT to Measure Latency" (coordinated omission).
 */
#include <errno.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "address.h"
#include "clock.h"
#include "config.h"
#include "histogram.h"
#include "load_packet.h"
#include "load_sink.h"
#include "load_trace.h"
#include "log.h"
#include "random.h"
#include "version.h"

#define DRAIN_NS NS_PER_S
#define SEND_BATCH 64

struct options {
	double rate_pps, seconds;
	uint32_t smallest_bytes, largest_bytes;
	uint64_t seed, count;
	int json, saturate, poisson, gso;
	const char *file, *trace;
};

struct source {
	const struct options *options;
	struct flow *flows;
	uint32_t n_flows;
	uint64_t random; /* of gaps */
	uint64_t due_at_ns;
	uint8_t payload[SEND_BATCH][MAX_LOAD_BYTES];
};

static volatile sig_atomic_t stop_asked;

static void on_signal(int sig)
{
	(void)sig;
	stop_asked = 1;
}

static void print_help(void)
{
	puts("load - open-loop UDP traffic source and sink.\n\n"
	     "usage: load [-c FILE] [--rate PPS] [--seconds S] [--size MIN-MAX] [options]\n\n"
	     "  -c FILE         the config whose classes to drive (default: the built-in four)\n"
	     "  --rate PPS      datagrams per second, all classes together (default 1000)\n"
	     "  --seconds S     how long (default 5)\n"
	     "  --size MIN-MAX  payload bytes, uniform (default 64-1400; 0 to 1472)\n"
	     "  --trace FILE    send what a trace says, when it says (CSV: arrival_ns,class,bytes,...; - is standard "
	     "input)\n"
	     "  --saturate      as fast as possible instead of --rate\n"
	     "  --gso           send equal-size runs in one call (with --saturate)\n"
	     "  --poisson       exponential gaps instead of constant ones\n"
	     "  --seed N        of sizes and gaps (default 1)\n"
	     "  --json          one JSON object instead of the table\n\n"
	     "examples: build/load --rate 20000 --seconds 10\n"
	     "          build/load --saturate --size 64-64 --seconds 3\n\n"
	     "`on time` is the share of all sent that arrived within their class's budget of the scheduled send "
	     "time.\n\n"
	     "Exit status: 0 all arrived once, in order, unchanged; 3 not; 1 cannot run; 2 usage.");
}

/* The exponential distribution without libm: -ln(u) by its binary exponent and a short series. */
static double exponential(uint64_t random)
{
	double u = (double)((random >> 11) + 1) / 9007199254740993.0, sum = 0, x;

	while (u < 0.5) {
		u *= 2;
		sum += 0.69314718055994531;
	}
	x = (1 - u) / (1 + u); /* -ln(u) = 2 artanh(x) */
	return sum + 2 * (x + x * x * x / 3 + x * x * x * x * x / 5 + x * x * x * x * x * x * x / 7);
}

static uint64_t gap_ns(struct source *s)
{
	double mean_ns = 1e9 / s->options->rate_pps;

	return (uint64_t)(s->options->poisson ? mean_ns * exponential(random_next(&s->random)) : mean_ns);
}

/* Send n prepared datagrams of a flow, whatever it takes: what the kernel refuses for now is tried again. */
static void send_all(struct flow *f, struct mmsghdr *msgs, uint32_t n)
{
	uint32_t done = 0;

	while (done < n && !stop_asked) {
		int sent = sendmmsg(f->out_fd, msgs + done, n - done, 0);

		if (sent > 0)
			done += (uint32_t)sent;
		else if (errno != ECONNREFUSED && errno != EAGAIN && errno != ENOBUFS && errno != EINTR) {
			log_error("send to class %s: %s", f->name, strerror(errno));
			exit(1);
		}
	}
}

static void send_batch(struct source *s, struct flow *f, uint32_t n, uint64_t due_at_ns)
{
	struct mmsghdr msgs[SEND_BATCH];
	struct iovec vectors[SEND_BATCH];

	memset(msgs, 0, n * sizeof(msgs[0]));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t bytes = packet_bytes(&f->sizes, f->sent_pkts + i);

		packet_fill(s->payload[i], bytes, f->sent_pkts + i, due_at_ns);
		vectors[i] = (struct iovec){ .iov_base = s->payload[i], .iov_len = bytes };
		msgs[i].msg_hdr.msg_iov = &vectors[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	send_all(f, msgs, n);
	/* relaxed: the sink reads it after the threads are joined, or for the progress only */
	atomic_store_explicit(&f->sent_pkts, f->sent_pkts + n, memory_order_relaxed);
}

/* Equal sizes: 64 datagrams as one super-datagram; the generator must be cheaper than what it drives. */
static void send_super(struct source *s, struct flow *f, uint64_t now)
{
	uint32_t bytes = s->options->smallest_bytes, n = 60000 / (bytes ? bytes : 1);
	char control[CMSG_SPACE(sizeof(uint16_t))] = { 0 };
	uint16_t size = (uint16_t)bytes;
	struct iovec vectors[SEND_BATCH];
	struct mmsghdr m = { .msg_hdr = {
				     .msg_iov = vectors, .msg_control = control, .msg_controllen = sizeof(control) } };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m.msg_hdr);

	n = n < SEND_BATCH ? n : SEND_BATCH;
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof(size));
	memcpy(CMSG_DATA(c), &size, sizeof(size));
	for (uint32_t i = 0; i < n; i++) {
		packet_fill(s->payload[i], bytes, f->sent_pkts + i, now);
		vectors[i] = (struct iovec){ .iov_base = s->payload[i], .iov_len = bytes };
	}
	m.msg_hdr.msg_iovlen = n;
	send_all(f, &m, 1);
	atomic_store_explicit(&f->sent_pkts, f->sent_pkts + n, memory_order_relaxed); /* relaxed: as above */
}

static void run_saturated(struct source *s)
{
	uint64_t until_ns = now_ns() + (uint64_t)(s->options->seconds * 1e9), now;

	for (uint32_t i = 0; !stop_asked && (now = now_ns()) < until_ns; i++) {
		struct flow *f = &s->flows[i % s->n_flows];

		if (s->options->gso && s->options->smallest_bytes > 0)
			send_super(s, f, now);
		else
			send_batch(s, f, 32, now);
	}
}

static void run_paced(struct source *s)
{
	uint64_t began_ns = now_ns(), until_ns = began_ns + (uint64_t)(s->options->seconds * 1e9);

	s->due_at_ns = began_ns;
	for (uint32_t i = 0; !stop_asked && s->due_at_ns < until_ns; i++) {
		struct timespec t = { .tv_sec = (time_t)(s->due_at_ns / NS_PER_S),
				      .tv_nsec = (long)(s->due_at_ns % NS_PER_S) };

		if (now_ns() < s->due_at_ns)
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		send_batch(s, &s->flows[i % s->n_flows], 1, s->due_at_ns);
		s->due_at_ns += gap_ns(s);
	}
}

/* Sizes come from the trace; datagrams too short for a header get one: what a trace is for is their times. */
static void run_trace(struct source *s, const struct trace *t)
{
	uint64_t began_ns = now_ns() + 10 * NS_PER_MS;

	for (size_t i = 0; i < t->n && !stop_asked; i++) {
		const struct packet *p = &t->packets[i];
		struct flow *f = &s->flows[p->class];
		uint64_t due_at_ns = began_ns + p->arrival_ns;
		struct timespec until = { .tv_sec = (time_t)(due_at_ns / NS_PER_S),
					  .tv_nsec = (long)(due_at_ns % NS_PER_S) };
		struct iovec vector = { .iov_base = s->payload[0], .iov_len = p->bytes };
		struct mmsghdr m = { .msg_hdr = { .msg_iov = &vector, .msg_iovlen = 1 } };

		if (vector.iov_len < sizeof(struct packet_header))
			vector.iov_len = sizeof(struct packet_header);
		if (vector.iov_len > MAX_LOAD_BYTES)
			vector.iov_len = MAX_LOAD_BYTES;
		if (now_ns() < due_at_ns)
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
		packet_fill(s->payload[0], (uint32_t)vector.iov_len, f->sent_pkts, due_at_ns);
		send_all(f, &m, 1);
		atomic_store_explicit(&f->sent_pkts, f->sent_pkts + 1, memory_order_relaxed); /* relaxed: as above */
	}
}

static void print_table(const struct flow *flows, uint32_t n)
{
	printf("%-12s %10s %10s %8s %6s %10s %8s %9s %9s %9s %9s %10s %9s\n", "class", "sent", "received", "lost",
	       "twice", "reordered", "corrupt", "p50 (us)", "p99", "p99.9", "max", "gap (ms)", "% on time");
	for (uint32_t i = 0; i < n; i++) {
		const struct flow *f = &flows[i];

		printf("%-12s %10llu %10llu %8lld %6llu %10llu %8llu %9.1f %9.1f %9.1f %9.1f %10.2f %9.2f\n", f->name,
		       (unsigned long long)f->sent_pkts, (unsigned long long)f->received_pkts,
		       (long long)flow_lost_pkts(f), (unsigned long long)f->doubled_pkts,
		       (unsigned long long)f->reordered_pkts, (unsigned long long)f->corrupt_pkts,
		       (double)histogram_percentile(f->latency, 500000) / 1e3,
		       (double)histogram_percentile(f->latency, 990000) / 1e3,
		       (double)histogram_percentile(f->latency, 999000) / 1e3, (double)f->latency_max_ns / 1e3,
		       (double)f->gap_max_ns / 1e6,
		       f->sent_pkts ? 100.0 * (double)f->on_time_pkts / (double)f->sent_pkts : 0.0);
	}
}

static void print_json(const struct flow *flows, uint32_t n)
{
	printf("{\"flows\":[");
	for (uint32_t i = 0; i < n; i++) {
		const struct flow *f = &flows[i];

		printf("%s{\"class\":\"%s\",\"sent\":%llu,\"received\":%llu,\"lost\":%lld,\"duplicated\":%llu,"
		       "\"on_time\":%llu,\"reordered\":%llu,\"corrupt\":%llu,\"max_gap_ns\":%llu,\"latency_ns\":{"
		       "\"p50\":%llu,\"p99\":%"
		       "llu,"
		       "\"p999\":%llu,\"max\":%llu}}",
		       i ? "," : "", f->name, (unsigned long long)f->sent_pkts, (unsigned long long)f->received_pkts,
		       (long long)flow_lost_pkts(f), (unsigned long long)f->doubled_pkts,
		       (unsigned long long)f->on_time_pkts, (unsigned long long)f->reordered_pkts,
		       (unsigned long long)f->corrupt_pkts, (unsigned long long)f->gap_max_ns,
		       (unsigned long long)histogram_percentile(f->latency, 500000),
		       (unsigned long long)histogram_percentile(f->latency, 990000),
		       (unsigned long long)histogram_percentile(f->latency, 999000),
		       (unsigned long long)f->latency_max_ns);
	}
	puts("]}");
}

static int parse_number(const char *text, double least, double most, double *out)
{
	char *end;

	errno = 0;
	*out = strtod(text, &end);
	return errno || end == text || *end || !(*out >= least && *out <= most) ? -EINVAL : 0;
}

static int parse_size(const char *text, struct options *o)
{
	char *end;
	unsigned long low = strtoul(text, &end, 10), high = low;

	if (end != text && *end == '-')
		high = strtoul(end + 1, &end, 10);
	if (end == text || *end || low > high || high > MAX_LOAD_BYTES)
		return -EINVAL;
	o->smallest_bytes = (uint32_t)low;
	o->largest_bytes = (uint32_t)high;
	return 0;
}

/* One option and its value; returns how many words it took, or -EINVAL. */
static int parse_option(struct options *o, const char *word, const char *value)
{
	static const char *const flags[] = { "--json", "--saturate", "--poisson", "--gso" };
	int *const targets[] = { &o->json, &o->saturate, &o->poisson, &o->gso };
	double number = 1;
	int err = 0;

	for (int i = 0; i < 4; i++)
		if (strcmp(word, flags[i]) == 0)
			return *targets[i] = 1;
	if (!value)
		return -EINVAL;
	if (strcmp(word, "-c") == 0)
		o->file = value;
	else if (strcmp(word, "--trace") == 0)
		o->trace = value;
	else if (strcmp(word, "--rate") == 0)
		err = parse_number(value, 0.1, 1e7, &o->rate_pps);
	else if (strcmp(word, "--seconds") == 0)
		err = parse_number(value, 0.01, 1e6, &o->seconds);
	else if (strcmp(word, "--size") == 0)
		err = parse_size(value, o);
	else if (strcmp(word, "--seed") == 0)
		err = parse_number(value, 1, 1e15, &number);
	else
		err = -EINVAL;
	if (strcmp(word, "--seed") == 0)
		o->seed = (uint64_t)number;
	return err ? err : 2;
}

/* -1: go on, else the exit status. */
static int parse(struct options *o, int argc, char **argv)
{
	*o = (struct options){ .rate_pps = 1000, .seconds = 5, .smallest_bytes = 64, .largest_bytes = 1400, .seed = 1 };
	for (int i = 1; i < argc;) {
		int took;

		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			print_help();
			return 0;
		}
		if (strcmp(argv[i], "--version") == 0) {
			printf("ontime %s\n", ONTIME_VERSION);
			return 0;
		}
		took = parse_option(o, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
		if (took < 0) {
			log_error("%s %s: unknown option or bad value; see load --help", argv[i],
				  i + 1 < argc ? argv[i + 1] : "");
			return 2;
		}
		i += took;
	}
	return -1;
}

static int drive(const struct options *o, const struct config *c)
{
	static struct flow flows[MAX_CLASSES];
	static struct sink sink;
	static struct source source;
	static struct trace trace;
	pthread_t thread;
	uint64_t wrong = 0;

	if (o->trace && trace_read(&trace, o->trace, c))
		return EXIT_USAGE;
	for (uint32_t i = 0; i < c->n_classes; i++) {
		struct packet_sizes sizes = { o->seed + i, o->smallest_bytes, o->largest_bytes, 0, 0 };

		if (flow_open(&flows[i], &c->classes[i], &sizes))
			return 1;
	}
	sink_start(&sink, flows, c->n_classes, &thread);
	source.options = o;
	source.flows = flows;
	source.n_flows = c->n_classes;
	source.random = o->seed * 0x9e3779b97f4a7c15ULL;
	if (o->trace)
		run_trace(&source, &trace);
	else if (o->saturate)
		run_saturated(&source);
	else
		run_paced(&source);
	sink_finish(&sink, thread, DRAIN_NS);
	if (o->json)
		print_json(flows, c->n_classes);
	else
		print_table(flows, c->n_classes);
	for (uint32_t i = 0; i < c->n_classes; i++)
		wrong += (flow_lost_pkts(&flows[i]) != 0) + flows[i].doubled_pkts + flows[i].reordered_pkts +
			 flows[i].corrupt_pkts;
	return wrong ? 3 : 0;
}

int main(int argc, char **argv)
{
	static struct options o;
	static struct config c;
	char why[512];
	int status;

	log_set_name("load");
	status = parse(&o, argc, argv);
	if (status >= 0)
		return status;
	if (config_load(&c, o.file, 0, NULL, why, sizeof(why))) {
		log_error("%s", why);
		return 2;
	}
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	return drive(&o, &c);
}
