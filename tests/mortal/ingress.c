/* ingress.c - the ingress stage, its steps called one by one by a test that lets it die between any two stores. */
#define main ingress_main
#include "ingress/loop.c"

#include <unistd.h>

#include "mortal.h"

static struct loop mortal;

int ingress_open(int argc, char **argv)
{
	memset(&mortal, 0, sizeof(mortal));
	return open_loop(&mortal, argc, argv);
}

void ingress_step(void)
{
	step(&mortal);
}

/* Gone: with it what it held privately, its descriptors and its lock. */
void ingress_die(void)
{
	close(mortal.epoll_fd);
	segment_close(&mortal.stage.seg);
}
