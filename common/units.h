/* units.h - nanoseconds in a second, bytes in a KiB, bits in a byte: for those too that may read no clock. */
#ifndef ONTIME_UNITS_H
#define ONTIME_UNITS_H

#define NS_PER_US 1000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_S 1000000000ULL

#define KIB 1024ULL
#define MIB (KIB * KIB)
#define BITS_PER_BYTE 8ULL

#endif
