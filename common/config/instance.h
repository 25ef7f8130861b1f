/*
 * instance.h - which instance is meant: by its name, or by the config that describes it.
 */
#ifndef ONTIME_CONFIG_INSTANCE_H
#define ONTIME_CONFIG_INSTANCE_H

#include "ids.h"

/*
 * instance_choose - the name that was given, or what `file` says, or "default"; either may be NULL. Of the file only
 * that line matters: the rest may be broken by now. 0, or -EINVAL after a line.
 */
int instance_choose(char name[INSTANCE_NAME_BYTES], const char *given, const char *file);

#endif
