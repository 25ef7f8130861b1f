/*
 * ending.h - whatever a plugin does to end the process costs its packet, and is death by a signal.
 *
 * Memory:  the edf journal in the segment (layout.h): the packet at work, and how often in a row that one ended the
 *          stage.
 * Rules:   exit(), _exit(), quick_exit() and their like, called with the plugin in hand, become an abort() with one
 *          line: the exit status of a stage is never of the plugin's making. A request to stop that the plugin sends
 *          itself is not heard. A child of the plugin's may end as it likes.
 * Crash:   a signal handler, or who calls exit(), notes the packet. Some ends leave no note: SIGKILL, which is taken
 *          for somebody else's; a bare exit_group(2), where the stage is not shut in; and a crash for which there is no
 *          stack, as of a thread that has used up its own. Of the last two a supervisor tells the successor in
 *          ONTIME_LAST_END ("exited 0", "signal 11"), and that one notes the packet at work. So it does when one that
 *          hung took no SIGABRT ("hung").
 */
#ifndef ONTIME_ENDING_H
#define ONTIME_ENDING_H

#include "shm/segment.h"

/*
 * ending_watch - from now on. After the stage has its signal handlers, before the plugin is opened. seg: has the
 * stage's lock, by its descriptor and by what is mapped of it. A child of the plugin's keeps neither: it has the same
 * bytes at the same place, and what it writes there is its own.
 */
void ending_watch(struct edf_journal *journal, const struct segment *seg);

/* ending_hold - 1: the plugin is in hand for something else than a packet; 0: it is not any more. */
void ending_hold(int is_in_hand);

/* ending_is_plugins - is it the plugin, in this process, that does what is done now? */
int ending_is_plugins(void);

/* ending_unwatch - the plugin is closed, and the segment may go. */
void ending_unwatch(void);

/*
 * ending_recall - note what a predecessor could not, given what is known of its end (NULL: nothing); then no packet is
 * at work.
 */
void ending_recall(struct edf_journal *journal, const char *last_end);

#endif
