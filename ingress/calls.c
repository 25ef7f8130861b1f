/* calls.c - the system calls that ingress makes beside those of each stage. */
#include "loop.h"

static const struct call rows[] = {
	CALL(recvmmsg),	  CALL(recvfrom), CALL(epoll_ctl), CALL(epoll_pwait), CALL(ppoll),
#ifdef __NR_epoll_wait
	CALL(epoll_wait), CALL(poll),
#endif
};

const struct calls ingress_calls = CALLS(rows);
