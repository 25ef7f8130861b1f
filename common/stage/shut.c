/* shut.c - a stage, or a worker of one, is shut in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cage/capabilities.h"
#include "config/shown.h"
#include "log.h"
#include "run.h"

/* Once for an instance, and by one of its stages. */
static void tell_missing(const struct stage *s, int missing, int err)
{
	/* relaxed: this process's own */
	if (s->id != STAGE_EDF || atomic_load_explicit(&s->self->generation, memory_order_relaxed) > 1)
		return;
	if (missing & CAGE_NO_FILTER)
		log_warn("the stages are not confined to their system calls: seccomp: %s", log_text_of(-err));
	else
		log_info("the stages are confined to their system calls; this kernel cannot keep the file system from "
			 "them: Landlock: %s",
			 log_text_of(-err));
}

/* The directory that the instances' own are in: it stays, when one of these is removed and made again. */
const char *stage_log_place(char path[PATH_BYTES])
{
	const char *log = getenv("ONTIME_LOG_FILE");
	char *end;

	if (!log || strlen(log) >= PATH_BYTES)
		return NULL;
	strcpy(path, log);
	for (int up = 0; up < 2 && (end = strrchr(path, '/')) && end > path; up++)
		*end = '\0';
	return path;
}

/* What the calls and files of a process are by its tables and the configuration. text: room for two paths. */
static void describe(const struct stage *s, struct cage *c, char text[2][PATH_BYTES])
{
	char *end;

	cage_allow(c, &stage_calls);
	if (stage_log_place(text[0]))
		files_may(&c->files, text[0], FILES_WRITE);
	if (!s->file || s->config_fd >= 0)
		return;
	cage_allow(c, &stage_calls_by_name);
	snprintf(text[1], PATH_BYTES, "%s", s->file);
	end = strrchr(text[1], '/');
	if (end)
		end[end == text[1]] = '\0';
	files_may(&c->files, end ? text[1] : ".", FILES_READ);
}

static void describe_stage(const struct stage *s, const struct stage_ops *ops, struct cage *c, char text[2][PATH_BYTES])
{
	*c = (struct cage){ .who = stage_name(s->id), .hint = "", .files_fd = s->files_fd, .lacks = s->cage_lacks };
	describe(s, c, text);
	if (ops->calls)
		cage_allow(c, ops->calls);
	if (ops->allow)
		ops->allow(s, c);
}

/*
 * What it goes on with: an input or output is bound again when its address comes back. A socket is bound to another
 * interface by whoever has the second.
 */
static uint64_t kept_capabilities(const struct stage *s)
{
	uint64_t kept = 0;

	if (s->id == STAGE_EDF && config_workers(&s->config) > 1)
		return CAPABILITY(CAP_DAC_READ_SEARCH); /* as a worker opens a plugin */
	for (uint32_t i = 0; s->id != STAGE_EDF && i < s->config.n_classes; i++) {
		const struct class_config *c = &s->config.classes[i];

		if (address_any_is_low(c->listen, c->n_listen) || address_any_is_low(c->from, c->n_from))
			kept |= CAPABILITY(CAP_NET_BIND_SERVICE);
		for (uint32_t k = 0; s->id == STAGE_INGRESS && k < c->n_listen; k++)
			if (c->listen[k].scope[0])
				kept |= CAPABILITY(CAP_NET_RAW);
	}
	return kept;
}

void stage_drop_rights(const struct stage *s)
{
	uint64_t nice, raw = 0;

	if (!s->config.cage)
		return;
	nice = place_allow() ? CAPABILITY(CAP_SYS_NICE) : 0;
	for (uint32_t i = 0; s->id == STAGE_EGRESS && i < s->config.n_classes; i++)
		if (shown_is_sender(&s->config.classes[i])) /* an output that is not handed on is made by the stage */
			raw = CAPABILITY(CAP_NET_RAW);
	/* a plugin's file may be in a directory that its user keeps others out of */
	capabilities_keep(kept_capabilities(s) | nice | raw | CAPABILITY(CAP_DAC_READ_SEARCH) |
			  CAPABILITY(CAP_SETPCAP));
}

void stage_prepare_cage(struct stage *s, const struct stage_ops *ops)
{
	char text[2][PATH_BYTES];
	struct cage c;

	if (!s->config.cage || s->files_fd)
		return;
	s->cage_lacks = cage_probe();
	describe_stage(s, ops, &c, text);
	s->files_fd = cage_prepare(&c);
}

static void shut(const struct stage *s, const struct cage *c)
{
	int err, missing = cage_shut(c, &err);

	if (missing)
		tell_missing(s, missing, err);
}

void stage_shut(struct stage *s, const struct stage_ops *ops)
{
	char text[2][PATH_BYTES];
	struct cage c;

	if (!s->config.cage)
		return;
	describe_stage(s, ops, &c, text);
	capabilities_keep(kept_capabilities(s) | (place_allow() ? CAPABILITY(CAP_SYS_NICE) : 0));
	shut(s, &c);
	s->files_fd = 0;
}

void stage_shut_opening(const struct stage *s, const char *who, void (*allow)(const struct stage *s, struct cage *c))
{
	char text[2][PATH_BYTES];
	struct cage c = { .who = who, .hint = "", .lacks = s->cage_lacks };

	if (!s->config.cage)
		return;
	describe(s, &c, text);
	allow(s, &c);
	shut(s, &c);
}

void stage_shut_worker(const struct stage *s, const char *who, void (*allow)(const struct stage *s, struct cage *c))
{
	if (s->config.cage)
		capabilities_keep(0);
	stage_shut_opening(s, who, allow);
}
