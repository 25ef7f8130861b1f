/* loading.h - a configuration while it is read: what config.c and file.c share. */
#ifndef ONTIME_CONFIG_LOADING_H
#define ONTIME_CONFIG_LOADING_H

#include "config.h"
#include "table.h"

#define FROM_COMMAND_LINE (-1) /* in place of a line number */
#define LIST_BYTES VALUE_BYTES /* addresses as they were written */

/* Where a key belongs: nowhere yet, nowhere since its section was refused, .., to class `section - FIRST_CLASS`. */
enum { NO_SECTION, REFUSED_SECTION, HOSTS_SECTION, PIPELINE_SECTION, DASH_SECTION, FIRST_CLASS };

struct loading {
	struct config c; /* becomes the caller's when all is well */
	const char *file; /* what messages call it */
	int fd; /* what is read in its place; 0: nothing */
	struct hosts *hosts;
	int line; /* of the file, from 1 */
	bool only_hosts; /* first of all, [hosts] is read: names come before it */
	int section;
	int list_at; /* the option whose addresses the next line may go on with, or -1 */
	char list[LIST_BYTES]; /* those there are so far */
	int opened_at[FIRST_CLASS + MAX_CLASSES]; /* line of the section's header; 0: not in the file */
	int set_at[FIRST_CLASS + MAX_CLASSES][MAX_OPTIONS]; /* line, FROM_COMMAND_LINE, or 0: default */
	uint32_t
		/* bit per section: something of it was refused, so what its values mean together is not known */
		spoilt;
	int err; /* -EINVAL if anything was refused for what the text says, else the first failure */
	int n_refusals, n_hidden;
	char *why;
	size_t why_bytes, why_len;
};

/* refuse - another line of the refusal, in the section that is being read. */
void refuse(struct loading *l, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* set_option - one value, from the file or the command line; `where` is the refusal's line so far. */
void set_option(struct loading *l, const char *where, const char *key, const char *value, int place);

/* add_class - one more, with the defaults. */
struct class_config *add_class(struct config *c, const char *name);

enum scope scope_of(int section);
void *base_of(struct loading *l, int section);

/* file_load - all of a file into l->c; 0, or an error that leaves nothing to go on with. */
int file_load(struct loading *l, const char *file);

bool file_is_nameless(const char *file); /* given by descriptor */
const char *file_shown_name(const char *file);

#endif
