/* csv.c - the results of runs as lines of CSV. */
#include "csv.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "clock.h"
#include "report.h"
#include "log.h"

#define EXIT_CANNOT 1
#define NAMES                                                                                                          \
	"time,class,asked_pps_all,sent_pps_all,sent,received,lost,duplicated,reordered,corrupt,stray,sink_dropped,"    \
	"on_time_percent,p50_ns,p95_ns,p99_ns,p999_ns,max_ns,lag_p50_ns,lag_p99_ns,lag_max_ns,"                        \
	"not_delivered"

static int cannot(const struct csv *csv)
{
	log_error("append to %s: %s", csv->file, strerror(errno));
	return EXIT_CANNOT;
}

/* What is in a file that is not empty: are its columns ours, and is its last line whole? */
static int look_at(const struct csv *csv, FILE *in)
{
	char names[sizeof(NAMES) + 2] = "";
	int last;

	if (!fgets(names, sizeof(names), in))
		return cannot(csv);
	names[strcspn(names, "\r\n")] = '\0';
	if (strcmp(names, NAMES) != 0) {
		log_error("append to %s: its first line does not name the columns of load: use another file",
			  csv->file);
		return EXIT_USAGE;
	}
	if (fseek(in, -1, SEEK_END) || (last = fgetc(in)) == EOF)
		return cannot(csv);
	if (last != '\n')
		fputc('\n', csv->out);
	return 0;
}

int csv_open(struct csv *csv, const char *file)
{
	struct stat state;
	FILE *in;
	int status;

	*csv = (struct csv){ .file = file, .needs_names = 1 };
	if (!file)
		return 0;
	csv->out = fopen(file, "ae");
	if (!csv->out || fstat(fileno(csv->out), &state))
		return cannot(csv);
	if (!S_ISREG(state.st_mode) || state.st_size == 0)
		return 0;
	csv->needs_names = 0;
	in = fopen(file, "re");
	if (!in)
		return cannot(csv);
	status = look_at(csv, in);
	fclose(in);
	return status;
}

static void print_flow(FILE *out, const struct load *l, uint32_t i, const char *when)
{
	const struct flow *f = &l->flows[i];
	static const uint32_t per_million[] = { 500000, 950000, 990000, 999000 };

	fprintf(out, "%s,%s,%.1f,%.1f,%" PRIu64 ",%" PRIu64 ",%" PRId64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, when,
		f->name, l->asked_pps, load_sent_pps(l), f->sent_pkts, f->received_pkts,
		named_lost_pkts(&l->named, l->flows, i), f->doubled_pkts, f->reordered_pkts, f->corrupt_pkts);
	fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%.4f", f->stray_pkts, flow_sink_dropped_pkts(f),
		report_on_time_percent(f));
	for (size_t k = 0; k < sizeof(per_million) / sizeof(per_million[0]); k++)
		fprintf(out, ",%" PRIu64, report_percentile_ns(f->latency, f->latency_max_ns, per_million[k]));
	fprintf(out, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRId64 "\n", f->latency_max_ns,
		report_percentile_ns(l->source.lag, l->source.lag_max_ns, 500000),
		report_percentile_ns(l->source.lag, l->source.lag_max_ns, 990000), l->source.lag_max_ns,
		flow_lost_pkts(f));
}

int csv_append(struct csv *csv, const struct load *l)
{
	time_t now = (time_t)(real_ns() / NS_PER_S);
	struct tm parts;
	char when[32];

	if (!csv->out)
		return 0;
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
	if (csv->needs_names)
		fputs(NAMES "\n", csv->out);
	csv->needs_names = 0;
	for (uint32_t i = 0; i < l->n_flows; i++)
		print_flow(csv->out, l, i, when);
	return fflush(csv->out) || ferror(csv->out) ? cannot(csv) : 0;
}
