/* answer.c - questions of the scripts about an instance, or a config. */
#include "answer.h"

#include "shm/instances.h"
#include "config/reply.h"
#include "config/sharded.h"
#include "log.h"
#include "parts.h"
#include "process.h"
#include "shm/lock.h"
#include "stage/stage.h"

/* "-": nobody that can be seen from here. Not 0, which kill(1) takes for everybody in the caller's group. */
static const char *pid_text(pid_t pid, char text[16])
{
	snprintf(text, 16, "%d", pid);
	return pid > 0 ? text : "-";
}

static int answer_part(void *arg, const struct segment *seg)
{
	uint64_t now = now_ns();
	char pid[16];

	(void)arg;

	for (int i = 0; i < N_STAGES; i++) {
		const struct stage_block *b = &seg->shared->stages[i];
		uint64_t started = atomic_load_explicit(&b->started_at_ns, memory_order_relaxed);
		uint64_t beat = atomic_load_explicit(&b->beat_at_ns, memory_order_relaxed);

		printf("%s %s %s %u %.1f %llu %u %d\n", sharded_stage_name((enum stage_id)i, seg->shard, seg->n_shards),
		       pid_text(segment_stage_pid(seg, (enum stage_id)i), pid),
		       segment_stage_state(seg, (enum stage_id)i),
		       atomic_load_explicit(&b->generation, memory_order_relaxed),
		       started && now > started ? (double)(now - started) / 1e9 : 0.0,
		       (unsigned long long)(beat && now > beat ? (now - beat) / NS_PER_MS : 0),
		       atomic_load_explicit(&b->has_work, memory_order_relaxed),
		       segment_stage_is_alive(seg, (enum stage_id)i));
	}
	return 0;
}

int answer_stages(const struct segment *seg)
{
	return parts_each(seg, answer_part, NULL) < 0 ? EXIT_TEMPORARY : 0;
}

void answer_held(const struct segment *seg)
{
	printf("%llu\n", (unsigned long long)parts_held_pkts(seg));
}

int answer_supervisor(const struct segment *seg)
{
	char pid[16];

	if (!segment_is_supervised(seg))
		return EXIT_TEMPORARY;
	puts(pid_text(segment_supervisor_pid(seg), pid));
	return 0;
}

int answer_holder(const struct segment *seg)
{
	char pid[16];

	if (!segment_is_held(seg))
		return EXIT_TEMPORARY;
	puts(pid_text(segment_holder_pid(seg), pid));
	return 0;
}

int answer_scout(const struct segment *seg)
{
	char pid[16];

	if (segment_scout_pid(seg) == 0)
		return EXIT_TEMPORARY;
	puts(pid_text(segment_scout_pid(seg), pid));
	return 0;
}

/* One whose name in ps ends with *, or what one of them starts. */
static void count_standby(void *arg, int pidfd, pid_t pid)
{
	char name[PROCESS_NAME_BYTES];

	(void)pidfd;
	process_name(pid, name);
	if (strchr(name, '*') || strcmp(name, "hold") == 0 || strcmp(name, "supervise") == 0)
		*(int *)arg += printf("%d\n", pid) > 0;
}

int answer_standbys(const struct config *c, const struct segment *seg)
{
	int n = 0;

	process_each_standby(seg, c->instance, count_standby, &n);
	return n ? 0 : EXIT_TEMPORARY;
}

int answer_instances(void)
{
	struct instances all;

	instances_look(&all);
	for (uint32_t i = 0; i < all.n; i++)
		puts(all.names[i]);
	return all.n ? 0 : EXIT_TEMPORARY;
}

int answer_layout(void)
{
	layout_print();
	return 0;
}

int answer_stopping(const struct segment *seg)
{
	/* relaxed: who acts on it asks once more, by acting */
	return atomic_load_explicit(&seg->shared->stages[0].is_stopping, memory_order_relaxed) ? 0 : EXIT_TEMPORARY;
}

void answer_classes(const struct config *c)
{
	char text[ADDRESS_BYTES];

	for (uint32_t i = 0; i < c->n_classes; i++) {
		const struct class_config *class = &c->classes[i];
		int forth = reply_forth(c, i);

		printf("  %-12s", class->name);
		if (forth >= 0)
			printf(" replies of %s", c->classes[forth].name);
		for (uint32_t k = 0; k < class->n_listen; k++)
			printf(" %s", address_format(&class->listen[k], text));
		if (forth < 0)
			printf(" %s", class->replies[0] ? "<->" : "->");
		for (uint32_t k = 0; k < class->n_dests; k++)
			printf(" %s", address_format(&class->dests[k], text));
		if (class->budget_ns == BUDGET_NONE)
			printf("   no deadline\n");
		else
			printf("   within %g ms\n", (double)class->budget_ns / 1e6);
	}
}

static int has_low_port(const struct config *c)
{
	int has = address_any_is_low(&c->dash_listen, c->n_dash_listen);

	for (uint32_t i = 0; i < c->n_classes; i++)
		has |= address_any_is_low(c->classes[i].listen, c->classes[i].n_listen) ||
		       address_any_is_low(c->classes[i].from, c->classes[i].n_from);
	return has;
}

/* What a name stands for is not asked here, so an address that has one may have any port. */
void answer_user(const struct config *c, const struct hosts *hosts)
{
	printf("%s %s %s\n", c->user, c->observers, hosts->n_unknown || has_low_port(c) ? "low" : "-");
}

int answer_check(const struct hold_options *o, const struct config *c)
{
	static struct config old;
	char why[CONFIG_WHY_BYTES];
	int err;

	if (!o->against)
		return 0;
	err = config_load(&old, o->against, o->n_overrides, o->overrides, why, sizeof(why));
	if (err)
		return options_refuse(err, why);
	if (!config_explain_changes(&old, c, stderr))
		return 0;
	log_error("%s: some changes need a relaunch: nothing was changed", o->file);
	return EXIT_CONFIG;
}
