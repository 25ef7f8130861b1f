/* shut.c - a dashboard is shut in. */
#include "shut.h"

#include "cage/capabilities.h"
#include "log.h"

void shut_in(void)
{
	struct cage c = { .who = "dash", .hint = "", .lacks = cage_probe() | CAGE_NO_FILES };
	int err;

	cage_allow(&c, &dash_calls);
	/*
	 * To look into a stage, at the configuration in force: root may by the first two, its user by having what a
	 * stage may have.
	 */
	capabilities_keep(CAPABILITY(CAP_DAC_READ_SEARCH) | CAPABILITY(CAP_SYS_PTRACE) |
			  CAPABILITY(CAP_NET_BIND_SERVICE) | CAPABILITY(CAP_IPC_LOCK) | CAPABILITY(CAP_SYS_NICE));
	if (cage_shut(&c, &err) & CAGE_NO_FILTER)
		log_warn("it is not confined to its system calls: seccomp: %s", log_text_of(-err));
}
