/* segment.c - a segment is made whole or not at all, and nothing in a foreign or damaged one is believed. */
#include "segments.h"
#include "shm/header.h"

static void a_stage_finds_what_was_created(void)
{
	struct segment made, seen;
	struct config c;

	create(&made, &c);
	CU_ASSERT_EQUAL_FATAL(segment_attach(&seen, &c, why), 0);
	CU_ASSERT_EQUAL(seen.n_classes, c.n_classes);
	CU_ASSERT_EQUAL(seen.shared->header.n_sockets, 2);
	CU_ASSERT_EQUAL(seen.shared->header.socket_cookies[1], 22);
	for (uint32_t i = 0; i < seen.n_classes; i++) {
		CU_ASSERT_EQUAL(seen.views[i].slots, config_slots_pkts(&c.classes[i]));
		CU_ASSERT_STRING_EQUAL(seen.shared->header.classes[i].name, c.classes[i].name);
		lane_payload(&made.views[i], 1)[0] = (uint8_t)(i + 1);
		CU_ASSERT_EQUAL(lane_payload(&seen.views[i], 1)[0], i + 1);
	}
	segment_close(&seen);
	drop(&made, &c);
}

static void lanes_do_not_overlap_and_no_stride_is_a_power_of_two(void)
{
	static const uint32_t payloads[] = { 64, 1536, 1984, 4032, 65507 };

	for (uint32_t p = 0; p < sizeof(payloads) / sizeof(payloads[0]); p++)
		for (int work = WORK_NONE; work <= WORK_PLUGIN; work += WORK_PLUGIN - WORK_NONE) {
			struct segment seg;
			struct config c;
			uint8_t *end;

			make_config(&c);
			c.payload_bytes = payloads[p];
			c.work = (enum work_kind)work;
			CU_ASSERT_EQUAL_FATAL(segment_create(&seg, &c, NULL, 0, why), 0);
			end = (uint8_t *)(seg.shared + 1);
			for (uint32_t i = 0; i < seg.n_classes; i++) {
				const struct lane_view *v = &seg.views[i];

				CU_ASSERT((uint8_t *)v->lane >= end);
				CU_ASSERT((uint8_t *)v->arrivals >= (uint8_t *)(v->lane + 1));
				CU_ASSERT((uint8_t *)v->results >= (uint8_t *)(v->arrivals + v->slots));
				CU_ASSERT((uint8_t *)v->departures >= (uint8_t *)(v->results + v->slots));
				CU_ASSERT(v->payload >= (uint8_t *)(v->departures + v->slots));
				CU_ASSERT(v->stride_bytes >= c.payload_bytes * (c.work == WORK_PLUGIN ? 2 : 1));
				CU_ASSERT((v->stride_bytes & (v->stride_bytes - 1)) != 0);
				end = lane_payload(v, v->slots);
			}
			CU_ASSERT((uint64_t)(end - (uint8_t *)seg.shared) <= seg.size_bytes);
			drop(&seg, &c);
		}
}

static void a_second_one_of_the_same_instance_is_refused(void)
{
	struct segment made, second;
	struct config c;

	create(&made, &c);
	CU_ASSERT_EQUAL(segment_create(&second, &c, NULL, 0, why), -EEXIST);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "run/stop.sh"));
	CU_ASSERT_EQUAL(segment_attach(&second, &c, why), 0); /* and the first is unharmed */
	segment_close(&second);
	drop(&made, &c);
}

static void none_at_all_is_named(void)
{
	struct segment seg;
	struct config c;

	make_config(&c);
	CU_ASSERT_EQUAL(segment_attach(&seg, &c, why), -ENOENT);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, c.instance));
	CU_ASSERT_EQUAL(segment_observe(&seg, c.instance, why), -ENOENT);
}

