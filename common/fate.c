/* fate.c - what is known of each drop reason, each span and each reason to skip a copy. */
#include "fate.h"

static const struct {
	const char *name, *help;
	enum drop_by by;
	int travels;
} reasons[N_DROP_REASONS] = { [DROP_NONE] = { .name = "none", .help = "it was not dropped" },
#define DESCRIBE(NAME, word, who, in_lane, text) [DROP_##NAME] = { #word, text, who, in_lane },
			      INGRESS_DROPS(DESCRIBE) EDF_DROPS(DESCRIBE) EGRESS_DROPS(DESCRIBE) ERRNO_DROPS(DESCRIBE)
#undef DESCRIBE
};

static const struct {
	const char *name, *title, *help;
	enum drop_by by;
} spans[N_SPANS] = {
#define DESCRIBE(NAME, word, who, heading, text) [SPAN_##NAME] = { #word, heading, text, who },
	SPANS(DESCRIBE)
#undef DESCRIBE
};

const char *drop_reason_name(enum drop_reason reason)
{
	return reason < N_DROP_REASONS ? reasons[reason].name : "unknown";
}

const char *drop_reason_help(enum drop_reason reason)
{
	return reasons[reason].help;
}

enum drop_by drop_reason_by(enum drop_reason reason)
{
	return reasons[reason].by;
}

int drop_reason_travels(enum drop_reason reason)
{
	return reasons[reason].travels;
}

static const struct {
	const char *name, *help;
} skips[N_SKIP_REASONS] = {
#define DESCRIBE(NAME, word, text) [SKIP_##NAME] = { #word, text },
	SKIPS(DESCRIBE)
#undef DESCRIBE
};

const char *skip_reason_name(enum skip_reason reason)
{
	return skips[reason].name;
}

const char *skip_reason_help(enum skip_reason reason)
{
	return skips[reason].help;
}

const char *span_name(enum span span)
{
	return span < N_SPANS ? spans[span].name : "unknown";
}

const char *span_title(enum span span)
{
	return spans[span].title;
}

const char *span_help(enum span span)
{
	return spans[span].help;
}

enum drop_by span_by(enum span span)
{
	return spans[span].by;
}

const char *drop_by_name(enum drop_by by)
{
	static const char *const names[N_DROPPERS] = { "kernel", "ingress", "edf", "egress" };

	return by < N_DROPPERS ? names[by] : "unknown";
}
