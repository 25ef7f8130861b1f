/* main.c - ingress: datagrams come in, and are handed on in lanes, one per class. */
#include "loop.h"

int main(int argc, char **argv)
{
	static struct ingress_loop loop;

	return stage_run(&ingress_ops, &loop.stage, argc, argv);
}
