/*
 * journal.pml - the journal of a batch call (common/shm/journal.h), as egress uses it: sentinels, word, call, commit,
 * clearing. The stage may be killed between any two steps, the kernel finishes what it has begun, the successor may be
 * killed too.
 *
 *   model                       code
 *   sentinels                   journal_open(): msg_len of each message, before the word
 *   word_open, word_base        the journal word; 0: none
 *   kernel                      sendmmsg(): marks each message that it has sent; SIGKILL acts on its way back only
 *   commit                      settle(): lane_release(), one store
 *   clear                       journal_close()
 *   recover                     recover() in egress/send.c: journal_is_open(), journal_count_done()
 *   lock                        segment_lock_stage(): held until the last system call of the dead process is over
 *
 * Holds: each packet is sent once, in order, and what is counted is what was sent.
 * Mutants: NO_RECOVERY, NO_BASE, ZERO_SENTINEL, WORD_FIRST, CLEAR_FIRST, NO_LOCK.
 */
#define PKTS 7
#define MSGS 3 /* messages of a call, at most */
#define KILLS 4
#ifdef ZERO_SENTINEL
#define SENTINEL 0
#else
#define SENTINEL 9
#endif
#define BYTES(i) ((i) == 1 -> 0 : 7) /* one packet is empty: zero is a legal length */

byte sent; /* the commit word */
byte word_base, word_n; /* word_n 0: nothing is under way */
byte length[MSGS]; /* msg_len */
byte wire; /* packets that have left; the next one must be this */
byte kills;
byte holders; /* of the stage's lock */
bool call_runs; /* of a process that may be dead by now */
byte call_base, call_n, call_at;

active proctype kernel() /* the call that is under way; how far it comes is its own business */
{
end:	do
	:: call_runs && call_at < call_n ->
		atomic {
			assert(call_base + call_at == wire); /* once, and in order */
			wire++;
			length[call_at] = BYTES(call_base + call_at);
			call_at++
		}
	:: atomic { call_runs && (call_at == call_n || call_at > 0) -> call_runs = false } /* a short count is fine */
	od
}

#define may_die if :: kills < KILLS -> kills++; goto dead :: skip fi

inline count_done(most)
{
	n = 0;
	do
	:: n < most && length[n] != SENTINEL -> n++
	:: else -> break
	od
}

active proctype stage() /* and each of its successors */
{
	byte n, i, base;

start:
#ifndef NO_LOCK
	!call_runs; /* lock */
#endif
#ifndef NO_RECOVERY
	if /* recover */
#ifdef NO_BASE
	:: word_n > 0 ->
#else
	:: word_n > 0 && word_base == sent ->
#endif
		count_done(word_n);
		may_die;
		sent = sent + n; /* commit */
		may_die
	:: else
	fi;
#endif
	word_n = 0; /* clear */
	may_die;
	do
	:: sent >= PKTS -> break
	:: else ->
		base = sent;
		n = (PKTS - base < MSGS -> PKTS - base : MSGS);
#ifdef WORD_FIRST
		atomic { word_base = base; word_n = n }
		may_die;
#endif
		i = 0;
		do
		:: i < n -> length[i] = SENTINEL; i++; may_die
		:: else -> break
		od;
#ifndef WORD_FIRST
		atomic { word_base = base; word_n = n }
		may_die;
#endif
		atomic { call_base = base; call_n = n; call_at = 0; call_runs = true }
		may_die; /* during the call: it goes on to its end */
		!call_runs;
		may_die;
		n = call_at; /* what the call returns */
#ifdef CLEAR_FIRST
		word_n = 0;
		may_die;
#endif
		sent = sent + n;
		may_die;
		word_n = 0
	od;
	assert(wire == PKTS && sent == PKTS);
	goto over;
dead:	goto start;
over:	skip
}
