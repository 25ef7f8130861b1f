/* once.c - words that another process may change are read once, checked, and only then used. */
#include "shm/once.h"

#include <netinet/udp.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edf/work.h"
#include "ingress/batch.h"
#include "suites.h"

#define SLOTS 2
#define PAYLOAD_BYTES 100u

static struct stage stage;
static struct arrival arrivals[SLOTS];
static struct origin origins[SLOTS];
static uint8_t payload[SLOTS][128];
static struct ingress_journal journal;
static uint8_t scratch[BATCH][TRAIN_BYTES];

static void open_lane(void)
{
	memset(&stage, 0, sizeof(stage));
	memset(origins, 0, sizeof(origins));
	stage.config.payload_bytes = PAYLOAD_BYTES;
	stage.seg.views[0] = (struct lane_view){ .arrivals = arrivals,
						 .origins = origins,
						 .payload = payload[0],
						 .slots = SLOTS,
						 .mask = SLOTS - 1,
						 .stride_bytes = sizeof(payload[0]) };
}

/* Does the stage end before it works on a packet of that length, behind a header of that? */
static int is_refused(uint32_t len_bytes, uint16_t skip_bytes)
{
	int status = 0;
	pid_t child;

	open_lane();
	arrivals[1].len_bytes = len_bytes;
	origins[1].skip_bytes = skip_bytes;
	child = fork();
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		close(STDERR_FILENO);
		work_packet(&stage, 0, 1, 0);
		_exit(0);
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void a_packet_that_does_not_fit_its_slot_is_not_worked_on(void)
{
	struct ontime_packet packet;

	CU_ASSERT_FALSE(is_refused(PAYLOAD_BYTES, 0));
	CU_ASSERT_FALSE(is_refused(PAYLOAD_BYTES - 28, 28));
	CU_ASSERT(is_refused(PAYLOAD_BYTES + 1, 0));
	CU_ASSERT(is_refused(PAYLOAD_BYTES, 1));
	CU_ASSERT(is_refused(UINT32_MAX, 0));
	CU_ASSERT(is_refused(UINT32_MAX, 1)); /* together they are 0, in 32 bits */
	CU_ASSERT(is_refused(UINT32_MAX - 27, 128));
	open_lane();
	arrivals[1].len_bytes = 60;
	origins[1].skip_bytes = 28;
	packet = work_packet(&stage, 0, 1, 7);
	CU_ASSERT_EQUAL(packet.in_bytes, 60);
	CU_ASSERT_PTR_EQUAL(packet.in, payload[1] + 28);
}

/* A message of the journal, as recvmmsg leaves a train of pieces of that length. */
static void leave_train(uint32_t i, uint32_t len_bytes, int piece_bytes)
{
	struct msghdr *m = &journal.msgs[i].msg_hdr;
	struct cmsghdr *c = (struct cmsghdr *)journal.control[i];

	journal.msgs[i].msg_len = len_bytes;
	m->msg_controllen = CMSG_SPACE(sizeof(piece_bytes));
	c->cmsg_level = SOL_UDP;
	c->cmsg_type = UDP_GRO;
	c->cmsg_len = CMSG_LEN(sizeof(piece_bytes));
	memcpy(CMSG_DATA(c), &piece_bytes, sizeof(piece_bytes));
}

/* Or the pieces of one would be looked for behind its end. */
static void a_train_has_the_length_that_its_call_has_told(void)
{
	struct batch b = { .journal = &journal, .scratch = scratch, .most_trains = BATCH };
	uint32_t bytes = 0;

	leave_train(0, 1000, 10);
	leave_train(1, 250, 100);
	batch_begin(&b, 2, 0);
	CU_ASSERT_EQUAL(b.n_pkts, 103);
	for (uint32_t n = 0; n < b.n_pkts; n++) {
		struct piece p;

		journal.msgs[0].msg_len = n % 2 ? UINT32_MAX : 0; /* somebody changes them all the time */
		journal.msgs[1].msg_len = n % 3 ? UINT32_MAX : 0;
		p = batch_next(&b);
		CU_ASSERT(p.message <= 1 && p.at_bytes + p.len_bytes <= (p.message ? 250 : 1000));
		bytes += p.len_bytes;
	}
	CU_ASSERT_EQUAL(bytes, 1250);
}

static void what_one_commit_settles_is_not_changed_on_the_way(void)
{
	struct batch b = { .journal = &journal, .most_trains = 0 };

	journal.is_whole = 7;
	batch_begin(&b, 1, 1);
	journal.is_whole = 0;
	CU_ASSERT_EQUAL(b.is_whole, 1);
}

SUITE(once, TEST(a_packet_that_does_not_fit_its_slot_is_not_worked_on),
      TEST(a_train_has_the_length_that_its_call_has_told), TEST(what_one_commit_settles_is_not_changed_on_the_way))
