/* record.c - the recording. */
#include "record.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "lanes.h"

#define BEFORE_BYTES (64 * MIB)
#define NAP_NS NS_PER_MS /* between two looks */
#define SHORT_NAP_NS (NS_PER_MS / 4) /* with a lane of few slots */
#define FEW_SLOTS 1024
#define LOOK_NS (100 * NS_PER_MS) /* whether the instance is still there */
#define RETRY_NS (250 * NS_PER_MS) /* whether it has come back */

static void let_go(void *arg, uint32_t interface)
{
	((struct record *)arg)->tallies[interface].filtered_pkts++;
}

/* It was in the buffer when the file could take no more. */
static void unwritten(void *arg, uint32_t interface)
{
	struct record *r = arg;

	r->tallies[interface].captured_pkts--;
	r->tallies[interface].missed_pkts++;
	r->captured_pkts--;
}

static int must_end(void *arg)
{
	const struct record *r = arg;

	return *r->stop || now_ns() >= r->until_ns;
}

enum ending record_cannot_write(struct record *r, int err)
{
	r->err = err;
	if (err == -EPIPE)
		return READER_GONE;
	if (err == -ETIMEDOUT) /* asked to end, and the reader of a pipe takes nothing */
		return *r->stop ? ENDED_BY_SIGNAL : ENDED_BY_TIME;
	return err == FILE_FULL ? ENDED_BY_SIZE : CANNOT_WRITE;
}

/* Which interface a class is, a new one if need be. 0, or the recording ends. */
static int declare(struct record *r, const char *class, uint32_t *interface)
{
	char text[BLOCK_TEXT_BYTES];
	size_t bytes;
	int err;

	for (*interface = 0; *interface < r->n_tallies; ++*interface)
		if (strcmp(r->tallies[*interface].name, class) == 0)
			return 0;
	if (r->n_tallies == FILE_INTERFACES) {
		log_error("follow instance '%s': launched again with other classes until they were more than %d: start "
			  "another recording",
			  r->options->instance, FILE_INTERFACES);
		r->ending = CANNOT_WRITE;
		return -1;
	}
	snprintf(text, sizeof(text), "class %s of instance %s of ontime", class, r->options->instance);
	bytes = block_interface(r->block, class, text);
	err = file_declare(&r->file, r->block, bytes);
	if (err)
		r->ending = record_cannot_write(r, err);
	snprintf(r->tallies[r->n_tallies++].name, CLASS_NAME_BYTES, "%s", class);
	return err;
}

static void find_config(struct record *r)
{
	static struct view view;
	char why[WHY_BYTES];

	if (viewer_look(&r->viewer, &view, why) == 0)
		in_force_look(&r->in_force, &view);
}

/* A segment is mapped that was not before. is_first: what it has released by now is not ours. */
static int begin_launch(struct record *r, int is_first)
{
	const struct header *h = &r->viewer.seg.header;
	int is_new = h->created_at_ns != r->created_at_ns;

	r->created_at_ns = h->created_at_ns;
	for (uint32_t i = 0; i < r->viewer.seg.n_classes; i++)
		if (declare(r, h->classes[i].name, &r->interface_of[i]))
			return -1;
	for (uint32_t k = 0; is_new && k < r->viewer.n_shards; k++)
		for (uint32_t i = 0; i < r->viewer.seg.n_classes; i++) {
			r->places[k][i] = (struct place){ 0 };
			if (is_first)
				place_begin(&r->places[k][i], &viewer_part(&r->viewer, k)->views[i]);
		}
	follow_close(&r->follower);
	if (follow_open(&r->follower, r->options->headers ? 0 : h->payload_bytes)) {
		log_error("no memory to copy packets into");
		r->ending = CANNOT_WRITE;
		return -1;
	}
	find_config(r);
	return 0;
}

/* The instance has stopped, or was launched anew: to the end of what was, then to what is, if there is something. */
static void look_for_instance(struct record *r)
{
	char why[WHY_BYTES];

	if (r->viewer.n_shards && viewer_is_current(&r->viewer)) {
		if (!r->in_force.is_known)
			find_config(r);
		return;
	}
	lanes_follow_to_end(r);
	if (viewer_map(&r->viewer, why)) {
		if (!r->is_waiting)
			log_info("waiting: %s", why);
		r->is_waiting = 1;
		return;
	}
	if (begin_launch(r, 0) == 0 && r->is_waiting)
		log_info("instance '%s' is running again", r->options->instance);
	r->is_waiting = 0;
}

