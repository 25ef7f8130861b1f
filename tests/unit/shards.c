/* shards.c - several parts in one segment, each a pipeline of its own; and what belongs to all of them. */
#include <sched.h>

#include "config/sharded.h"
#include "look/health.h"
#include "segments.h"
#include "shm/account.h"
#include "stage/cpu.h"
#include "stage/handed.h"

#define N 3

static const uint64_t cookies[2 * N] = { 10, 11, 12, 20, 21, 22 };
static struct segment made, parts[N];
static struct config config;

static void create_parts(void)
{
	make_config(&config);
	config.shards = N;
	CU_ASSERT_EQUAL_FATAL(segment_create_shards(&made, &config, N, cookies, 2, why), 0);
	for (uint32_t k = 0; k < N; k++)
		CU_ASSERT_EQUAL_FATAL(segment_attach_shard(&parts[k], made.fd, &config, k, why), 0);
}

static void drop_parts(void)
{
	for (uint32_t k = 0; k < N; k++)
		segment_close(&parts[k]);
	drop(&made, &config);
}

static void each_part_is_a_pipeline_of_its_own(void)
{
	struct segment other;
	struct stat st;

	create_parts();
	CU_ASSERT_EQUAL(fstat(made.fd, &st), 0);
	CU_ASSERT_EQUAL((uint64_t)st.st_size, N * made.size_bytes);
	for (uint32_t k = 0; k < N; k++) {
		CU_ASSERT_EQUAL(parts[k].n_shards, N);
		CU_ASSERT_EQUAL(parts[k].shard, k);
		CU_ASSERT_EQUAL(parts[k].header.socket_cookies[0], 10 + k);
		CU_ASSERT_EQUAL(parts[k].header.socket_cookies[1], 20 + k);
		CU_ASSERT_EQUAL(parts[k].header.created_at_ns, made.header.created_at_ns);
		memset(parts[k].views[0].payload, (int)(1 + k), 64);
		parts[k].shared->stages[STAGE_EDF].generation = 100 + k;
	}
	for (uint32_t k = 0; k < N; k++) {
		CU_ASSERT_EQUAL(parts[k].views[0].payload[63], 1 + k);
		CU_ASSERT_EQUAL_FATAL(segment_observe_shard(&other, &made, k, why), 0);
		CU_ASSERT_EQUAL(other.shared->stages[STAGE_EDF].generation, 100 + k);
		segment_close(&other);
	}
	CU_ASSERT_EQUAL(segment_observe_shard(&other, &made, N, why), -EPROTO);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "it has no such shard"));
	CU_ASSERT_EQUAL(segment_attach_shard(&other, made.fd, &config, N, why), -EPROTO);
	drop_parts();
}

static void a_damaged_part_is_refused(void)
{
	struct segment other;

	create_parts();
	parts[1].shared->header.shard = 2;
	CU_ASSERT_EQUAL(segment_observe_shard(&other, &made, 1, why), -EPROTO);
	parts[1].shared->header.shard = 1;
	CU_ASSERT_EQUAL_FATAL(segment_observe_shard(&other, &made, 1, why), 0);
	CU_ASSERT_EQUAL(ftruncate(made.fd, (off_t)made.size_bytes), 0);
	CU_ASSERT_EQUAL(other.shared->stages[STAGE_EDF].generation, 0); /* and does not end this process */
	CU_ASSERT_EQUAL(segment_lanes_are_sane(&other, why), -EPROTO);
	CU_ASSERT_EQUAL(segment_lanes_are_sane(&made, why), -EPROTO); /* the instance is broken, whichever part */
	segment_close(&other);
	drop_parts();
}

static void a_stage_of_each_shard_has_its_lock(void)
{
	struct segment again;

	create_parts();
	for (uint32_t k = 0; k < N; k++) {
		CU_ASSERT_EQUAL(segment_stage_is_alive(&made, STAGE_EDF), k > 0);
		CU_ASSERT_EQUAL(segment_lock_stage(&parts[k], STAGE_EDF, LOCK_TRY_NS), 0);
	}
	CU_ASSERT_EQUAL_FATAL(segment_attach_shard(&again, made.fd, &config, 1, why), 0);
	CU_ASSERT_EQUAL(segment_lock_stage(&again, STAGE_EDF, LOCK_TRY_NS), -EBUSY);
	CU_ASSERT_EQUAL(segment_stage_is_alive(&again, STAGE_EDF), 1);
	CU_ASSERT_EQUAL(segment_stage_is_alive(&again, STAGE_INGRESS), 0);
	segment_close(&parts[1]);
	CU_ASSERT_EQUAL(segment_stage_is_alive(&again, STAGE_EDF), 0);
	CU_ASSERT_EQUAL(segment_lock_stage(&again, STAGE_EDF, LOCK_TRY_NS), 0);
	parts[1] = again;
	drop_parts();
}

