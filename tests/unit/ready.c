/* ready.c - what /ready says of stages that are away, and of an instance that is drained. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "dash/metrics.h"
#include "dash/ready.h"
#include "suites.h"

static struct feed feed;
static char text[512];

static int is_ready(void)
{
	FILE *out = fmemopen(text, sizeof(text), "w");
	int ready = ready_print(&feed, out);

	fclose(out);
	return ready;
}

static void look_after(uint64_t ns)
{
	feed.now.at_ns += ns;
	health_note(&feed.health, &feed.now);
}

static void launch(const char *first_state)
{
	memset(&feed, 0, sizeof(feed));
	feed.runs = 1;
	strcpy(feed.viewer.instance, "ready-unit");
	feed.now.at_ns = 100 * NS_PER_S;
	feed.now.created_at_ns = 90 * NS_PER_S;
	feed.now.is_supervised = 1;
	for (int i = 0; i < N_STAGES; i++)
		feed.now.stages[i] = (struct stage_view){ .state = "ready" };
	feed.now.stages[STAGE_EDF].state = first_state;
	look_after(0);
}

static void a_restart_goes_by_unseen_and_a_stage_that_stays_away_does_not(void)
{
	launch("ready");
	look_after(NS_PER_S);
	feed.now.stages[STAGE_EDF].state = "dead";
	look_after(NS_PER_S);
	CU_ASSERT_EQUAL(is_ready(), 1);
	CU_ASSERT_STRING_EQUAL(text, "ready\n");
	look_after(NS_PER_S);
	CU_ASSERT_EQUAL(is_ready(), 0);
	CU_ASSERT_STRING_EQUAL(text, "stage edf is dead\n");
	feed.now.stages[STAGE_EDF].state = "ready";
	look_after(NS_PER_S);
	CU_ASSERT_EQUAL(is_ready(), 1);
}

static void a_stage_that_has_not_been_ready_yet_is_waited_for(void)
{
	launch("starting");
	CU_ASSERT_EQUAL(is_ready(), 0);
	CU_ASSERT_STRING_EQUAL(text, "stage edf is starting\n");
	feed.now.stages[STAGE_EDF].state = "ready";
	look_after(NS_PER_S);
	CU_ASSERT_EQUAL(is_ready(), 1);
}

static void without_a_supervisor_packets_get_through(void)
{
	launch("ready");
	feed.now.is_supervised = 0;
	look_after(UNSUPERVISED_NS);
	CU_ASSERT_EQUAL(feed.health.n_causes, 1);
	CU_ASSERT_EQUAL(is_ready(), 1);
}

static void a_class_without_a_destination_is_not_ready(void)
{
	struct class_view *c = &feed.now.classes[0];
	static char metrics[1 << 16];
	FILE *out;

	launch("ready");
	feed.now.n_classes = 1;
	strcpy(c->name, "game");
	c->n_dests = 2;
	for (int i = 0; i < 2; i++)
		c->dests[i] = (struct destination_state){ .is = DESTINATION_DOWN, .address.sin6_family = AF_INET };
	strcpy(c->dests[0].name, "sink.example:7");
	look_after(NS_PER_S);
	CU_ASSERT_EQUAL(is_ready(), 0);
	CU_ASSERT_STRING_EQUAL(text, "class game: none of its 2 destinations is up\n");
	c->dests[1].is = DESTINATION_UP;
	look_after(NS_PER_S);
	CU_ASSERT_EQUAL(is_ready(), 1);
	out = fmemopen(metrics, sizeof(metrics), "w");
	metrics_print(out, &feed, 0, 0);
	fclose(out);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(metrics, "ontime_destination_up{class=\"game\",destination=\"sink.example:7\"} 0\n"));
}

static void a_mark_in_the_run_directory_drains_it_until_it_goes(void)
{
	char directory[] = "/tmp/ontime-ready-XXXXXX", own[64], path[PATH_BYTES];
	const char *was = getenv("ONTIME_RUN_DIR");
	char *kept = was ? strdup(was) : NULL;

	launch("ready");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
	setenv("ONTIME_RUN_DIR", directory, 1);
	snprintf(own, sizeof(own), "%s/ready-unit", directory);
	CU_ASSERT_EQUAL(mkdir(own, 0700), 0);
	CU_ASSERT_EQUAL(ready_mark("ready-unit", path), 0);
	CU_ASSERT_EQUAL(is_ready(), 1);
	fclose(fopen(path, "w"));
	CU_ASSERT_EQUAL(is_ready(), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "draining"));
	unlink(path);
	CU_ASSERT_EQUAL(symlink("/etc/passwd", path), 0); /* no mark of ours */
	CU_ASSERT_EQUAL(is_ready(), 1);
	unlink(path);
	rmdir(own);
	rmdir(directory);
	if (kept)
		setenv("ONTIME_RUN_DIR", kept, 1);
	else
		unsetenv("ONTIME_RUN_DIR");
	free(kept);
}

SUITE(ready, TEST(a_restart_goes_by_unseen_and_a_stage_that_stays_away_does_not),
      TEST(a_stage_that_has_not_been_ready_yet_is_waited_for), TEST(without_a_supervisor_packets_get_through),
      TEST(a_class_without_a_destination_is_not_ready), TEST(a_mark_in_the_run_directory_drains_it_until_it_goes))
