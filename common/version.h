/* version.h - the version every program prints. */
#ifndef ONTIME_VERSION_H
#define ONTIME_VERSION_H

#define ONTIME_VERSION "0.1.0"

#endif