static uint64_t nap_ns(const struct record *r, int is_busy)
{
	uint32_t least = UINT32_MAX;

	for (uint32_t i = 0; i < r->viewer.seg.n_classes && r->viewer.n_shards; i++)
		least = r->viewer.seg.views[i].slots < least ? r->viewer.seg.views[i].slots : least;
	if (is_busy)
		return 0;
	return least < FEW_SLOTS ? SHORT_NAP_NS : NAP_NS;
}

static void nap(uint64_t ns)
{
	struct timespec t = { .tv_nsec = (long)ns };

	if (ns)
		nanosleep(&t, NULL); /* a signal ends it */
}

static void flush(struct record *r)
{
	int err = file_flush(&r->file);

	if (err && r->ending == GOES_ON)
		r->ending = record_cannot_write(r, err);
}

static void run(struct record *r)
{
	uint64_t look_at_ns = 0;

	while (r->ending == GOES_ON) {
		uint64_t now = now_ns();
		int is_busy;

		if (now >= look_at_ns) {
			look_for_instance(r);
			look_at_ns = now + (r->is_waiting ? RETRY_NS : LOOK_NS);
		}
		is_busy = lanes_follow(r);
		flush(r);
		if (r->ending == GOES_ON && must_end(r)) {
			lanes_follow_to_end(r);
			if (r->ending == GOES_ON)
				r->ending = *r->stop ? ENDED_BY_SIGNAL : ENDED_BY_TIME;
		}
		if (r->ending == GOES_ON)
			nap(r->is_waiting ? NAP_NS : nap_ns(r, is_busy));
	}
}

static void write_statistics(struct record *r)
{
	for (uint32_t i = 0; i < r->n_tallies; i++) {
		const struct tally *t = &r->tallies[i];
		const struct block_statistics s = { i, real_ns(), t->released_pkts, t->captured_pkts, t->missed_pkts };
		size_t bytes = block_statistics(r->block, &s);
		int err = file_add(&r->file, r->block, bytes);

		if (err)
			r->ending = record_cannot_write(r, err);
	}
}

static int check_classes(const struct record *r)
{
	const char *names[MAX_CLASSES];
	char name[CLASS_NAME_BYTES];

	for (uint32_t i = 0; i < r->viewer.seg.n_classes; i++)
		names[i] = r->viewer.seg.header.classes[i].name;
	if (!options_unknown_class(r->options, names, r->viewer.seg.n_classes, name))
		return 0;
	log_error("--class %s: instance '%s' has no class \"%s\"", r->options->classes, r->options->instance, name);
	return 2;
}

static int open_all(struct record *r)
{
	char why[WHY_BYTES];
	int err;

	viewer_open(&r->viewer, r->options->instance);
	if (viewer_map(&r->viewer, why)) {
		log_error("%s", why);
		return 1;
	}
	if (check_classes(r))
		return 2;
	r->block = malloc(BLOCK_MOST_BYTES + UINT16_MAX);
	err = r->block ? before_open(&r->before, BEFORE_BYTES, r->options->before_ns, let_go, r) : -ENOMEM;
	if (err) {
		log_error("no memory for what is kept of the past");
		return 1;
	}
	r->file.path = r->options->write;
	r->file.most_bytes = r->options->most_bytes;
	r->file.n_files = r->options->n_files ? (uint32_t)r->options->n_files : 1;
	r->file.unwritten = unwritten;
	r->file.must_end = must_end;
	r->file.arg = r;
	err = file_open(&r->file);
	if (err)
		log_error("write to %s: %s", r->options->write,
			  err == -ELOOP ? "it is a symbolic link, which may lead anywhere: name a file"
					: log_text_of(-err));
	r->has_begun = !err;
	return err ? 1 : 0;
}

int record_run(struct record *r)
{
	int status = open_all(r), err;

	if (status)
		return status;
	if (r->options->seconds > 0)
		r->until_ns = now_ns() + (uint64_t)(r->options->seconds * 1e9);
	if (begin_launch(r, 1) == 0)
		run(r);
	before_end(&r->before);
	flush(r);
	if (r->err < 0)
		lanes_give_up(r);
	if (r->ending != CANNOT_WRITE && r->ending != READER_GONE && r->err != -ETIMEDOUT)
		write_statistics(r);
	err = file_close(&r->file);
	if (err && r->ending != READER_GONE && r->err >= 0)
		r->ending = record_cannot_write(r, err);
	return r->ending == CANNOT_WRITE ? 1 : 0;
}
