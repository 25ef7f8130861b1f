/* threads_ingress.c - the ingress stage, to be run by a thread. */
#define main ingress_main
#include "ingress/loop.c"
