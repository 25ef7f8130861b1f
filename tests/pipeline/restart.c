/* restart.c - what a successor finds in the journal is done once; counters go on. */
#include "pipeline.h"

#include <sys/wait.h>

#include "shm/journal.h"

static uint64_t histogram_pkts(const struct account *a)
{
	uint64_t sum = 0;

	for (uint32_t b = 0; b < HISTOGRAM_BUCKETS; b++)
		sum += a->latency[b];
	return sum;
}

static void counters_survive_every_restart(void)
{
	static const int signals[] = { SIGTERM, SIGKILL, SIGUSR1 };
	uint32_t relayed = 0;

	begin_four_classes("");
	start(&rig);
	for (int s = 0; s < 3; s++)
		for (int i = 0; i < N_STAGES; i++) {
			if (signals[s] == SIGUSR1 && i != STAGE_INGRESS)
				continue;
			relay_pkts(&rig, 100, ANY_SIZE);
			relayed += 100;
			expect_balanced(&rig);
			stage_restart(&rig, (enum stage_id)i, signals[s]);
			expect_balanced(&rig);
			for (uint32_t class = 0; class < rig.n_classes; class++) {
				struct account a = account_of(&rig, class);

				expect_equal(a.sent_pkts, relayed);
				expect_equal(histogram_pkts(&a), relayed);
			}
		}
	relay_pkts(&rig, 100, ANY_SIZE);
}

/* As if egress had been killed while its call for `pkts` packets was under way, having sent `done`. */
static void leave_egress_journal(uint32_t pkts, uint32_t done, uint64_t base)
{
	struct egress_journal *j = &rig.seg.shared->egress_journal;

	for (uint32_t i = 0; i < pkts; i++) {
		j->msgs[i].msg_len = i < done ? 100 : SENTINEL;
		j->released[i] = (uint16_t)(i + 1);
	}
	atomic_store_explicit(&j->word, journal_pack(0, pkts, base), memory_order_release);
}

static uint64_t hold_ten_before_egress(void)
{
	start_one_class("", "");
	relay_pkts(&rig, 5, 100);
	expect_balanced(&rig);
	stage_end(&rig, STAGE_EGRESS, SIGKILL);
	send_pkts(&rig, 0, 10, 100);
	await(account_of(&rig, 0).waiting_egress_pkts == 10);
	return atomic_load_explicit(&rig.seg.views[0].lane->sent, memory_order_relaxed);
}

static void what_the_kernel_had_sent_is_not_sent_again(void)
{
	leave_egress_journal(10, 4, hold_ten_before_egress());
	stage_start(&rig, STAGE_EGRESS);
	rig.flows[0].next_pkts += 4; /* the predecessor sent them */
	receive_pkts(&rig, 0, 6);
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_pkts, 15);
	expect_equal(atomic_load_explicit(&rig.seg.shared->stages[STAGE_EGRESS].rescued_pkts, memory_order_relaxed), 4);
}

/* Killed after the commit, before the journal was cleared: rare in a storm, so it is made here. */
static void what_is_committed_is_not_committed_again(void)
{
	uint64_t word = hold_ten_before_egress();

	leave_egress_journal(10, 4, word - (5ULL << COUNT_SHIFT) - 1);
	stage_start(&rig, STAGE_EGRESS);
	receive_pkts(&rig, 0, 10);
	expect_balanced(&rig);
	expect_equal(account_of(&rig, 0).sent_pkts, 15);
}

static void a_damaged_egress_journal_stops_its_reader_with_one_line(void)
{
	leave_egress_journal(10, 4, hold_ten_before_egress());
	rig.seg.shared->egress_journal.released[3] = 60000;
	stage_start(&rig, STAGE_EGRESS);
	expect_abort(STAGE_EGRESS);
	expect_equal(account_of(&rig, 0).sent_pkts, 5);
}

static void a_damaged_ingress_journal_stops_its_reader_with_one_line(void)
{
	struct ingress_journal *j;

	start_one_class("full = wait", "ingress_to_edf = 64\nedf_to_egress = 128\n"); /* 256 slots */
	relay_pkts(&rig, 5, 100);
	expect_balanced(&rig);
	stage_end(&rig, STAGE_EGRESS, SIGKILL);
	send_pkts(&rig, 0, 300, 100);
	await(account_of(&rig, 0).held_pkts == 64 + 128);
	stage_end(&rig, STAGE_INGRESS, SIGKILL);
	stage_end(&rig, STAGE_EDF, SIGKILL);
	j = &rig.seg.shared->ingress_journal;
	memset(j->msgs, 0, sizeof(j->msgs));
	for (uint32_t starts = 0; starts < 2; starts++) { /* 64 fit, 64 more do not */
		uint64_t word = atomic_load_explicit(&rig.seg.views[0].lane->received, memory_order_relaxed);

		atomic_store_explicit(&j->word, journal_pack(0, BATCH, word), memory_order_release);
		stage_start(&rig, STAGE_INGRESS);
		if (starts == 0) {
			rig_await_ready(&rig, STAGE_INGRESS, 2);
			stage_end(&rig, STAGE_INGRESS, SIGKILL);
		}
	}
	expect_abort(STAGE_INGRESS);
	expect_equal(account_of(&rig, 0).held_pkts, 256);
}

static void a_received_batch_is_not_published_again(void)
{
	struct ingress_journal *j;
	uint64_t word;

	start_one_class("", "");
	relay_pkts(&rig, 5, 100);
	expect_balanced(&rig);
	stage_end(&rig, STAGE_INGRESS, SIGKILL);
	j = &rig.seg.shared->ingress_journal;
	word = atomic_load_explicit(&rig.seg.views[0].lane->received, memory_order_relaxed);
	for (uint32_t i = 0; i < 5; i++)
		j->msgs[i].msg_len = 100;
	atomic_store_explicit(&j->word, journal_pack(0, 5, word - (5ULL << COUNT_SHIFT) - 1), memory_order_release);
	stage_start(&rig, STAGE_INGRESS);
	relay_pkts(&rig, 10, 100);
	expect_balanced(&rig);
	expect_equal(drain_sink(&rig, 0), 0);
}

const struct harness_test restart_tests[] = {
	TEST(counters_survive_every_restart),
	TEST(what_the_kernel_had_sent_is_not_sent_again),
	TEST(what_is_committed_is_not_committed_again),
	TEST(a_damaged_egress_journal_stops_its_reader_with_one_line),
	TEST(a_damaged_ingress_journal_stops_its_reader_with_one_line),
	TEST(a_received_batch_is_not_published_again),
	{ NULL, NULL },
};
