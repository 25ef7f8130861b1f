/* load.c - open, size, load, pin. */
#include "load.h"

#include <assert.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "fate.h"
#include "clock.h"
#include "latency.h"
#include "attach.h"
#include "pins.h"
#include "log.h"

#define OBJECT "latency.bpf.o"

#define LOG_BYTES (16u << 20) /* as much as kernels before 6.4 take; memory is used as far as the log is long */
#define LAST_WORDS 200

static int verbose;

static const struct {
	const char *map, *pin;
} pinned_maps[] = {
	{ "rows", "latency" },	      { "histograms", "parts/buckets" }, { "progress", "parts/progress" },
	{ "stages", "parts/stages" }, { "clock", "parts/clock" },	 { ".data.control", "parts/control" },
};

static const struct {
	const char *program, *pin;
} pinned_programs[] = {
	{ "ingress", "parts/program-ingress" },	  { "edf", "parts/program-edf" },
	{ "egress", "parts/program-egress" },	  { "waking", "parts/program-waking" },
	{ "switched", "parts/program-switched" },
};

static_assert(LATENCY_SPANS == N_SPANS + 1 && LATENCY_STAGES == N_STAGES, "the spans of fate.h, and the total");
static_assert(LATENCY_CLASSES == MAX_CLASSES && LATENCY_NAME_BYTES == CLASS_NAME_BYTES, "as in config.h");
static_assert(LATENCY_BATCH == BATCH, "as in layout.h");
static_assert(64 - LATENCY_COUNT_BITS == COUNT_SHIFT, "as in lane.h");

void load_verbose(void)
{
	verbose = 1;
}

/*
 * A log for each program: which of them is not empty tells which was refused. To be freed after the load; NULL: there
 * is no memory.
 */
static char *give_logs(struct bpf_object *object)
{
	struct bpf_program *program;
	size_t n = 0;
	char *logs;

	bpf_object__for_each_program(program, object) n++;
	logs = calloc(n, LOG_BYTES); /* so large that it comes as untouched pages */
	n = 0;
	bpf_object__for_each_program(program, object)
	{
		if (logs)
			bpf_program__set_log_buf(program, logs + n++ * LOG_BYTES, LOG_BYTES);
	}
	return logs;
}

/* The last line of a verifier's log that is a reason, not a statistic. */
static void last_words(const char *log, char words[LAST_WORDS])
{
	static const char *const statistics[] = { "processed ", "verification time", "stack depth", "-- " };

	snprintf(words, LAST_WORDS, "it says nothing");
	for (const char *line = log, *end; *line; line = *end ? end + 1 : end) {
		int is_reason;

		end = strchrnul(line, '\n');
		is_reason = end > line;
		for (size_t i = 0; i < sizeof(statistics) / sizeof(statistics[0]); i++)
			is_reason &= strncmp(line, statistics[i], strlen(statistics[i])) != 0;
		if (is_reason)
			snprintf(words, LAST_WORDS, "%.*s", (int)(end - line), line);
	}
}

/* Was a program refused by the verifier, which is no matter of rights? Then says so in one line, and returns 1. */
static int explain_refusal(struct bpf_object *object)
{
	char words[LAST_WORDS];
	struct bpf_program *program;
	struct utsname u;

	bpf_object__for_each_program(program, object)
	{
		size_t bytes = 0;
		const char *log = bpf_program__log_buf(program, &bytes);

		if (!log || !*log)
			continue;
		if (verbose)
			fputs(log, stderr);
		last_words(log, words);
		log_error("the verifier of Linux %s refuses program %s: %s; this is a fault of ours: please report it "
			  "with what "
			  "build/latency --verbose says, and go on without histograms",
			  uname(&u) < 0 ? "?" : u.release, bpf_program__name(program), words);
		return 1;
	}
	return 0;
}

/* Is this kernel older than what the programs use? Then says so in one line, and returns 1. */
static int explain_age(void)
{
	struct utsname u;
	int major = 0, minor = 0;

	if (uname(&u) < 0 || sscanf(u.release, "%d.%d", &major, &minor) != 2 || major > 5 ||
	    (major == 5 && minor >= 15))
		return 0;
	log_error("histograms need Linux 5.15 (timers in BPF, probes that stay without a process), and this is %s: "
		  "boot a newer one",
		  u.release);
	return 1;
}

static int load(struct bpf_object *object)
{
	char *logs = give_logs(object);
	int err = bpf_object__load(object);

	/* the age first, but only after a failure: some vendors' 5.14 can do it all */
	if (err && err != -EPERM && (explain_age() || (logs && explain_refusal(object))))
		err = 1;
	free(logs);
	return err;
}

static int say(enum libbpf_print_level level, const char *format, va_list args)
{
	if (!verbose || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, format, args);
}

static const char *object_path(char path[PATH_BYTES])
{
	char self[PATH_BYTES - sizeof(OBJECT) - 1] = "";

	if (readlink("/proc/self/exe", self, sizeof(self) - 1) <= 0)
		self[0] = 0;
	snprintf(path, PATH_BYTES, "%s/%s", dirname(self), OBJECT);
	return path;
}

/* FNV-1a over the object file; 0: not readable. */
static uint64_t object_digest(void)
{
	char path[PATH_BYTES];
	uint64_t hash = 0xcbf29ce484222325ULL;
	FILE *f = fopen(object_path(path), "r");

	if (!f)
		return 0;
	for (int byte = fgetc(f); byte != EOF; byte = fgetc(f))
		hash = (hash ^ (uint8_t)byte) * 0x100000001b3UL;
	fclose(f);
	return hash;
}

