/* capture.c - a trace from a capture. */
#include "capture.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/reply.h"
#include "frame.h"
#include "log.h"
#include "units.h"

#define LIBRARY "libpcap.so.0.8"
#define LATEST_S (1LL << 33) /* some centuries: a later time is damage, and its nanoseconds fit */

/* What is used of libpcap. */
struct library {
	void *object;
	__typeof__(pcap_open_offline_with_tstamp_precision) *open;
	__typeof__(pcap_next_ex) *next;
	__typeof__(pcap_datalink) *link;
	__typeof__(pcap_geterr) *error;
	__typeof__(pcap_close) *close;
};

/* A file that is being read. */
struct reading {
	struct library lib;
	pcap_t *pcap;
	const char *file;
	const struct config *config;
	struct trace *trace;
	int keep;
	size_t payload_room;
	uint64_t other_pkts, fragment_pkts, strange_pkts, cut_pkts; /* left out: no UDP, fragments, no class; cut */
};

/* A function of the library, by way of bytes, since ISO C has no conversion from an object to a function. */
static int find(const struct library *l, const char *name, void *to)
{
	void *found = dlsym(l->object, name);

	memcpy(to, &found, sizeof(found));
	return found != NULL;
}

static int load_library(struct library *l)
{
	l->object = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!l->object) /* as others than Debian call it */
		l->object = dlopen("libpcap.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!l->object) {
		log_error("read a capture: %s: install libpcap (Debian: libpcap0.8)", dlerror());
		return 1;
	}
	if (find(l, "pcap_open_offline_with_tstamp_precision", &l->open) && find(l, "pcap_next_ex", &l->next) &&
	    find(l, "pcap_datalink", &l->link) && find(l, "pcap_geterr", &l->error) && find(l, "pcap_close", &l->close))
		return 0;
	log_error("read a capture: libpcap is too old: 1.5.1 or newer is needed");
	return 1;
}

/* The class that listens there, and whose rule names it, if it has one; -1: none. */
static int class_of(const struct config *c, const struct frame *f)
{
	const struct match_datagram d = { f->tos, f->is_v6, f->source, f->payload, f->there_bytes };
	int rest = -1;

	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct class_config *class = &c->classes[i];
		int listens = 0;

		for (uint32_t k = 0; k < class->n_listen; k++)
			listens |= address_port(&class->listen[k]) == f->to_port;
		if (!listens || reply_forth(c, i) >= 0)
			continue;
		if (class->match.n && match_eval(&class->match, &d))
			return (int)i;
		if (class->match.n == 0 && rest < 0)
			rest = (int)i;
	}
	return rest;
}

static void *grown(void *at, size_t *room, size_t need, size_t each)
{
	size_t more = *room ? *room : 4096;
	void *bigger;

	while (more < need)
		more *= 2;
	bigger = more > *room ? realloc(at, more * each) : at;
	if (bigger)
		*room = more;
	return bigger;
}

static int keep_payload(struct reading *r, const struct frame *f)
{
	struct trace *t = r->trace;
	uint8_t *bigger = grown(t->payloads, &r->payload_room, t->payload_bytes + f->len_bytes, 1);

	if (!bigger)
		return -ENOMEM;
	t->payloads = bigger;
	memcpy(bigger + t->payload_bytes, f->payload, f->there_bytes);
	memset(bigger + t->payload_bytes + f->there_bytes, 0, f->len_bytes - f->there_bytes);
	t->payload_bytes += f->len_bytes;
	return 0;
}

