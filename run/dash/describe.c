/* describe.c - the lists the page is made of. */
#include "describe.h"

#include <unistd.h>

#include "look/json.h"
#include "version.h"

#define HOST_NAME_BYTES 65

static void print_fate(FILE *out, const char *comma, const char *name, enum drop_by by, const char *help)
{
	fprintf(out, "%s\n\t{\"name\":\"%s\",\"by\":\"%s\",\"help\":", comma, name, drop_by_name(by));
	json_string(out, help);
	fputc('}', out);
}

static void print_name(FILE *out, int i, const char *name)
{
	fprintf(out, "%s\"%s\"", i ? "," : "", name);
}

void describe_print(FILE *out, int shows_others)
{
	char host[HOST_NAME_BYTES] = "";

	if (gethostname(host, sizeof(host) - 1))
		*host = '\0';
	fputs("export const HOST = ", out);
	json_string(out, host);
	fprintf(out, ";\nexport const VERSION = \"%s\", SHOWS_OTHERS = %s;\n", ONTIME_VERSION,
		shows_others ? "true" : "false");
	fputs("export const REASONS = [", out);
	for (int i = DROP_NONE + 1; i < N_DROP_REASONS; i++) {
		enum drop_reason r = (enum drop_reason)i;

		print_fate(out, i > DROP_NONE + 1 ? "," : "", drop_reason_name(r), drop_reason_by(r),
			   drop_reason_help(r));
	}
	fputs("\n];\nexport const SPANS = [", out);
	for (int i = 0; i < N_SPANS; i++) {
		enum span s = (enum span)i;

		print_fate(out, i ? "," : "", span_name(s), span_by(s), span_help(s));
	}
	fputs("\n];\nexport const PERCENTILES = [", out);
	for (int i = 0; i < N_PERCENTILES; i++)
		print_name(out, i, percentile_name((enum percentile)i));
	fputs("];\nexport const STAGES = [", out);
	for (int i = 0; i < N_STAGES; i++)
		print_name(out, i, stage_name((enum stage_id)i));
	fputs("];\n", out);
}
