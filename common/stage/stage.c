/* stage.c - the life of a stage. */
#include "stage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arguments.h"
#include "config/sharded.h"
#include "log.h"
#include "mutant.h"
#include "shm/lock.h"
#include "rescue.h"
#include "run.h"
#include "standby.h"

#define LOCK_WAIT_NS (2 * NS_PER_S)

/* What a configuration of this instance has beside its keys. */
static void take_from_segment(const struct stage *s, struct config *c)
{
	sharded_take_part(c, s->seg.n_shards);
	c->seed = (uint32_t)s->seg.header.seed;
}

static int attach(struct stage *s)
{
	char why[WHY_BYTES];
	int err = segment_attach_shard(&s->seg, handed_fd("segment"), &s->config, s->shard, why);

	if (err) {
		log_error("%s", why);
		return err == -ESTALE ? EXIT_LAYOUT : err == -EPROTO ? EXIT_CONFIG : EXIT_TEMPORARY;
	}
	take_from_segment(s, &s->config);
	err = handed_check(&s->seg);
	return err == -EBADF ? EXIT_CONFIG : err ? EXIT_TEMPORARY : 0;
}

static int lock_stage(struct stage *s)
{
	int err = mutant_is("no-lock") ? 0 : segment_lock_stage(&s->seg, s->id, LOCK_WAIT_NS);

	if (err == -EBUSY)
		log_error("start in instance '%s': this stage is already running (pid %d): stop that one first, or use "
			  "run/restart.sh %s",
			  s->config.instance, segment_stage_pid(&s->seg, s->id), s->name);
	else if (err)
		log_error("start in instance '%s': lock a byte of segment %s, so that no second %s starts: %s",
			  s->config.instance, s->seg.name, s->name, strerror(-err));
	return err ? EXIT_TEMPORARY : 0;
}

static void announce(struct stage *s, uint32_t state)
{
	/* relaxed, all of them: for observers, nothing depends on their order */
	atomic_store_explicit(&s->self->state, state, memory_order_relaxed);
	atomic_store_explicit(&s->self->beat_at_ns, now_ns(), memory_order_relaxed);
}

/* Which config file this is: a reload puts a new one in its place. */
static uint64_t file_stamp(const char *file)
{
	struct stat st;

	if (!file || stat(file, &st) < 0)
		return 0;
	return (uint64_t)st.st_ino ^ (uint64_t)st.st_mtim.tv_sec * NS_PER_S ^ (uint64_t)st.st_mtim.tv_nsec;
}

static uint64_t serial_in_force(const struct stage *s)
{
	/* ORDER config: acquire; pairs with the release in put_in_force(). A file that is read after this is that new,
	   or newer. */
	return atomic_load_explicit(&s->self->wanted_serial, memory_order_acquire);
}

void stage_reloaded(struct stage *s)
{
	/* relaxed: it is for the supervisor, who looks again and again */
	atomic_store_explicit(&s->self->config_serial, s->config_serial, memory_order_relaxed);
}

/* Begin where the predecessor's block ends. */
static void take_over(struct stage *s)
{
	/* relaxed, all of them: for observers, and the predecessor is gone */
	atomic_store_explicit(&s->self->pid, (uint32_t)getpid(), memory_order_relaxed);
	atomic_store_explicit(&s->self->generation,
			      atomic_load_explicit(&s->self->generation, memory_order_relaxed) + 1,
			      memory_order_relaxed);
	s->opened_at_ns = now_ns();
	if (atomic_load_explicit(&s->self->state, memory_order_relaxed) != STATE_STARTING) /* else it goes on trying */
		atomic_store_explicit(&s->self->started_at_ns, s->opened_at_ns, memory_order_relaxed);
	atomic_store_explicit(&s->self->failing_since_ns, 0, memory_order_relaxed);
	s->parks = atomic_load_explicit(&s->self->parks, memory_order_relaxed);
	s->rings = atomic_load_explicit(&s->self->rings, memory_order_relaxed);
	bell_awake(&s->self->parked);
	announce(s, STATE_STARTING);
}

