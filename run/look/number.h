/*
 * number.h - quantities in the few columns a screen has: `12.3k`, `2.23ms`, `99.98%`.
 *
 * Rules:   pure; three digits, so that a figure errs by less than 0.5 %, below what a histogram's bucket does. A share
 *          is cut, never rounded up: 100% says that not one packet was missed.
 */
#ifndef ONTIME_STAT_NUMBER_H
#define ONTIME_STAT_NUMBER_H

#include <stdint.h>

#define NUMBER_BYTES 24

/* number_of - "0", "0.25", "12.3", "999", "5.00k", "123k", "1.20M": five characters at most below 1000 P. */
const char *number_of(double value, char text[NUMBER_BYTES]);

#define GROUPED_BYTES 32 /* all of 64 bits, with commas */

/* number_grouped - all digits, in threes: "1,321". */
const char *number_grouped(uint64_t count, char text[GROUPED_BYTES]);

/* number_of_count - all digits if they fit in `width` characters, else as number_of(). */
const char *number_of_count(uint64_t count, int width, char text[NUMBER_BYTES]);

/* number_of_ns - "0ns", "850ns", "139us", "2.23ms", "1ms", "68.7s", "3600s": six characters at most below a day. */
const char *number_of_ns(uint64_t ns, char text[NUMBER_BYTES]);

/* number_of_share - 0..1 as "0%", "97.12%", "100%"; "-" for a negative one: there is none. */
const char *number_of_share(double share, char text[NUMBER_BYTES]);

/* number_of_age - "12s", "3m05s", "2h03m", "5d03h". */
const char *number_of_age(uint64_t ns, char text[NUMBER_BYTES]);

#endif
