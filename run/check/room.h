/*
 * room.h - what the sessions of classes with replies take: open files, local ports, shared memory.
 *
 * Rules:   the limits are those of whoever asks, which need not be those of a unit.
 */
#ifndef ONTIME_CHECK_ROOM_H
#define ONTIME_CHECK_ROOM_H

#include "config/config.h"

/* room_print - a line for each class with replies, and one for what is too little. 1: there is room for all. */
int room_print(const struct config *c);

#endif
