/* mortal.h - the stages as crash.c drives them: open (with recovery), one step, and death. */
#ifndef ONTIME_CRASH_H
#define ONTIME_CRASH_H

int ingress_open(int argc, char **argv);
void ingress_step(void);
void ingress_die(void);
int edf_open(int argc, char **argv);
void edf_step(void);
void edf_die(void);
int egress_open(int argc, char **argv);
void egress_step(void);
void egress_die(void);

#endif
