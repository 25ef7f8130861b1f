/* threads_edf.c - the edf stage, to be run by a thread. */
#define main edf_main
#include "edf/loop.c"