static void every_changed_byte_of_the_header_is_noticed(void)
{
	struct segment made, seen;
	struct config c;
	uint8_t *header;
	uint32_t believed = 0;

	create(&made, &c);
	header = (uint8_t *)&made.shared->header;
	for (size_t i = 0; i < offsetof(struct header, checksum) + sizeof(uint64_t); i++) {
		int err;

		header[i] ^= 0x20;
		err = segment_observe(&seen, c.instance, why);
		believed += (err != -EPROTO && err != -ESTALE) || strchr(why, '\n');
		header[i] ^= 0x20;
	}
	CU_ASSERT_EQUAL(believed, 0);
	CU_ASSERT_EQUAL(segment_observe(&seen, c.instance, why), 0);
	segment_close(&seen);
	drop(&made, &c);
}

/* A class table whose checksum is right, and which promises sessions that are not there. */
static void sessions_that_cannot_be_are_no_sessions(void)
{
	struct class_entry *entry;
	struct segment made, seen;
	struct config c;
	uint64_t offset;

	create(&made, &c);
	entry = &made.shared->header.classes[1];
	offset = entry->sessions_offset;
	for (int i = 0; i < 5; i++) {
		entry->n_sessions = i == 0 ? MAX_SESSIONS + 1 : i == 1 ? UINT32_MAX : i == 2 ? MAX_SESSIONS : 0;
		entry->forth = i == 3 ? made.n_classes + 1 : 0;
		entry->sessions_offset = i == 4	  ? made.size_bytes + LINE
					 : i == 2 ? made.size_bytes / LINE * LINE - LINE
						  : offset;
		made.shared->header.checksum = header_checksum(&made.shared->header);
		CU_ASSERT_EQUAL(segment_observe(&seen, c.instance, why), -EPROTO);
		CU_ASSERT_PTR_NOT_NULL(strstr(why, "makes no sense"));
	}
	entry->forth = made.n_classes;
	entry->sessions_offset = offset;
	made.shared->header.checksum = header_checksum(&made.shared->header);
	CU_ASSERT_EQUAL(segment_observe(&seen, c.instance, why), 0);
	segment_close(&seen);
	drop(&made, &c);
}

static int observe_with_sessions(uint32_t a, uint32_t b, int has_ports)
{
	struct segment made, seen;
	struct config c;
	int err;

	make_config(&c);
	snprintf(c.classes[0].replies, sizeof(c.classes[0].replies), "%s", c.classes[2].name);
	snprintf(c.classes[1].replies, sizeof(c.classes[1].replies), "%s", c.classes[3].name);
	c.classes[0].sessions = a;
	c.classes[1].sessions = b;
	CU_ASSERT_EQUAL_FATAL(segment_create(&made, &c, NULL, 0, why), 0);
	CU_ASSERT_PTR_EQUAL(made.views[0].ports, made.views[1].ports); /* one for all classes */
	if (!has_ports) {
		made.shared->header.ports_offset = 0;
		made.shared->header.checksum = header_checksum(&made.shared->header);
	}
	err = segment_observe(&seen, c.instance, why);
	if (!err)
		segment_close(&seen);
	drop(&made, &c);
	return err;
}

/* Each class has as many as it may, and all together more than any program has room for. */
static void too_many_sessions_of_all_classes_together_are_none(void)
{
	CU_ASSERT_EQUAL(observe_with_sessions(MAX_SESSIONS - 5, 5, 1), 0);
	CU_ASSERT_EQUAL(observe_with_sessions(MAX_SESSIONS - 5, 6, 1), -EPROTO);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "more sessions together than there can be"));
	CU_ASSERT_EQUAL(observe_with_sessions(4, 5, 0), -EPROTO);
}

static void one_of_another_build_is_told_from_a_damaged_one(void)
{
	struct segment made, seen;
	struct config c;

	create(&made, &c);
	made.shared->header.layout_hash ^= 1;
	CU_ASSERT_EQUAL(segment_observe(&seen, c.instance, why), -ESTALE);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "another layout"));
	made.shared->header.layout_hash ^= 1;
	made.shared->header.layout++;
	CU_ASSERT_EQUAL(segment_observe(&seen, c.instance, why), -ESTALE);
	drop(&made, &c);
}

