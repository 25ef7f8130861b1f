/* main.c - edf: the packet whose absolute deadline comes first is worked on first. */
#include "loop.h"

int main(int argc, char **argv)
{
	static struct edf_loop loop;

	return stage_run(&edf_ops, &loop.stage, argc, argv);
}
