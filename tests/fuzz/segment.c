/*
 * segment.c - any bytes in any part of a segment: whoever attaches or observes it refuses it with a line, or reads of
 * it what is within its mapping; what an observer prints is whole.
 */
#include "shm/segment.h"

#include <stdlib.h>

#include "look/health.h"
#include "look/json.h"
#include "look/sessions.h"
#include "look/view.h"
#include "mutate.h"
#include "shm/header.h"

#define SLOTS 16

static const char text[] = "[pipeline]\ninstance = fuzz-segment\npayload_bytes = 128B\n"
			   "[class a]\nlisten = 127.0.0.1:18080\nsend = 127.0.0.1:19080\nbudget = 1ms\n"
			   "replies = back\nsessions = 4\n"
			   "[class back]\nbudget = 1ms\n"
			   "[class b]\nlisten = 127.0.0.1:18081\nsend = 127.0.0.1:19081\nsource = proxy\n";

static struct config config;
static struct segment seg;
static struct places places;
static uint8_t *good;
static size_t good_bytes; /* of the segment, without the scratch */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char name[FILE_NAME_BYTES], why[CONFIG_WHY_BYTES] = "";
	static const uint64_t cookies[16];
	int fd = -1;

	(void)argc, (void)argv;
	input_file(&fd, text, sizeof(text) - 1, name);
	if (config_load(&config, name, 0, NULL, why, sizeof(why)))
		fprintf(stderr, "%s\n", why);
	must(config.n_classes == 3);
	for (uint32_t i = 0; i < config.n_classes; i++)
		config.classes[i].ingress_to_edf_pkts = config.classes[i].edf_to_egress_pkts = SLOTS;
	if (segment_create(&seg, &config, cookies, 5, why))
		fprintf(stderr, "%s\n", why);
	must(seg.shared);
	segment_remove(config.instance);
	places_of(&places, &seg, 1);
	good_bytes = (size_t)(seg.header.scratch_offset ? seg.header.scratch_offset : seg.size_bytes);
	good = malloc(good_bytes);
	must(good);
	memcpy(good, seg.shared, good_bytes);
	return 0;
}

static void check_why(const char *why)
{
	must(why[0] && strnlen(why, WHY_BYTES) < WHY_BYTES && !strchr(why, '\n'));
}

static void print_look(const struct view *v)
{
	static struct health health;
	struct stat_line line = { "fuzz", v, NULL, &health, 1 };
	char *json = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&json, &bytes);

	must(out);
	health_note(&health, v);
	stat_json(out, &line);
	must(fclose(out) == 0 && bytes > 2 && json[0] == '{' && strcmp(json + bytes - 2, "}\n") == 0);
	must(strlen(json) == bytes);
	free(json);
}

static void observe(void)
{
	static struct view view;
	char why[WHY_BYTES] = "";
	struct viewer viewer;
	struct segment s;

	if (segment_observe_handed(&s, seg.fd, config.instance, why)) {
		check_why(why);
		return;
	}
	for (uint32_t i = 0; i < s.n_classes; i++) {
		struct session_list list = { 0 };

		if (s.views[i].n_sessions && sessions_look(&s.views[i], 1, &list) == 0)
			must(list.n <= s.views[i].n_sessions);
		free(list.all);
	}
	viewer_open(&viewer, config.instance);
	viewer.seg = s;
	if (viewer_look(&viewer, &view, why) == 0)
		print_look(&view);
	else
		check_why(why);
	viewer_close(&viewer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	char why[WHY_BYTES] = "";
	struct segment s;
	int resealed = input_byte(&in) & 1;

	while (in.left)
		places_store(&places, &in);
	if (resealed) /* else it seldom comes further than that */
		seg.shared->header.checksum = header_checksum(&seg.shared->header);
	if (segment_attach_handed(&s, seg.fd, &config, why)) {
		check_why(why);
	} else {
		must(s.n_classes == config.n_classes && s.size_bytes == seg.size_bytes);
		if (segment_lanes_are_sane(&s, why))
			check_why(why);
		segment_close(&s);
	}
	observe();
	memcpy(seg.shared, good, good_bytes);
	return 0;
}
