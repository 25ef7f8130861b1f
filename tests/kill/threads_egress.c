/* threads_egress.c - the egress stage, to be run by a thread. */
#define main egress_main
#include "egress/loop.c"