static int load_config(const struct stage *s, struct config *c, char why[CONFIG_WHY_BYTES])
{
	const struct config_source source = {
		.file = s->file, .fd = s->config_fd < 0 ? 0 : s->config_fd, .argc = s->argc, .argv = s->argv
	};

	return config_load_as(c, &source, why, CONFIG_WHY_BYTES);
}

static int read_config(struct stage *s)
{
	char why[CONFIG_WHY_BYTES];
	int err;

	s->config_stamp = file_stamp(s->file);
	if (s->config_fd < 0)
		s->config_fd = config_open(s->file);
	err = load_config(s, &s->config, why);
	if (!err)
		take_from_segment(s, &s->config);
	if (!err)
		return 0;
	config_log_refusals(why, "");
	return config_may_pass(err) ? EXIT_TEMPORARY : EXIT_CONFIG;
}

/* As a stand-by: what was prepared is as it was then. Returns 0 when it is this process's turn. */
static int stand_by(struct stage *s, const struct stage_ops *ops)
{
	pid_t supervisor = getppid();

	standby_prepare(&s->seg);
	place_stand_by(&s->place, &s->config, s->id);
	place_keep(&s->place);
	stage_prepare_cage(s, ops);
	if (!standby_wait(s->name)) {
		if (rescue_wait(&s->seg, s->id))
			rescue_start(s->name, supervisor, s->argc, s->argv);
		exit(0);
	}
	log_reopen();
	return file_stamp(s->file) == s->config_stamp ? 0 : read_config(s);
}

int stage_open(struct stage *s, const struct stage_ops *ops, int argc, char **argv)
{
	enum stage_id id = ops->id;
	int shard = handed_shard(), status, waits_fd;

	memset(s, 0, sizeof(*s));
	s->id = id;
	s->shard = shard < 0 ? 0 : (uint32_t)shard;
	s->name = sharded_stage_name(id, s->shard, shard < 0 ? 1 : MOST_SHARDS);
	s->seg.fd = s->config_fd = -1;
	cage_no_new_privileges();
	log_set_service_name(s->name);
	log_reopen(); /* what the supervisor writes to may have been moved away a moment ago */
	/* A binary that was started by descriptor has a number for a name. */
	prctl(PR_SET_NAME, s->name, 0, 0, 0);
	status = arguments_parse(s, argc, argv);
	if (status)
		return status;
	status = read_config(s);
	if (status)
		return 1 + status;
	asked_catch();
	status = attach(s);
	if (!status && standby_is_one())
		status = stand_by(s, ops);
	if (!status)
		status = lock_stage(s);
	if (status)
		return 1 + status;
	s->blocks = s->seg.shared->stages;
	s->self = &s->blocks[id];
	waits_fd = s->place.waits_fd;
	place_open(&s->place, &s->config, id, s->blocks);
	s->place.waits_fd = waits_fd;
	probe_init(&s->probes, &s->seg, id);
	s->space_fd = handed_fd("space");
	take_over(s);
	s->config_serial = serial_in_force(s);
	/* A reload before our pid was there to be signalled: it counts too. */
	if (file_stamp(s->file) != s->config_stamp) {
		s->config_serial = 0;
		asked_reload();
	}
	return 0;
}

