/* ready.c - is the instance to be given traffic? */
#include "ready.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *from_environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

int ready_mark(const char *instance, char path[PATH_BYTES])
{
	const char *root = from_environment("ONTIME_RUN_DIR"), *runtime = from_environment("XDG_RUNTIME_DIR");
	int n;

	if (root)
		n = snprintf(path, PATH_BYTES, "%s/%s/drain", root, instance);
	else if (geteuid() == 0)
		n = snprintf(path, PATH_BYTES, "/run/ontime/%s/drain", instance);
	else
		n = snprintf(path, PATH_BYTES, "%s/ontime-%u/%s/drain", runtime ? runtime : "/tmp", geteuid(),
			     instance);
	return n < PATH_BYTES ? 0 : -ENAMETOOLONG;
}

static int is_mark_of(const char *path, uid_t user)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_uid == user || st.st_uid == 0);
}

/* Only systemd makes a directory there, for the user of the unit. */
static int is_unit_drained(const char *instance)
{
	char directory[PATH_BYTES], path[PATH_BYTES + 8];
	struct stat st;

	snprintf(directory, sizeof(directory), "%s/%s", READY_UNITS, instance);
	snprintf(path, sizeof(path), "%s/drain", directory);
	return lstat(directory, &st) == 0 && S_ISDIR(st.st_mode) && is_mark_of(path, st.st_uid);
}

/* As whom root has launched it: the segment's owner, for whom only root can make that directory. */
static int is_launched_drained(const char *instance)
{
	char segment[PATH_BYTES], directory[PATH_BYTES], path[PATH_BYTES + INSTANCE_NAME_BYTES + 8];
	struct stat st;
	uid_t owner;

	snprintf(segment, sizeof(segment), "/dev/shm/ontime.%s.v%d", instance, LAYOUT_VERSION);
	if (lstat(segment, &st) < 0)
		return 0;
	owner = st.st_uid;
	snprintf(directory, sizeof(directory), READY_LAUNCHED "%u", owner);
	snprintf(path, sizeof(path), "%s/%s/drain", directory, instance);
	return lstat(directory, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == owner && is_mark_of(path, owner);
}

static int is_drained(const char *instance)
{
	char path[PATH_BYTES];

	return is_launched_drained(instance) || (ready_mark(instance, path) == 0 && is_mark_of(path, geteuid())) ||
	       is_unit_drained(instance);
}

/* Other than by a restart, which is over before anybody has to know. */
static int is_away(const struct health *h, int stage)
{
	uint64_t since_ns = h->not_ready_since_ns[stage];

	return since_ns && (since_ns == h->first_at_ns || h->at_ns - since_ns >= NOT_READY_NS);
}

static int print_stages(const struct feed *f, FILE *out)
{
	int n = 0;

	for (uint32_t i = 0; i < N_STAGES * f->health.n_shards; i++)
		if (is_away(&f->health, (int)i))
			n += fprintf(out, "stage %s is %s\n", view_stage_name(&f->now, i / N_STAGES, i % N_STAGES),
				     view_stage(&f->now, i / N_STAGES, i % N_STAGES)->state) > 0;
	for (int i = 0; i < f->health.n_causes; i++)
		if (f->health.causes[i].kind == CAUSE_STAGE_HUNG || f->health.causes[i].kind == CAUSE_STUCK ||
		    f->health.causes[i].kind == CAUSE_NO_DESTINATION)
			n += fprintf(out, "%s\n", f->health.causes[i].text) > 0;
	return n;
}

int ready_print(const struct feed *f, FILE *out)
{
	int n = f->runs ? print_stages(f, out) : fprintf(out, "%s\n", f->why) > 0;

	if (f->runs && is_drained(f->viewer.instance))
		n += fputs("draining: what comes is sent on; run/drain.sh --end ends it\n", out) >= 0;
	if (n == 0)
		fputs("ready\n", out);
	return n == 0;
}
