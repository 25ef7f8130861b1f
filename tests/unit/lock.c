/* lock.c - who is a stage and who the supervisor, by the kernel's word; and a segment that lost its name. */
#include "segments.h"

static void one_process_at_a_time_is_a_stage(void)
{
	struct segment first, second;
	struct config c;

	create(&first, &c);
	CU_ASSERT_EQUAL_FATAL(segment_attach(&second, &c, why), 0);
	CU_ASSERT_EQUAL(segment_stage_is_alive(&second, STAGE_EDF), 0);
	CU_ASSERT_EQUAL(segment_lock_stage(&first, STAGE_EDF, 0), 0);
	CU_ASSERT_EQUAL(segment_stage_is_alive(&second, STAGE_EDF), 1);
	CU_ASSERT_EQUAL(segment_lock_stage(&second, STAGE_EDF, LOCK_TRY_NS), -EBUSY);
	CU_ASSERT_EQUAL(segment_lock_stage(&second, STAGE_EGRESS, LOCK_TRY_NS), 0); /* each stage for itself */
	segment_close(&first);
	CU_ASSERT_EQUAL(segment_lock_stage(&second, STAGE_EDF, LOCK_TRY_NS), 0);
	drop(&second, &c);
}

static void a_killed_stage_leaves_its_place(void)
{
	struct segment made, seen;
	struct config c;
	char ready;
	int pipes[2];
	pid_t child;

	create(&made, &c);
	CU_ASSERT_EQUAL_FATAL(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		if (segment_attach(&seen, &c, why) || segment_lock_stage(&seen, STAGE_INGRESS, 0) ||
		    write(pipes[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	CU_ASSERT_EQUAL(read(pipes[0], &ready, 1), 1);
	CU_ASSERT_EQUAL(segment_lock_stage(&made, STAGE_INGRESS, LOCK_TRY_NS), -EBUSY);
	kill(child, SIGKILL);
	CU_ASSERT_EQUAL(segment_lock_stage(&made, STAGE_INGRESS, NS_PER_S), 0); /* reaped or not */
	waitpid(child, NULL, 0);
	close(pipes[0]);
	close(pipes[1]);
	drop(&made, &c);
}

/* A process that is a stage, or the supervisor, until it is killed. */
static pid_t be(const struct config *c, int who)
{
	struct segment seen;
	char ready;
	int pipes[2];
	pid_t child;

	CU_ASSERT_EQUAL_FATAL(pipe(pipes), 0);
	child = fork();
	if (child == 0) {
		int err = segment_attach(&seen, c, why);

		if (!err)
			err = who == N_STAGES ? segment_lock_supervisor(&seen)
					      : segment_lock_stage(&seen, (enum stage_id)who, 0);
		if (err || write(pipes[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(pipes[1]);
	CU_ASSERT_EQUAL(read(pipes[0], &ready, 1), 1);
	close(pipes[0]);
	return child;
}

static void end(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void the_kernel_says_who_is_a_stage_and_who_supervises(void)
{
	struct segment made;
	struct config c;
	pid_t stage, supervisor;

	create(&made, &c);
	atomic_store_explicit(&made.shared->stages[STAGE_EDF].pid, 1,
			      memory_order_relaxed); /* whatever is written there */
	CU_ASSERT_EQUAL(segment_stage_pid(&made, STAGE_EDF), 0);
	CU_ASSERT_EQUAL(segment_is_supervised(&made), 0);
	stage = be(&c, STAGE_EDF);
	supervisor = be(&c, N_STAGES);
	CU_ASSERT_EQUAL(segment_stage_pid(&made, STAGE_EDF), stage);
	CU_ASSERT_EQUAL(segment_stage_pid(&made, STAGE_EGRESS), 0);
	CU_ASSERT_EQUAL(segment_supervisor_pid(&made), supervisor);
	CU_ASSERT_EQUAL(segment_lock_supervisor(&made), -EBUSY);
	end(stage);
	end(supervisor);
	CU_ASSERT_EQUAL(segment_stage_pid(&made, STAGE_EDF), 0);
	CU_ASSERT_EQUAL(segment_is_supervised(&made), 0);
	drop(&made, &c);
}

static void count_user(void *arg, pid_t pid)
{
	pid_t *found = arg;

	*found = pid;
}

static void one_whose_name_is_gone_is_found_through_who_has_it_open(void)
{
	struct segment made, seen;
	struct config c;
	pid_t stage, found = 0;

	create(&made, &c);
	stage = be(&c, STAGE_EDF);
	CU_ASSERT_EQUAL(segment_remove(c.instance), 0);
	CU_ASSERT_EQUAL_FATAL(segment_observe(&seen, c.instance, why), 0);
	CU_ASSERT_EQUAL(segment_stage_pid(&seen, STAGE_EDF), stage);
	segment_close(&seen);
	CU_ASSERT_EQUAL(segment_each_user(c.instance, count_user, &found), 1);
	CU_ASSERT_EQUAL(found, stage);
	CU_ASSERT_EQUAL(segment_has_user(c.instance, stage), 1);
	end(stage);
	CU_ASSERT_EQUAL(segment_each_user(c.instance, count_user, &found), 0);
	segment_close(&made);
	CU_ASSERT_EQUAL(segment_observe(&seen, c.instance, why), -ENOENT);
}

SUITE(lock, TEST(one_process_at_a_time_is_a_stage), TEST(a_killed_stage_leaves_its_place),
      TEST(the_kernel_says_who_is_a_stage_and_who_supervises),
      TEST(one_whose_name_is_gone_is_found_through_who_has_it_open))
