/*
 * handover.pml - one stage's place, handed from process to process by supervisors that are killed too: two at once are
 * impossible, and the place does not stay empty.
 *
 *   model                          code
 *   stage: lock                    segment_lock_stage(): the lock of an open file description, which ends when the last
 *                                  system call of its holder is over
 *   stage: STAND_BY, turn          standby_wait(), standby_turn(): a prepared process that waits for its turn
 *   stage: EXITING                 killed within a system call, which the kernel finishes
 *   supervisor: lock               segment_lock_supervisor()
 *   supervisor: adopt              life_init(): the holder of the stage's lock, as the kernel names it
 *   supervisor: its own child      life_end(): it starts another when that one is gone (pidfd)
 *   holder                         keep(): another supervisor when one is gone
 *
 * A supervisor may be killed right after it has started a stage that has no lock yet: the next one finds nobody and starts a
 * twin. The lock decides; who does not get it gives up (exit status 1) and is waited for.
 *
 * Holds: one process at most acts on the segment, a dying one's system call included; one supervisor at most; in the end
 * there is a stage.
 * Mutants: NO_LOCK, LOCK_ENDS_AT_KILL, NO_SUPERVISOR_LOCK, STAYS_DOWN.
 */
#define PROCESSES 4 /* that may be started, stand-bys included */
#define KILLS 2
#define SUPERVISOR_KILLS 2

#define FREE 0
#define STAND_BY 1
#define STARTED 2 /* it waits for the lock */
#define ACTS 3
#define EXITING 4
#define GONE 5

byte state[PROCESSES];
bool locked;
byte owner = 255;
byte acting; /* processes that may write to the segment now */
byte kills, supervisor_kills, supervisors, started;
bool supervised;

inline start(as)
{
	atomic {
		started < PROCESSES -> mine = started;
		state[mine] = as;
		started++;
		run stage(mine)
	}
}

proctype stage(byte me)
{
	do
	:: state[me] == STARTED ->
		if
#ifdef NO_LOCK
		:: atomic { true -> locked = true; owner = me; state[me] = ACTS; acting++ }
#else
		:: atomic { !locked -> locked = true; owner = me; state[me] = ACTS; acting++ }
		:: atomic { locked && state[owner] == ACTS -> state[me] = GONE } /* "already running", after two seconds */
#endif
		fi;
	:: state[me] == ACTS ->
		assert(acting <= 1);
		if
		:: kills < KILLS -> /* within a system call, or not: the kernel finishes it */
			atomic {
				kills++;
				state[me] = EXITING;
#ifdef LOCK_ENDS_AT_KILL
				locked = false
#endif
			}
		:: kills == KILLS -> goto over
		fi
	:: state[me] == EXITING ->
		atomic {
			acting--;
#ifndef LOCK_ENDS_AT_KILL
			locked = false;
#endif
			state[me] = GONE
		}
	:: state[me] == GONE -> goto over
	:: state[me] == STAND_BY -> /* it ends with its supervisor */
		if
		:: state[me] == STARTED
		:: atomic { !supervised && state[me] == STAND_BY -> state[me] = GONE }
		fi
	od;
over:	skip
}

proctype supervisor()
{
	byte child = 255, next = 255, mine;
	bool is_killed;

#ifndef NO_SUPERVISOR_LOCK
	atomic { !supervised -> supervised = true }
#else
	supervised = true;
#endif
	supervisors++;
	assert(supervisors <= 1);
	atomic { locked && state[owner] == ACTS -> child = owner } unless (!locked || state[owner] != ACTS); /* adopt */
	do
	:: supervisor_kills < SUPERVISOR_KILLS -> atomic { supervisor_kills++; is_killed = true }; break
#ifdef STAYS_DOWN
	:: child != 255 && state[child] == GONE -> break
	:: child == 255 ->
#else
	:: child == 255 || state[child] == GONE ->
#endif
		if
		:: next != 255 && state[next] == STAND_BY -> state[next] = STARTED; child = next; next = 255 /* turn */
		:: next == 255 && started < PROCESSES -> start(STARTED); child = mine
		:: next == 255 && started == PROCESSES -> break /* as many as the model has */
		:: next != 255 && state[next] != STAND_BY -> next = 255
		fi
	:: child != 255 && state[child] == ACTS && next == 255 && started < PROCESSES -> start(STAND_BY); next = mine
	:: child != 255 && state[child] == ACTS && kills == KILLS && supervisor_kills == SUPERVISOR_KILLS -> break
	od;
	assert(is_killed || (locked && state[owner] == ACTS) || started == PROCESSES);
	atomic { supervisors--; supervised = false }
}

active proctype holder()
{
	byte i;

	for (i : 0 .. SUPERVISOR_KILLS) {
		run supervisor()
	}
}
