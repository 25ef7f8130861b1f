/* calls.c - the system calls that edf makes beside those of each stage, and what a plugin and workers add. */
#include "calls.h"

#include "ending.h"

/* Of a stage with workers: it starts others at any time, and each opens the plugin, which is shut in after that. */
static const struct call starting[] = {
	CALL(clone),
	CALL(clone3),
	CALL(wait4),
	CALL(kill),
	CALL(set_robust_list),
	CALL(rseq),
	CALL(sched_getaffinity),
	CALL(sched_setaffinity),
	CALL(prctl),
	CALL(seccomp),
	CALL(exit),
	CALL(capget),
	CALL(capset),
	{ .number = 444 },
	{ .number = 445 },
	{ .number = 446 }, /* Landlock */
	/* of the dynamic linker, and of a plugin that reads files */
	CALL(openat),
	CALL(mmap),
	CALL(mprotect),
	CALL(statx),
	CALL(getdents64),
	CALL(readlinkat),
	CALL(faccessat),
	CALL(faccessat2),
	CALL(prlimit64),
	CALL(uname),
	CALL(getcwd),
	CALL(timer_create),
	CALL(statfs),
	CALL(fstatfs),
#ifdef __NR_readlink
	CALL(readlink),
	CALL(access),
	CALL(arch_prctl),
	CALL(open),
	CALL(stat),
#endif
};

static const struct calls start_workers = CALLS(starting);

static void allow_plugin(const struct config *c, struct cage *cage)
{
	static const char *const opening[] = { "open", "openat", "openat2" };

	cage->hint = "; a plugin that needs it is allowed it by `plugin_calls`";
	cage_allow_named(cage, c->plugin_calls);
	for (size_t i = 0; i < sizeof(opening) / sizeof(opening[0]); i++)
		if (cage_names(c->plugin_calls, opening[i]))
			cage->files.anywhere |= FILES_READ;
	if (cage_names(c->plugin_calls, "execve"))
		cage->files.anywhere |= FILES_READ | FILES_RUN; /* what it runs has exits of its own */
	else
		cage_keep_exits(ending_is_plugins);
}

void edf_allow(const struct stage *s, struct cage *cage)
{
	if (config_workers(&s->config) > 1) {
		cage_allow(cage, &start_workers);
		cage->files.anywhere |= FILES_READ | FILES_RUN;
		cage->files.has_children = 1;
		cage_allow_named(cage, s->config.plugin_calls);
	} else if (s->config.work == WORK_PLUGIN) {
		allow_plugin(&s->config, cage);
	}
}

void edf_allow_worker(const struct stage *s, struct cage *cage)
{
	if (s->config.work == WORK_PLUGIN)
		allow_plugin(&s->config, cage);
}