/* A commit word as ingress stores it: packets that edf has not had yet. */
static void hold(struct segment *part, uint32_t class, uint64_t pkts)
{
	struct lane *l = part->views[class].lane;
	uint64_t at = offsetof(struct ingress_tally, read_pkts) / sizeof(uint64_t);
	uint64_t had = l->received >> COUNT_SHIFT;

	l->ingress[0][at] = had + pkts;
	l->ingress[1][at] = had + pkts;
	l->received = (had + pkts) << COUNT_SHIFT;
}

static void a_look_is_at_all_shards_or_at_one(void)
{
	static struct viewer viewer;
	static struct view view;

	create_parts();
	hold(&parts[0], 0, 1);
	hold(&parts[2], 0, 5);
	parts[1].shared->stages[STAGE_EDF].parks = 7;
	parts[2].shared->stages[STAGE_EDF].parks = 8;
	viewer_open(&viewer, config.instance);
	CU_ASSERT_EQUAL_FATAL(viewer_look(&viewer, &view, why), 0);
	CU_ASSERT_EQUAL(view_shards(&view), N);
	CU_ASSERT_EQUAL(view.classes[0].account.received_pkts, 6);
	CU_ASSERT_EQUAL(view.classes[0].account.held_pkts, 6);
	CU_ASSERT_EQUAL(view.classes[0].account.slots, N * made.views[0].slots);
	CU_ASSERT_EQUAL(view.stages[STAGE_EDF].parks, 15);
	CU_ASSERT_EQUAL(view_stage(&view, 2, STAGE_EDF)->parks, 8);
	CU_ASSERT_STRING_EQUAL(view_stage_name(&view, 2, STAGE_EDF), "edf.2");
	viewer_close(&viewer);
	for (int shard = 0; shard < N; shard++) {
		viewer_open(&viewer, config.instance);
		viewer_shard(&viewer, shard);
		CU_ASSERT_EQUAL_FATAL(viewer_look(&viewer, &view, why), 0);
		CU_ASSERT_EQUAL(view_shards(&view), 1);
		CU_ASSERT_EQUAL(view.classes[0].account.received_pkts, shard == 0 ? 1 : shard == 2 ? 5 : 0);
		CU_ASSERT_EQUAL(view.stages[STAGE_EDF].parks, shard ? 6 + (uint64_t)shard : 0);
		CU_ASSERT_STRING_EQUAL(view_stage_name(&view, 0, STAGE_EDF), "edf");
		viewer_close(&viewer);
	}
	viewer_open(&viewer, config.instance);
	viewer_shard(&viewer, N);
	CU_ASSERT_EQUAL(viewer_look(&viewer, &view, why), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "no shard 3: it has 3, counted from 0"));
	viewer_close(&viewer);
	drop_parts();
}

/* One shard moves, the other does not: their sum does. */
static void a_shard_that_stands_still_shows(void)
{
	static struct view view;
	static struct health health;

	memset(&health, 0, sizeof(health));
	view = (struct view){ .n_classes = 1, .n_shards = 2, .created_at_ns = 1, .is_supervised = 1 };
	strcpy(view.classes[0].name, "a");
	for (uint32_t k = 0; k < 2; k++)
		for (int i = 0; i < N_STAGES; i++)
			view.each[k][i].state = view.stages[i].state = "ready";
	for (int i = 1; i <= 4; i++) {
		view.at_ns += NS_PER_S;
		view.classes[0].parts[0].sent_pkts = view.classes[0].account.sent_pkts = (uint64_t)i;
		view.classes[0].parts[0].held_pkts = 1;
		view.classes[0].parts[1].held_pkts = 9;
		health_note(&health, &view);
		CU_ASSERT_EQUAL(health.n_causes, i > 2);
	}
	CU_ASSERT_STRING_EQUAL(health.causes[0].text,
			       "class a has sent nothing in shard 1 for 3 s with 9 packets held");
	view.classes[0].parts[1].held_pkts = 0;
	view.classes[0].parts[0].unbalanced_pkts = 2; /* and another shard is off the other way */
	view.each[1][STAGE_EDF].state = "dead";
	health_note(&health, &view);
	CU_ASSERT_EQUAL(health.n_causes, 1);
	CU_ASSERT_EQUAL(health.causes[0].kind, CAUSE_UNBALANCED);
	view.at_ns += NS_PER_S;
	health_note(&health, &view);
	CU_ASSERT_STRING_EQUAL(health.causes[1].text, "stage edf.1 is dead: run/status.sh says more");
}

