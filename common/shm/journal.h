/*
 * journal.h - what a batch system call did, told to the successor of a killed stage.
 *
 * Memory:  in the segment (layout.h): one word, and beside it the mmsghdr vector the kernel writes to.
 * Rules:   before the call every msg_len is set to SENTINEL (zero is a legal length), then the word is
 *          stored; after the commit it is cleared. The kernel stores msg_len of each datagram it really
 *          received or sent, and SIGKILL takes effect only on the way back to user mode. So the leading
 *          entries that are no longer SENTINEL are exactly what happened.
 *
 *            bits 63..58  flow (ingress) or class (egress)     bits 57..51  messages in the vector
 *            bits 50..0   the commit word the call started from, shortened: base
 *
 * Order:   edge "journal": sentinels before the word, the commit before its clearing.
 * Crash:   a successor reads the word; zero: nothing was under way. Base differs from the commit word: the call was
 *          committed, only the clearing is missing. Equal: it commits what the kernel did. It may die at any
 *          store too: the next one finds the same state, or the committed one.
 */
#ifndef ONTIME_JOURNAL_H
#define ONTIME_JOURNAL_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/socket.h>

#define SENTINEL 0xffffffffu

/* journal_open - announce a call over msgs[0..n): writes the sentinels, then the word. */
void journal_open(_Atomic uint64_t *word, struct mmsghdr *msgs, uint32_t owner, uint32_t n, uint64_t commit_word);

/* journal_close - the call is committed, or did nothing. */
void journal_close(_Atomic uint64_t *word);

/* journal_read - what a predecessor left. */
uint64_t journal_read(const _Atomic uint64_t *word);

/* journal_count_done - leading messages the kernel has finished. */
uint32_t journal_count_done(const struct mmsghdr *msgs, uint32_t n);

uint32_t journal_owner(uint64_t word);

/* journal_messages - of the vector; 0 if the word tells of more than a vector has: it is damaged. */
uint32_t journal_messages(uint64_t word);

/* journal_is_open - does the word tell of a call that started from this commit word? */
int journal_is_open(uint64_t word, uint64_t commit_word);

/* journal_passed - packets committed since the call started from its base. */
uint64_t journal_passed(uint64_t word, uint64_t commit_word);

/* journal_pack - a word; used by the poison rule too. */
uint64_t journal_pack(uint32_t owner, uint32_t n, uint64_t commit_word);

#endif
