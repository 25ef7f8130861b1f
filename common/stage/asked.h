/*
 * asked.h - what a signal has asked the stage to do: stop, drain, or read its config again.
 *
 * Memory:  three flags, one set for all stages of a process: a signal handler gets no argument.
 */
#ifndef ONTIME_STAGE_ASKED_H
#define ONTIME_STAGE_ASKED_H

/*
 * asked_catch - the signals set the flags from now on, and end a sleep. SIGHUP is let through; the supervisor has held
 * it back.
 */
void asked_catch(void);

/* asked_to_stop, asked_to_drain - SIGTERM or SIGINT came; SIGUSR1 came: stop when nothing waits for this stage. */
int asked_to_stop(void);
int asked_to_drain(void);

/* asked_to_reload - SIGHUP came since asked_reload_done(). asked_reload - as if it had come. */
int asked_to_reload(void);
void asked_reload(void);
void asked_reload_done(void);

/* asked_to_return - a stop or a reload waits for the stage's loop: long work should let nothing else go first. */
int asked_to_return(void);

#endif
