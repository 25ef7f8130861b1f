/*
 * bell.pml - the bell (common/shm/bell.h): a stage parks, ringers publish and ring, any ringer may be killed at any step.
 *
 *   model                         code
 *   buffered(), drain, fence()    a store may wait in its CPU's store buffer; a full fence waits until it is out
 *   sleeper: announce             bell_announce(): store PARKED, full fence
 *   sleeper: look                 the loop's last look at the counts, between bell_announce() and bell_sleep()
 *   sleeper: futex_wait           bell_sleep(): the kernel compares the word with PARKED and sleeps in one step
 *   sleeper: awake                bell_awake()
 *   ringer: publish               lane_publish() or lane_pass(): the count
 *   ringer: take                  bell_take(): full fence, look, exchange
 *   ringer: wake                  bell_ring(): the system call
 *
 * Holds: the sleeper sees all that was published, without its time-out unless a ringer was killed between its store and its
 * wake (no end state but the last one); of several ringers one owes the wake for an announcement.
 * Mutants: NO_FENCE_SLEEPER, NO_FENCE_RINGER, LOOK_FIRST, NO_COMPARE, NO_EXCHANGE.
 */
#define AWAKE 0
#define PARKED 1
#define RINGERS 2

byte parked, count[RINGERS]; /* in memory */
byte parked_new, count_new[RINGERS]; /* in the store buffers */
bool parked_waits, count_waits[RINGERS];
bool asleep;
byte killed;
bool announced; /* in memory, and nobody has taken it */

active proctype sleepers_buffer()
{
end:	do
	:: atomic { parked_waits -> parked = parked_new; announced = parked_new == PARKED; parked_waits = false }
	od
}

active [RINGERS] proctype ringers_buffer()
{
	byte me = _pid - 1;
end:	do
	:: atomic { count_waits[me] -> count[me] = count_new[me]; count_waits[me] = false }
	od
}

active proctype sleeper()
{
	byte seen;

	do
	:: seen == RINGERS -> break
	:: else ->
#ifdef LOOK_FIRST
		seen = count[0] + count[1];
#endif
		atomic { !parked_waits -> parked_new = PARKED; parked_waits = true }
#ifndef NO_FENCE_SLEEPER
		!parked_waits; /* fence */
#endif
#ifndef LOOK_FIRST
		seen = count[0] + count[1]; /* look; both at once, which only makes it miss less */
#endif
		if
		:: seen < RINGERS ->
			atomic {
#ifndef NO_COMPARE
				!parked_waits; /* the kernel's lock orders it too */
				if
				:: parked == PARKED -> asleep = true
				:: else
				fi
#else
				asleep = true
#endif
			}
			if
			:: !asleep
			:: atomic { asleep && killed > 0 -> asleep = false } /* the time-out */
			fi
		:: else
		fi;
		atomic { !parked_waits -> parked_new = AWAKE; parked_waits = true }
	od
}

active [RINGERS] proctype ringer()
{
	byte me = _pid - RINGERS - 2, was = AWAKE;
	bool is_killed;

	atomic { !count_waits[me] -> count_new[me] = 1; count_waits[me] = true } /* publish */
	if
	:: skip
	:: atomic { killed++; is_killed = true } /* the successor finds the count as it is stored */
	fi;
#ifndef NO_FENCE_RINGER
	!count_waits[me]; /* take: fence */
#endif
	if
	:: is_killed
	:: !is_killed && parked == PARKED ->
#ifdef NO_EXCHANGE
		was = parked;
		atomic { parked = AWAKE; assert(was != PARKED || announced); announced = false }
#else
		atomic { /* an exchange drains the buffer, too */
			!count_waits[me];
			was = parked;
			parked = AWAKE;
			assert(was != PARKED || announced);
			announced = false
		}
#endif
		if
		:: was == PARKED ->
			if
			:: asleep = false /* wake */
			:: killed++
			fi
		:: else
		fi
	:: !is_killed && parked != PARKED
	fi
}
