/* edf.c - the edf stage, its steps called one by one by a test that lets it die between any two stores. */
#define main edf_main
#include "edf/loop.c"

#include <unistd.h>

#include "mortal.h"

static struct loop mortal;

int edf_open(int argc, char **argv)
{
	memset(&mortal, 0, sizeof(mortal));
	return open_loop(&mortal, argc, argv);
}

void edf_step(void)
{
	step(&mortal);
}

/* Gone: with it what it held privately, its descriptors and its lock. */
void edf_die(void)
{
	for (uint32_t class = 0; class < mortal.stage.config.n_classes; class ++)
		free(mortal.plan.classes[class].entries);
	segment_close(&mortal.stage.seg);
}
