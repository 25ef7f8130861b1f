/*
 * commit.pml - the commit word with its two banks (common/shm/lane.h), and the place of a session's newest packet, stored
 * before it: a writer that may be killed between any two stores, its successor, and an observer.
 *
 *   model                        code
 *   word.count, word.bank        a commit word: the count, and its lowest bit (lane_next_word())
 *   write_bank                   lane_write_bank(): the tally into the bank that nobody reads, words in any order
 *   commit                       lane_publish(): one store
 *   hint                         session.last_forth, stored before the commit (ingress/publish.c)
 *   successor: load              receive_init(): lane_read_bank() of the word it finds
 *   observer                     lane_read_bank(): word, bank, word again
 *
 * Holds: a tally that is read belongs to its word; no packet is counted twice or not at all; a session whose packet is in
 * the lane is never taken for a free one.
 * Mutants: COMMIT_FIRST, SAME_BANK, NO_SECOND_LOOK, TWO_STORES, HINT_LAST. Of the order in which another CPU sees these
 * stores: weak.c.
 */
#define COMMITS 4
#define KILLS 2

byte count, bank; /* the commit word: two halves, stored as one */
byte pkts[2], bytes[2]; /* banks: of two words; bytes are always twice the packets */
byte hint; /* count behind the newest packet of the session */
byte released; /* by egress: it may free what it has released */
byte kills;
bool done;

#define may_die if :: kills < KILLS -> kills++; goto load :: skip fi

inline commit(n)
{
#ifdef TWO_STORES
	count = count + n;
	bank = 1 - bank;
#else
	d_step { count = count + n; bank = 1 - bank }
#endif
}

inline write_bank(which, n)
{
	wrote0 = false;
	wrote1 = false;
	do /* relaxed stores: in any order */
	:: !wrote0 -> pkts[which] = n; wrote0 = true; may_die
	:: !wrote1 -> bytes[which] = 2 * n; wrote1 = true; may_die
	:: wrote0 && wrote1 -> break
	od
}

active proctype writer() /* and each of its successors, which loads what it finds */
{
	byte tally, spare;
	bool wrote0, wrote1;

load:	atomic { tally = pkts[bank]; assert(bytes[bank] == 2 * tally) }
	assert(tally == count);
	assert(!(hint < count && released < count)); /* it would give the session away: the newest packet is in the lane */
	do
	:: count >= COMMITS -> break
	:: else ->
#ifdef SAME_BANK
		spare = bank;
#else
		spare = 1 - bank;
#endif
		tally = count + 1;
#ifndef HINT_LAST
		hint = count + 1; /* before the commit */
		may_die;
#endif
#ifdef COMMIT_FIRST
		commit(1);
		may_die;
		write_bank(spare, tally);
#else
		write_bank(spare, tally);
		commit(1);
#endif
		may_die;
#ifdef HINT_LAST
		hint = count;
#endif
	od;
	done = true
}

active proctype egress()
{
end:	do
	:: released < count -> released++
	od
}

active proctype observer()
{
	byte seen_count, seen_bank, seen_pkts, seen_bytes;

	do
	:: done -> break
	:: else ->
		d_step { seen_count = count; seen_bank = bank }
		seen_pkts = pkts[seen_bank];
		seen_bytes = bytes[seen_bank];
		if /* the word again; packets come with each commit here, so that the count tells all of it */
#ifdef NO_SECOND_LOOK
		:: true ->
#else
		:: d_step { count == seen_count && bank == seen_bank } ->
#endif
			assert(seen_pkts == seen_count && seen_bytes == 2 * seen_count)
#ifndef NO_SECOND_LOOK
		:: else
#endif
		fi
	od
}
