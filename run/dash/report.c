/* report.c - what the eBPF histograms have counted, from the pinned report. */
#include "report.h"

#include <assert.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPORT "/sys/fs/bpf/ontime/%s/report"

/* Whoever else may write into the bpffs puts nothing there that we wait for, or believe. */
static FILE *open_report(const char *instance)
{
	char path[sizeof(REPORT) + INSTANCE_NAME_BYTES];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), REPORT, instance);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (st.st_uid == geteuid() || st.st_uid == 0)) {
		FILE *in = fdopen(fd, "r");

		if (in)
			return in;
	}
	close(fd);
	return NULL;
}

static_assert(CLASS_NAME_BYTES == 16, "the width in the format below");

static void take_line(const char *line, const struct view *v, uint64_t counted_pkts[MAX_CLASSES])
{
	char class[CLASS_NAME_BYTES], span[16];
	uint64_t pkts;

	if (sscanf(line, "%15s %15s %" SCNu64, class, span, &pkts) != 3 || strcmp(span, "total") != 0)
		return;
	for (uint32_t i = 0; i < v->n_classes; i++)
		if (strcmp(class, v->classes[i].name) == 0)
			counted_pkts[i] = pkts;
}

void report_look(const char *instance, const struct view *v, uint64_t counted_pkts[MAX_CLASSES])
{
	FILE *in = open_report(instance);
	char line[256];

	for (int i = 0; i < MAX_CLASSES; i++)
		counted_pkts[i] = REPORT_NONE;
	while (in && fgets(line, sizeof(line), in))
		take_line(line, v, counted_pkts);
	if (in)
		fclose(in);
}