static uint32_t n_rows(const struct segment *seg)
{
	return seg->n_classes * LATENCY_SPANS + LATENCY_STAGES;
}

int load_is_current(const struct pins *p, const struct segment *seg)
{
	struct latency_settings settings;

	return pins_read(p, "parts/settings", 0, &settings, sizeof(settings)) == 0 &&
	       settings.segment == seg->header.checksum && settings.program == object_digest();
}

static int configure(struct bpf_object *object, const struct segment *seg, int multi)
{
	const struct latency_settings settings = {
		.segment = seg->header.checksum,
		.program = object_digest(),
		.tick_ns = NS_PER_S / (seg->n_classes + 1),
		.n_classes = seg->n_classes,
		.n_rows = n_rows(seg),
	};
	struct bpf_map *map = bpf_object__find_map_by_name(object, ".rodata.settings");
	int err = map ? bpf_map__set_initial_value(map, &settings, sizeof(settings)) : -EPROTO;

	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "rows"), n_rows(seg));
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "histograms"), n_rows(seg));
	for (enum stage_id id = 0; multi && id < N_STAGES; id++)
		bpf_program__set_expected_attach_type(bpf_object__find_program_by_name(object, stage_name(id)),
						      ATTACH_UPROBE_MULTI);
	return err;
}

static int name_rows(struct bpf_object *object, const struct segment *seg)
{
	int fd = bpf_object__find_map_fd_by_name(object, "rows");

	for (uint32_t i = 0; i < n_rows(seg); i++) {
		uint32_t class = i / LATENCY_SPANS, span = i % LATENCY_SPANS;
		struct latency_row row = { .count = 0 };

		if (class < seg->n_classes) {
			memcpy(row.class, seg->header.classes[class].name, sizeof(row.class));
			strcpy(row.span, span == LATENCY_TOTAL ? "total" : span_name((enum span)span));
		} else {
			strcpy(row.class, stage_name((enum stage_id)span));
			strcpy(row.span, "wakeup");
		}
		if (bpf_map_update_elem(fd, &i, &row, BPF_ANY) < 0)
			return -errno;
	}
	return 0;
}

static int start_clock(struct bpf_object *object)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int fd = bpf_program__fd(bpf_object__find_program_by_name(object, "start_clock"));

	if (bpf_prog_test_run_opts(fd, &opts) < 0)
		return -errno;
	return opts.retval ? -EIO : 0;
}

/* A file that is made when it is opened. */
static int pin_iterator(struct bpf_object *object, const struct pins *p, const char *name)
{
	LIBBPF_OPTS(bpf_iter_attach_opts, opts);
	union bpf_iter_link_info info = { .map.map_fd = (uint32_t)bpf_object__find_map_fd_by_name(object, "rows") };
	char path[PIN_BYTES];
	struct bpf_link *link;
	int err;

	opts.link_info = &info;
	opts.link_info_len = sizeof(info);
	link = bpf_program__attach_iter(bpf_object__find_program_by_name(object, name), &opts);
	if (!link)
		return -errno;
	err = bpf_link__pin(link, pins_path(p, name, path));
	bpf_link__disconnect(link);
	bpf_link__destroy(link);
	return err;
}

static int pin_all(struct bpf_object *object, const struct pins *p)
{
	char path[PIN_BYTES];
	int err = 0;

	for (size_t i = 0; i < sizeof(pinned_maps) / sizeof(pinned_maps[0]) && !err; i++)
		err = bpf_map__pin(bpf_object__find_map_by_name(object, pinned_maps[i].map),
				   pins_path(p, pinned_maps[i].pin, path));
	for (size_t i = 0; i < sizeof(pinned_programs) / sizeof(pinned_programs[0]) && !err; i++)
		err = bpf_program__pin(bpf_object__find_program_by_name(object, pinned_programs[i].program),
				       pins_path(p, pinned_programs[i].pin, path));
	if (!err)
		err = pin_iterator(object, p, "report");
	if (!err)
		err = pin_iterator(object, p, "histogram");
	if (!err) /* last: what vouches for all the rest */
		err = bpf_map__pin(bpf_object__find_map_by_name(object, ".rodata.settings"),
				   pins_path(p, "parts/settings", path));
	return err;
}

int load_program(struct pins *p, const struct segment *seg, int multi)
{
	char path[PATH_BYTES];
	const char *tried = "open";
	struct bpf_object *object;
	int err;

	libbpf_set_print(say);
	object = bpf_object__open_file(object_path(path), NULL);
	err = object ? configure(object, seg, multi) : -errno;
	if (!err) {
		tried = "load";
		err = load(object);
	}
	if (!err) {
		tried = "set up";
		err = name_rows(object, seg);
	}
	if (!err)
		err = start_clock(object);
	if (!err) {
		tried = "pin";
		err = pins_make(p) ? 1 : pin_all(object, p);
	}
	if (err < 0) {
		char what[PATH_BYTES + 16];

		snprintf(what, sizeof(what), "%s %s", tried, path);
		pins_explain(what, -err);
	}
	if (err)
		pins_remove(p);
	bpf_object__close(object);
	return err ? -1 : 0;
}