static void wake_ingress(struct stage *s)
{
	uint64_t one = 1;

	if (s->space_fd >= 0 && write(s->space_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_warn("wake ingress: %s", strerror(errno));
}

static void ring_all(struct stage *s)
{
	for (int i = 0; i < N_STAGES; i++)
		if (i != (int)s->id)
			bell_ring_hard(&s->blocks[i].parked);
	wake_ingress(s);
}

void stage_ready(struct stage *s)
{
	ring_all(s);
	atomic_store_explicit(&s->self->started_at_ns, s->opened_at_ns,
			      memory_order_relaxed); /* relaxed: for observers */
	stage_reloaded(s);
	announce(s, STATE_READY);
	log_info("ready (pid %d, start %u)", getpid(),
		 atomic_load_explicit(&s->self->generation, memory_order_relaxed)); /* relaxed: this process's own */
}

/* A config that cannot be read just now is read again until it can: the other stages may have read it. */
static void postpone_reload(struct stage *s, const char *why)
{
	if (!s->reload_due_ns)
		config_log_refusals(why, ": nothing was changed, it is tried again");
	s->reload_due_ns = now_ns() + NS_PER_S;
}

int stage_reload_asked(const struct stage *s)
{
	return asked_to_reload() || (s->reload_due_ns && now_ns() >= s->reload_due_ns);
}

int stage_reload(struct stage *s)
{
	struct config fresh;
	char why[CONFIG_WHY_BYTES];
	uint64_t serial;
	int err;

	asked_reload_done();
	serial = serial_in_force(s);
	log_reopen();
	err = load_config(s, &fresh, why);
	if (!err)
		take_from_segment(s, &fresh);
	if (config_may_pass(err)) {
		postpone_reload(s, why);
		return 0;
	}
	s->reload_due_ns = 0;
	if (err) {
		config_log_refusals(why, ": nothing was changed");
		return 0;
	}
	/* A supervisor has said what changes, once for all stages. */
	if (config_log_changes(&s->config, &fresh, !segment_is_supervised(&s->seg))) {
		log_error("reload %s: some changes need a relaunch: nothing was changed",
			  s->file ? fresh.file : "defaults");
		return 0;
	}
	s->config = fresh;
	s->config_serial = serial;
	log_info("reloaded %s", s->file ? s->config.file : "the defaults");
	return 1;
}

/* By the lock on it a stage is known. A lock that is gone would let a second one begin. */
static void check_descriptors(const struct stage *s)
{
	if (s->config.work != WORK_PLUGIN || fcntl(s->seg.fd, F_GETFD) >= 0)
		return;
	log_error("the plugin has closed descriptors that it has not opened: the process ends, and another is started");
	abort();
}

void stage_beat(struct stage *s, uint64_t now, int has_work)
{
	place_look(&s->place, now);
	if (now < s->beat_due_ns)
		return;
	s->beat_due_ns = now + s->config.heartbeat_ms * NS_PER_MS / 4;
	failing_beat(&s->failing, s->self, now);
	check_descriptors(s);
	/* relaxed, all of them: for observers */
	atomic_store_explicit(&s->self->has_work, (uint32_t)has_work, memory_order_relaxed);
	atomic_store_explicit(&s->self->parks, s->parks, memory_order_relaxed);
	atomic_store_explicit(&s->self->rings, s->rings, memory_order_relaxed);
	atomic_store_explicit(&s->self->beat_at_ns, now, memory_order_relaxed);
	probe_beat(&s->probes, now);
}

void stage_ring(struct stage *s, enum stage_id other, uint32_t how)
{
	if (other != STAGE_INGRESS) {
		s->rings += (uint64_t)bell_ring(&s->blocks[other].parked, how);
		return;
	}
	if (!bell_take(&s->blocks[other].parked, how))
		return;
	wake_ingress(s);
	s->rings++;
}

int stage_spin(struct stage *s, int (*has_input)(void *arg), void *arg)
{
	uint64_t limit_ns = s->config.spin_us[s->id] * NS_PER_US, until_ns;

	if (limit_ns == 0 || place_holds_up_others(&s->place))
		return 0;
	if (s->spin_ns < limit_ns / 16 || s->spin_ns > limit_ns)
		s->spin_ns = limit_ns;
	until_ns = now_ns() + s->spin_ns;
	do {
		if (has_input(arg)) {
			s->spin_ns *= 2; /* it paid: look longer next time */
			return 1;
		}
	} while (now_ns() < until_ns);
	s->spin_ns /= 2;
	return 0;
}

void stage_refuse(struct stage *s)
{
	announce(s, STATE_STOPPED);
}

int stage_close(struct stage *s)
{
	s->beat_due_ns = 0;
	stage_beat(s, now_ns(), 0);
	ring_all(s); /* for what was passed on since the last ring */
	announce(s, STATE_STOPPED);
	log_info("stopped");
	place_close();
	if (s->config_fd >= 0)
		close(s->config_fd);
	segment_close(&s->seg);
	return 0;
}
