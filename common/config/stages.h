/* stages.h - one value for all stages, or one for each: "a" or "a,b,c". */
#ifndef ONTIME_CONFIG_STAGES_H
#define ONTIME_CONFIG_STAGES_H

#include <stdbool.h>

#include "ids.h"

#define STAGE_BYTES 32 /* of one value, with the final NUL */

/* stages_split - into one piece per stage, without blanks around commas; false: neither one nor three, or one is too long. */
bool stages_split(const char *text, char piece[N_STAGES][STAGE_BYTES]);

/* stages_join - the same again, one if all are alike, into text. */
void stages_join(char piece[N_STAGES][STAGE_BYTES], char *text);

#endif
