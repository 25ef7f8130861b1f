/* mortal.c - the stages, their steps called one by one. */
#include "mortal.h"

#include <string.h>
#include <unistd.h>

#include "edf/loop.h"
#include "egress/loop.h"
#include "ingress/loop.h"

static struct ingress_loop ingress_loop;
static struct edf_loop edf_loop;
static struct egress_loop egress_loop;

static const struct {
	const struct stage_ops *ops;
	struct stage *stage; /* the first member of its loop */
	size_t loop_bytes;
} mortals[N_STAGES] = {
	[STAGE_INGRESS] = { &ingress_ops, &ingress_loop.stage, sizeof(ingress_loop) },
	[STAGE_EDF] = { &edf_ops, &edf_loop.stage, sizeof(edf_loop) },
	[STAGE_EGRESS] = { &egress_ops, &egress_loop.stage, sizeof(egress_loop) },
};

int mortal_open(enum stage_id id, int argc, char **argv)
{
	memset(mortals[id].stage, 0, mortals[id].loop_bytes);
	return stage_begin(mortals[id].ops, mortals[id].stage, argc, argv);
}

void mortal_step(enum stage_id id)
{
	stage_step(mortals[id].ops, mortals[id].stage);
}

void mortal_die(enum stage_id id)
{
	if (mortals[id].ops->close)
		mortals[id].ops->close(mortals[id].stage);
	segment_close(&mortals[id].stage->seg);
	if (mortals[id].stage->config_fd > STDERR_FILENO) /* as the kernel does */
		close(mortals[id].stage->config_fd);
	mortals[id].stage->config_fd = -1;
}
