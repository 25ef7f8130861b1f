/* egress.c - the egress stage, its steps called one by one by a test that lets it die between any two stores. */
#define main egress_main
#include "egress/loop.c"

#include <unistd.h>

#include "mortal.h"

static struct loop mortal;

int egress_open(int argc, char **argv)
{
	memset(&mortal, 0, sizeof(mortal));
	return open_loop(&mortal, argc, argv);
}

void egress_step(void)
{
	step(&mortal);
}

/* Gone: with it what it held privately, its descriptors and its lock. */
void egress_die(void)
{
	segment_close(&mortal.stage.seg);
}
