/* main.c - egress: finished packets go out, shared fairly between the classes. */
#include "loop.h"

int main(int argc, char **argv)
{
	static struct egress_loop loop;

	return stage_run(&egress_ops, &loop.stage, argc, argv);
}
