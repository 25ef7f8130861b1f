/*
 * strays.h - datagrams of this source that the rules of their port give to another class than the one they are made
 * for.
 *
 * Rules:   as the kernel does it: the rules of the classes that listen there are asked from the highest rank down
 *          (config/port.h). A class without a rule gets what no other one names; one with a rule may stand behind
 *          another that names the same.
 *          Judged beforehand, by a sample of what will be sent: source address, DSCP, sizes and bytes.
 */
#ifndef ONTIME_LOAD_STRAYS_H
#define ONTIME_LOAD_STRAYS_H

#include "run.h"

#define STRAYS_SAMPLE 1000

/* strays_tell - a line for each class and the one that gets datagrams of it. The sockets are open. */
void strays_tell(const struct load *l);

#endif