static void accounts_add_up(void)
{
	static struct account a, b;

	memset(&a, 0, sizeof(a));
	a.received_pkts = 3;
	a.sent_pkts = 2;
	a.held_pkts = a.dropped_pkts[DROP_LATE] = 1;
	a.latency[3] = 2;
	a.budget_ns = 5;
	a.slots = 16;
	a.to_edf_limit_pkts = 4;
	a.latency_max_ns = 70;
	a.latency_sum_ns = 100;
	b = a;
	account_add(&b, &a);
	account_add(&b, &a);
	b.latency_max_ns = 60;
	a.send_errno[0] = 7;
	a.send_errno[1] = b.send_errno[0] = 9;
	a.send_errno_pkts[0] = 1;
	a.send_errno_pkts[1] = 2;
	a.send_errno_pkts[SEND_ERRNOS - 1] = 3;
	b.send_errno[1] = 8;
	b.send_errno_pkts[0] = 10;
	b.send_errno_pkts[1] = 20;
	b.send_errno_pkts[SEND_ERRNOS - 1] = 30;
	account_add(&b, &a);
	CU_ASSERT_EQUAL(b.received_pkts, 12);
	CU_ASSERT_EQUAL(b.sent_pkts, 8);
	CU_ASSERT_EQUAL(b.held_pkts, 4);
	CU_ASSERT_EQUAL(b.budget_ns, 5);
	CU_ASSERT_EQUAL(b.slots, 64);
	CU_ASSERT_EQUAL(b.to_edf_limit_pkts, 16);
	CU_ASSERT_EQUAL(b.latency_max_ns, 70);
	CU_ASSERT_EQUAL(b.latency_sum_ns, 400);
	CU_ASSERT_EQUAL(b.dropped_pkts[DROP_LATE], 4);
	CU_ASSERT_EQUAL(b.latency[3], 8);
	CU_ASSERT_EQUAL(b.send_errno[0], 9);
	CU_ASSERT_EQUAL(b.send_errno_pkts[0], 12);
	CU_ASSERT_EQUAL(b.send_errno[1], 8);
	CU_ASSERT_EQUAL(b.send_errno_pkts[1], 20);
	CU_ASSERT_EQUAL(b.send_errno[2], 7);
	CU_ASSERT_EQUAL(b.send_errno_pkts[2], 1);
	CU_ASSERT_EQUAL(b.send_errno_pkts[SEND_ERRNOS - 1], 33);
	for (int i = 0; i < SEND_ERRNOS; i++) { /* more kinds than places: all but those there are are others */
		a.send_errno[i] = 100 + (uint64_t)i;
		a.send_errno_pkts[i] = 1;
	}
	for (int i = 3; i < SEND_ERRNOS - 1; i++)
		b.send_errno[i] = 50 + (uint64_t)i;
	account_add(&b, &a);
	CU_ASSERT_EQUAL(b.send_errno_pkts[SEND_ERRNOS - 1], 33 + SEND_ERRNOS);
}

static void each_shard_has_a_cpu(void)
{
	cpu_set_t allowed;

	CPU_ZERO(&allowed);
	CU_ASSERT_EQUAL(cpu_choose(&allowed, -1), -1);
	CU_ASSERT_EQUAL(cpu_choose(&allowed, 1), -1);
	CPU_SET(1, &allowed);
	CPU_SET(5, &allowed);
	CPU_SET(6, &allowed);
	CU_ASSERT_EQUAL(cpu_choose(&allowed, -1), 6);
	CU_ASSERT_EQUAL(cpu_choose(&allowed, 0), 6);
	CU_ASSERT_EQUAL(cpu_choose(&allowed, 1), 5);
	CU_ASSERT_EQUAL(cpu_choose(&allowed, 2), 1);
	CU_ASSERT_EQUAL(cpu_choose(&allowed, 3), 6);
	CPU_SET(9, &allowed);
	CU_ASSERT_EQUAL(cpu_choose(&allowed, -1), -1);
	CU_ASSERT_EQUAL(cpu_choose(&allowed, 0), 9);
}

