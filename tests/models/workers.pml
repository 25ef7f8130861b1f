/*
 * workers.pml - the mailbox of one worker of edf (edf/workers.h, edf/hand_out.h): a task goes out, a result comes back, the
 * worker may be killed at any step, and then another one has the box.
 *
 *   model                      code
 *   give                       workers_give(): task, then given (release), then ring
 *   worker                     worker_live(): given (acquire), work_on(), result, then done (release), then ring
 *   take_result                take_result(): done == given
 *   take_dead                  take_dead(): waitpid(); the result first, if it had said so
 *   start                      start(): the box is zeroed, since the one before is gone
 *   bury                       bury(): the task is given again (take_back()), to whatever worker is idle
 *   bell of edf                stage_block.parked, rung by worker and by SIGCHLD
 *
 * Holds: no packet is done twice, whenever its worker dies; each is finished once, in its order, with the result of its own work;
 * edf does not sleep on a result.
 * Mutants: GIVEN_FIRST, DONE_FIRST, NO_LAST_LOOK, KEEP_TASK, DIRTY_BOX, NO_RING.
 */
#define PKTS 3
#define KILLS 2

byte task, result, given, finished; /* the box: `finished` is its word `done` */
bool alive, child_ended = true; /* the first one is started as its successors are */
bool rung = true; /* edf's bell: it looks before it sleeps */
byte kills;
byte joined; /* packets in order, as they are passed on */
byte times_done[PKTS + 1]; /* that a worker said it, of each */

#define may_die if :: kills < KILLS -> goto dead :: skip fi

proctype worker()
{
	byte mine, work;

	do
	:: joined == PKTS -> break
	:: given != mine ->
		may_die;
		work = task;
		may_die;
#ifdef DONE_FIRST
		mine++;
		finished = mine;
		may_die;
		result = work;
#else
		result = work;
		may_die;
		mine++;
		finished = mine; /* release */
#endif
		times_done[work]++;
		assert(times_done[work] <= 1);
		may_die;
#ifndef NO_RING
		rung = true
#endif
	:: kills < KILLS && given == mine -> goto dead /* while it has nothing to do */
	od;
	goto over;
dead:	atomic { kills++; alive = false; child_ended = true; rung = true } /* SIGCHLD rings, too */
over:	skip
}

inline take_result()
{
	got = result;
	assert(got == joined + 1); /* each once, in order, and the result of its own work */
	joined++;
	has_task = false
}

active proctype edf()
{
	byte got;
	bool has_task, is_done;

	do
	:: joined == PKTS -> break
	:: else ->
		rung; /* sleeps until it is rung, then looks at all */
		rung = false;
		is_done = has_task && finished == given; /* take_done */
		if
		:: is_done -> take_result()
		:: else
		fi;
		if
		:: child_ended -> /* take_dead */
			child_ended = false;
#ifndef NO_LAST_LOOK
			is_done = has_task && finished == given;
			if
			:: is_done -> take_result()
			:: else
			fi;
#endif
#ifndef KEEP_TASK
			has_task = false; /* bury: it is given again */
#endif
#ifndef DIRTY_BOX
			atomic { given = 0; finished = 0; task = 0; result = 0 } /* start */
#endif
			alive = true;
			run worker()
		:: else
		fi;
		if
		:: !has_task && joined < PKTS -> /* give */
			has_task = true;
#ifdef GIVEN_FIRST
			given++;
			task = joined + 1
#else
			task = joined + 1;
			given++ /* release */
#endif
		:: else
		fi
	od
}