static void one_that_others_may_write_to_is_refused(void)
{
	struct segment made, seen;
	struct config c;

	create(&made, &c);
	CU_ASSERT_EQUAL_FATAL(fchmod(made.fd, 0666), 0);
	CU_ASSERT_EQUAL(segment_attach(&seen, &c, why), -EPERM);
	CU_ASSERT_EQUAL(segment_observe(&seen, c.instance, why), -EPERM);
	CU_ASSERT_EQUAL_FATAL(fchmod(made.fd, 0600), 0);
	CU_ASSERT_EQUAL(segment_is_mine(&made), 1);
	drop(&made, &c);
}

static void one_of_another_user_is_observed_by_root_and_by_nobody_else(void)
{
	struct segment made, seen;
	struct config c;

	if (geteuid() != 0)
		SKIP("only root can give a file away");
	create(&made, &c);
	CU_ASSERT_EQUAL_FATAL(fchown(made.fd, 12345, (gid_t)-1), 0);
	CU_ASSERT_EQUAL(segment_attach(&seen, &c, why), -EPERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "12345"));
	CU_ASSERT_EQUAL_FATAL(segment_observe(&seen, c.instance, why), 0);
	CU_ASSERT_EQUAL(segment_is_mine(&seen), 0);
	segment_close(&seen);
	CU_ASSERT_EQUAL(segment_remove_all(c.instance), 0);
	CU_ASSERT_EQUAL(segment_remove(c.instance), -EPERM);
	CU_ASSERT_EQUAL(segment_is_named(c.instance, why), 1);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "12345"));
	CU_ASSERT_EQUAL_FATAL(fchown(made.fd, 0, (gid_t)-1), 0);
	drop(&made, &c);
	CU_ASSERT_EQUAL(segment_is_named(c.instance, why), 0);
}

/* What an observer looks at may belong to a user who changes it after the look, and cuts it short. */
static void an_observer_bears_what_the_owner_does(void)
{
	struct segment made, seen;
	struct config c;

	create(&made, &c);
	CU_ASSERT_EQUAL_FATAL(segment_observe(&seen, c.instance, why), 0);
	memset(&made.shared->header, 0xff, sizeof(made.shared->header));
	CU_ASSERT_EQUAL(seen.header.n_classes, c.n_classes);
	CU_ASSERT_STRING_EQUAL(seen.header.classes[0].name, c.classes[0].name);
	CU_ASSERT_EQUAL_FATAL(ftruncate(made.fd, 4096), 0);
	CU_ASSERT_EQUAL(lane_received(seen.views[0].lane), 0);
	CU_ASSERT_EQUAL(segment_lanes_are_sane(&seen, why), -EPROTO);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "cut short"));
	segment_close(&seen);
	drop(&made, &c);
}

static void one_with_a_second_name_is_refused(void)
{
	char path[128], second[160];
	struct segment made, seen;
	struct config c;

	create(&made, &c);
	snprintf(path, sizeof(path), "/dev/shm%s", made.name);
	snprintf(second, sizeof(second), "%s.second", path);
	CU_ASSERT_EQUAL_FATAL(link(path, second), 0);
	CU_ASSERT_EQUAL(segment_observe(&seen, c.instance, why), -EPERM);
	CU_ASSERT_EQUAL(segment_attach(&seen, &c, why), -EPERM);
	CU_ASSERT_EQUAL_FATAL(unlink(second), 0);
	CU_ASSERT_EQUAL_FATAL(segment_attach(&seen, &c, why), 0);
	segment_close(&seen);
	drop(&made, &c);
}

static void a_pipe_of_its_name_is_not_waited_for(void)
{
	char path[128], name[SEGMENT_NAME_BYTES];
	struct segment seen;
	struct config c;

	make_config(&c);
	segment_name(c.instance, name);
	snprintf(path, sizeof(path), "/dev/shm%s", name);
	CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
	CU_ASSERT_EQUAL(segment_observe(&seen, c.instance, why), -EPERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "no regular file"));
	CU_ASSERT_EQUAL_FATAL(unlink(path), 0);
}