static int add(struct reading *r, const struct frame *f, int class, uint64_t at_ns)
{
	struct trace *t = r->trace;
	struct packet *bigger = grown(t->packets, &t->room, t->n + 1, sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	t->packets = bigger;
	t->packets[t->n] = (struct packet){ .arrival_ns = at_ns,
					    .bytes = f->len_bytes,
					    .class = (uint8_t)class,
					    .tos = f->tos,
					    .payload_at = t->payload_bytes };
	r->cut_pkts += f->there_bytes < f->len_bytes;
	if (r->keep && keep_payload(r, f))
		return -ENOMEM;
	t->n++;
	return 0;
}

/* 0, or the exit status after one line. */
static int take(struct reading *r, const struct pcap_pkthdr *h, const uint8_t *bytes)
{
	enum frame_kind kind;
	struct frame f;
	int class;

	if (h->ts.tv_sec < 0 || h->ts.tv_sec > LATEST_S || h->ts.tv_usec < 0 || h->ts.tv_usec >= (long)NS_PER_S) {
		log_error("capture %s: damaged: packet %" PRIu64 " has a time that cannot be", r->file,
			  r->trace->n + r->other_pkts + r->fragment_pkts + r->strange_pkts + 1);
		return EXIT_USAGE;
	}
	kind = frame_read(&f, r->lib.link(r->pcap), bytes, h->caplen);
	r->other_pkts += kind == FRAME_OTHER;
	r->fragment_pkts += kind == FRAME_FRAGMENT;
	if (kind != FRAME_UDP)
		return 0;
	class = class_of(r->config, &f);
	r->strange_pkts += class < 0;
	if (class < 0)
		return 0;
	if (add(r, &f, class, (uint64_t)h->ts.tv_sec * NS_PER_S + (uint64_t)h->ts.tv_usec) == 0)
		return 0;
	log_error("no memory for capture %s", r->file);
	return 1;
}

static int read_all(struct reading *r)
{
	struct pcap_pkthdr *h;
	const u_char *bytes;
	int status = 0, got;

	if (!frame_is_known(r->lib.link(r->pcap))) {
		log_error(
			"capture %s: its link type, %d, is none that is read here: Ethernet, Linux cooked, raw IP and "
			"loopback are",
			r->file, r->lib.link(r->pcap));
		return EXIT_USAGE;
	}
	while (!status && (got = r->lib.next(r->pcap, &h, &bytes)) == 1)
		status = take(r, h, bytes);
	if (status || got != PCAP_ERROR)
		return status;
	log_error("capture %s: %s", r->file, r->lib.error(r->pcap));
	return EXIT_USAGE;
}

/* By time; those of one time stay as they were, and their payloads lie in that order. */
static int compare(const void *a, const void *b)
{
	const struct packet *x = a, *y = b;

	if (x->arrival_ns != y->arrival_ns)
		return x->arrival_ns > y->arrival_ns ? 1 : -1;
	return (x->done_ns > y->done_ns) - (x->done_ns < y->done_ns);
}

static void sort(struct trace *t, double speed)
{
	uint64_t first_ns;

	for (size_t i = 0; i < t->n; i++)
		t->packets[i].done_ns = i; /* its place, until then */
	qsort(t->packets, t->n, sizeof(*t->packets), compare);
	first_ns = t->packets[0].arrival_ns;
	for (size_t i = 0; i < t->n; i++) {
		uint64_t since_ns = t->packets[i].arrival_ns - first_ns;

		t->packets[i].done_ns = 0;
		t->packets[i].arrival_ns = speed == 1 ? since_ns : (uint64_t)((double)since_ns / speed);
	}
}

/* What was left out is said: the answer would look like one about all of the file. */
static int tell(const struct reading *r)
{
	uint64_t left_out = r->other_pkts + r->fragment_pkts + r->strange_pkts;

	if (r->trace->n == 0) {
		log_error("capture %s: none of its %" PRIu64 " packets is a UDP datagram to a port that a class of the "
			  "config listens on (%" PRIu64 " other ports, %" PRIu64 " fragments)",
			  r->file, left_out, r->strange_pkts, r->fragment_pkts);
		return EXIT_USAGE;
	}
	if (left_out)
		log_info("capture %s: %zu datagrams; left out: %" PRIu64 " to ports of no class, %" PRIu64
			 " fragments, "
			 "%" PRIu64 " that are no UDP",
			 r->file, r->trace->n, r->strange_pkts, r->fragment_pkts, r->other_pkts);
	if (r->cut_pkts && r->keep)
		log_info("capture %s: %" PRIu64 " datagrams were cut when they were captured: zeros stand for the rest",
			 r->file, r->cut_pkts);
	return 0;
}

int capture_read(struct trace *t, const char *file, const struct config *c, int keep, double speed)
{
	struct reading r = { .file = file, .config = c, .trace = t, .keep = keep };
	char why[PCAP_ERRBUF_SIZE] = "";
	int status = load_library(&r.lib);

	if (status)
		return status;
	r.pcap = r.lib.open(file, PCAP_TSTAMP_PRECISION_NANO, why);
	if (!r.pcap) {
		log_error("read capture %s: %s", file, why);
		return EXIT_USAGE;
	}
	status = read_all(&r);
	r.lib.close(r.pcap);
	if (!status)
		status = tell(&r);
	if (!status)
		sort(t, speed);
	t->has_tos = 1;
	return status;
}