static void a_stage_finds_what_is_its_shards(void)
{
	uint32_t n;

	setenv("LISTEN_FDNAMES", "a.in.0*3:a.out.0*3:space*3:segment:config", 1);
	CU_ASSERT_EQUAL(handed_shard(), -1);
	CU_ASSERT_EQUAL(handed_fd("space"), 9);
	setenv(SHARD_VARIABLE, "2", 1);
	CU_ASSERT_EQUAL(handed_shard(), 2);
	CU_ASSERT_EQUAL(handed_socket("a", "in", 0), 5);
	CU_ASSERT_EQUAL(handed_socket("a", "out", 0), 8);
	CU_ASSERT_EQUAL(handed_fd("space"), 11);
	CU_ASSERT_EQUAL(handed_fd("segment"), 12);
	CU_ASSERT_EQUAL(handed_range("a", "in", &n), 3);
	setenv(SHARD_VARIABLE, "3", 1); /* there is none such */
	CU_ASSERT_EQUAL(handed_fd("space"), 9);
	setenv(SHARD_VARIABLE, "99", 1);
	CU_ASSERT_EQUAL(handed_shard(), -1);
	unsetenv(SHARD_VARIABLE);
	unsetenv("LISTEN_FDNAMES");
}

static const char *load(const char *pipeline, const char *class)
{
	static char text[CONFIG_WHY_BYTES];
	char path[] = "/tmp/ontime-unit-XXXXXX";
	int fd = mkstemp(path);

	dprintf(fd, "[pipeline]\n%s\n[class a]\nlisten = 127.0.0.1:7001\nsend = 127.0.0.1:8001\n%s\n", pipeline, class);
	text[0] = '\0';
	config_load(&config, path, 0, NULL, text, sizeof(text));
	close(fd);
	unlink(path);
	return text;
}

static void what_cannot_be_sharded_is_refused(void)
{
	static const struct {
		const char *pipeline, *class, *says;
	} rows[] = {
		{ "rate = 1Gbit\nburst = 2000B", "", "burst" },
		{ "cpus = 1", "", "cpus" },
		{ "", "replies = b\n[class b]", "replies" },
		{ "", "match = dscp ef\n[class b]\nlisten = 127.0.0.1:7001\nsend = 127.0.0.1:8002", "match" },
		{ "", "from = 127.0.0.1:9000", "from" },
		{ "", "[class b]\nlisten = 239.1.1.1%lo:7002\nsend = 127.0.0.1:8002", "listen" },
		{ "", "[class b]\nlisten = [fe80::1%lo]:7002\nsend = 127.0.0.1:8002", "listen" },
		{ "", "broadcast = on", "broadcast" },
	};
	char sharded[64];

	CU_ASSERT_STRING_EQUAL(load("shards = 2", ""), "");
	CU_ASSERT_EQUAL(sharded_count(&config), 2);
	CU_ASSERT_STRING_EQUAL(load("shards = 3\nrate = 1Gbit\nburst = 64KiB", ""), "");
	sharded_take_part(&config, 1);
	CU_ASSERT_EQUAL(config.rate_bits_per_s, 1000000000);
	sharded_take_part(&config, 3);
	CU_ASSERT_EQUAL(config.rate_bits_per_s, 333333333);
	CU_ASSERT_EQUAL(config.burst_bytes, 65536 / 3);
	CU_ASSERT_STRING_EQUAL(load("shards = auto", "[class b]\nlisten = [::1]:7002\nsend = 127.0.0.1:8002"), "");
	CU_ASSERT(sharded_count(&config) >= 1 && sharded_count(&config) <= MOST_SHARDS);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(sharded, sizeof(sharded), "shards = %s\n%s", i % 2 ? "auto" : "2", rows[i].pipeline);
		CU_ASSERT_STRING_EQUAL(load(rows[i].pipeline, rows[i].class), "");
		CU_ASSERT_PTR_NOT_NULL(strstr(load(sharded, rows[i].class), "shards = 1"));
		CU_ASSERT_PTR_NOT_NULL(strstr(load(sharded, rows[i].class), rows[i].says));
	}
	CU_ASSERT_STRING_NOT_EQUAL(load("shards = 17", ""), "");
	CU_ASSERT_STRING_NOT_EQUAL(load("shards = 0", ""), "");
}

SUITE(shards, TEST(each_part_is_a_pipeline_of_its_own), TEST(a_damaged_part_is_refused),
      TEST(a_stage_of_each_shard_has_its_lock), TEST(a_look_is_at_all_shards_or_at_one),
      TEST(a_shard_that_stands_still_shows), TEST(accounts_add_up), TEST(each_shard_has_a_cpu),
      TEST(a_stage_finds_what_is_its_shards), TEST(what_cannot_be_sharded_is_refused))