static void one_that_is_too_short_is_refused(void)
{
	struct segment made, seen;
	struct config c;

	create(&made, &c);
	CU_ASSERT_EQUAL_FATAL(ftruncate(made.fd, (off_t)made.size_bytes - 4096), 0);
	CU_ASSERT_EQUAL(segment_observe(&seen, c.instance, why), -EPROTO);
	CU_ASSERT_EQUAL_FATAL(ftruncate(made.fd, 100), 0);
	CU_ASSERT_EQUAL(segment_observe(&seen, c.instance, why), -EPROTO);
	CU_ASSERT_EQUAL_FATAL(ftruncate(made.fd, 0), 0);
	CU_ASSERT_EQUAL(segment_observe(&seen, c.instance, why), -EPROTO);
	drop(&made, &c);
}

static void another_config_is_refused(void)
{
	struct segment made, seen;
	struct config c, other;

	create(&made, &c);
	other = c;
	other.classes[0].ingress_to_edf_pkts = 4096;
	CU_ASSERT_EQUAL(segment_attach(&seen, &other, why), -EPROTO);
	other = c;
	other.classes[0].budget_ns++; /* may change: it is no part of the segment */
	CU_ASSERT_EQUAL(segment_attach(&seen, &other, why), 0);
	segment_close(&seen);
	drop(&made, &c);
}

static void counts_out_of_order_are_refused(void)
{
	struct segment made, seen;
	struct config c;
	struct lane *l;

	create(&made, &c);
	l = made.views[1].lane;
	atomic_store_explicit(&l->processed, 1ULL << COUNT_SHIFT, memory_order_relaxed); /* ahead of `received` */
	CU_ASSERT_EQUAL(segment_attach(&seen, &c, why), -EPROTO);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, c.classes[1].name));
	atomic_store_explicit(&l->received, 1ULL << COUNT_SHIFT, memory_order_relaxed);
	CU_ASSERT_EQUAL(segment_attach(&seen, &c, why), 0);
	segment_close(&seen);
	atomic_store_explicit(&l->received, 100000ULL << COUNT_SHIFT, memory_order_relaxed);
	CU_ASSERT_EQUAL(segment_attach(&seen, &c, why), -EPROTO);
	drop(&made, &c);
}

static void an_observer_can_change_nothing(void)
{
	struct segment made, seen;
	struct config c;
	pid_t child;
	int status;

	create(&made, &c);
	CU_ASSERT_EQUAL_FATAL(segment_observe(&seen, c.instance, why), 0);
	child = fork();
	if (child == 0) {
		signal(SIGSEGV, SIG_DFL);
		atomic_store_explicit(&seen.views[0].lane->sent, 1, memory_order_relaxed);
		_exit(0);
	}
	waitpid(child, &status, 0);
	CU_ASSERT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	segment_close(&seen);
	drop(&made, &c);
}

SUITE(segment, TEST(a_stage_finds_what_was_created), TEST(lanes_do_not_overlap_and_no_stride_is_a_power_of_two),
      TEST(a_second_one_of_the_same_instance_is_refused), TEST(none_at_all_is_named),
      TEST(every_changed_byte_of_the_header_is_noticed), TEST(sessions_that_cannot_be_are_no_sessions),
      TEST(too_many_sessions_of_all_classes_together_are_none), TEST(one_of_another_build_is_told_from_a_damaged_one),
      TEST(one_that_others_may_write_to_is_refused), TEST(one_of_another_user_is_observed_by_root_and_by_nobody_else),
      TEST(an_observer_bears_what_the_owner_does), TEST(one_with_a_second_name_is_refused),
      TEST(a_pipe_of_its_name_is_not_waited_for), TEST(one_that_is_too_short_is_refused),
      TEST(another_config_is_refused), TEST(counts_out_of_order_are_refused), TEST(an_observer_can_change_nothing))
